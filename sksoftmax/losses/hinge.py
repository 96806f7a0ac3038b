"""Multiclass hinge loss: a linear support vector machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import NDArray

from ..kernels.losses.hinge import HINGE
from ._base import Loss, check_number
from ._bound import BoundLoss
from ._targets import Targets

# Smoothing of the preconditioners' hinge, in margins. Measured on raw tables: as narrow as the loss's own, three of seven are
# not there in 1,000 iterations.
MODEL_WIDTH = 4.0


@dataclass
class HingeLoss(Loss):
    r"""Multiclass hinge loss of Weston and Watkins, its kinks rounded: a linear support vector machine.

    .. math:: \ell(y, z) = \sum_{j \neq y} h(z_j - z_y + \Delta), \qquad h(u) = \max(0, u)

    With a smoothing :math:`\delta > 0` a parabola joins the two sides where :math:`|u| < \delta / 2`, as
    :math:`h(u) = (u + \delta / 2)^2 / 2 \delta`, which is at most :math:`\delta / 8` too high. That gives second
    derivatives, and with them the solvers that need no scaling; as these vanish off the kinks, ``solver="auto"`` takes
    ``"block-lbfgs"`` and not Newton's method, whose matrix may be singular. With :math:`\delta = 0` the loss has no Hessian.
    Stochastic solvers take its subgradients; ``"block-lbfgs"`` and ``"lbfgs"``, which are made for smooth functions, take it
    too and usually end near the minimum, but have no evidence of it and warn.

    Convex. The logits stand for no probabilities: there is no ``predict_proba``. Labels only. Two classes use one logit,
    :math:`\ell = h(\Delta \mp z)`, which is the loss of ``sklearn.svm.SVC(kernel="linear")``, with the same ``C``.

    Parameters
    ----------
    margin : float, default=1.0
        :math:`\Delta`, in (0, inf).
    smoothing : float, default=0.1
        :math:`\delta`, in [0, inf), in units of the logits as the margin is.

    Raises
    ------
    ValueError
        When fitted with parameters outside these ranges, to rows of class probabilities, or without smoothing by a solver
        that needs a Hessian.

    References
    ----------
    Weston & Watkins (1999), "Support Vector Machines for Multi-Class Pattern Recognition".
    Chapelle (2007), "Training a Support Vector Machine in the Primal", for the rounded kink.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.losses import HingeLoss
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier(loss=HingeLoss(margin=1.0)).fit(X, y)
    >>> round(clf.score(X, y), 2), hasattr(clf, "predict_proba")
    (0.99, False)
    """

    margin: float = 1.0
    smoothing: float = 0.1

    convex: ClassVar[bool] = True
    shift_invariant: ClassVar[bool] = True
    has_proba: ClassVar[bool] = False
    takes_proba: ClassVar[bool] = False

    @property
    def has_hessian(self) -> bool:
        """Whether the kinks are rounded."""
        return self.smoothing > 0

    @property
    def smooth(self) -> bool:
        """Whether the kinks are rounded."""
        return self.smoothing > 0

    def bind(self, targets: Targets) -> BoundLoss:
        margin = check_number("margin", self.margin, 0, closed=False)
        smoothing = check_number("smoothing", self.smoothing, 0, closed=True)
        self._require_labels(targets)
        # Of separable rows the loss reaches zero: there is a minimum without a penalty too.
        # Few rows are between the sides of a narrow kink, and others come there as the fit goes on: one so wide that rows
        # within twice the margin count has about the loss's curvature over the length of a step.
        model = HINGE, [margin, max(smoothing, MODEL_WIDTH * margin)]
        return self._bound(targets, HINGE, [margin, smoothing], has_no_minimum_when_separable=False, model=model)

    def proba(self, logits: NDArray) -> NDArray:
        """Raise an AttributeError: there are no probabilities."""
        self.require_proba()
        return logits

    def log_proba(self, logits: NDArray) -> NDArray:
        """Raise an AttributeError: there are no probabilities."""
        self.require_proba()
        return logits
