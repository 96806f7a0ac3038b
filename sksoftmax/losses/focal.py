"""Focal loss: cross-entropy with less weight on rows that are already predicted well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..kernels.losses.cross_entropy import CROSS_ENTROPY
from ..kernels.losses.focal import FOCAL
from ._base import Loss, check_number
from ._bound import BoundLoss
from ._targets import Targets


@dataclass
class FocalLoss(Loss):
    r"""Focal loss of the softmax of the logits, in nats.

    .. math:: \ell(y, z) = -(1 - p_y)^\gamma \log p_y, \qquad p = \mathrm{softmax}(z)

    A row whose class has probability :math:`p_y` near one counts for next to nothing. :math:`\gamma = 0` is cross-entropy.

    **Not convex** for :math:`\gamma > 0`: a fit ends at a stationary point, which may depend on where it starts, and
    ``solver="auto"`` takes ``"block-lbfgs"``, with the curvature of cross-entropy. The loss is no proper score either:
    its minimum over p is not the distribution of
    the classes but a flatter one, so that ``predict_proba``, the softmax of the logits, is too unsure and wants calibration.

    A row of class probabilities counts as with cross-entropy: :math:`\sum_k q_k \, \ell(k, z)`. Two classes use one logit,
    :math:`z` for class 1 against 0 for class 0.

    Parameters
    ----------
    gamma : float, default=2.0
        :math:`\gamma`, in [0, inf).

    Raises
    ------
    ValueError
        When fitted with another ``gamma``, or by a solver that needs a Hessian.

    References
    ----------
    Lin, Goyal, Girshick, He & Dollár (2017), "Focal Loss for Dense Object Detection".
    Charoenphakdee, Vongkulbhisal, Chairatanakul & Sugiyama (2021), "On Focal Loss for Class-Posterior Probability
    Estimation: A Theoretical Perspective".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.losses import FocalLoss
    >>> X, y = load_iris(return_X_y=True)
    >>> sure = SoftmaxRegressionClassifier().fit(X, y).predict_proba(X).max(axis=1).mean()
    >>> clf = SoftmaxRegressionClassifier(loss=FocalLoss(gamma=2.0)).fit(X, y)
    >>> bool(clf.predict_proba(X).max(axis=1).mean() < sure)
    True
    """

    gamma: float = 2.0

    shift_invariant: ClassVar[bool] = True

    def bind(self, targets: Targets) -> BoundLoss:
        gamma = check_number("gamma", self.gamma, 0, closed=True)
        model = CROSS_ENTROPY, [0.0]
        return self._bound(targets, FOCAL, [gamma], has_no_minimum_when_separable=True, model=model)
