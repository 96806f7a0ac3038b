"""Cross-entropy with a margin that the true logit must overcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import NDArray

from ..kernels.losses.margin import MARGIN
from ._base import SoftmaxLoss, check_number
from ._bound import BoundLoss
from ._targets import Targets


@dataclass
class MarginLoss(SoftmaxLoss):
    r"""Cross-entropy of the softmax after a margin is taken off the true logit, in nats.

    .. math:: \ell(y, z) = \log \sum_j e^{s (z_j - m [j = y])} - s (z_y - m)

    Between cross-entropy and a hinge: rows that lead by less than the margin m pull, and the greater the scale s, the more
    suddenly they stop to. Convex. Probabilities are :math:`\mathrm{softmax}(s z)`, without the margin: they are surer than
    cross-entropy's and want calibration.

    Margins of angles, where features and weights have unit length, are what the loss is known for. With free weights a
    margin and no penalty ask for nothing that longer weights would not give; it is the penalty that makes it matter.

    Labels only. Two classes use one logit, :math:`z` for class 1 against 0 for class 0; the margin is taken off z for
    class 1 and added to it for class 0.

    Parameters
    ----------
    margin : float, default=1.0
        m, in [0, inf), in units of the logits. 0 with ``scale=1`` is cross-entropy.
    scale : float, default=1.0
        s, in (0, inf). Without a margin it only does what :math:`C s^2` instead of C does.

    Raises
    ------
    ValueError
        When fitted with parameters outside these ranges, or to rows of class probabilities.

    References
    ----------
    Wang, Cheng, Liu & Liu (2018), "Additive Margin Softmax for Face Verification".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.losses import MarginLoss
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier(loss=MarginLoss(margin=2.0)).fit(X, y)
    >>> round(clf.score(X, y), 2)
    0.98
    """

    margin: float = 1.0
    scale: float = 1.0

    takes_proba: ClassVar[bool] = False

    def lipschitz_constant(self, n_classes: int) -> float:
        return self.scale**2 * super().lipschitz_constant(n_classes)

    def bind(self, targets: Targets) -> BoundLoss:
        margin = check_number("margin", self.margin, 0, closed=True)
        scale = check_number("scale", self.scale, 0, closed=False)
        self._require_labels(targets)
        return self._bound(targets, MARGIN, [0.0, margin, scale], has_no_minimum_when_separable=True)

    def proba(self, logits: NDArray) -> NDArray:
        """Return the (n_rows, n_classes) probabilities of scaled (n_rows, n_logits) logits, which may be overwritten."""
        logits *= self.scale
        return super().proba(logits)

    def log_proba(self, logits: NDArray) -> NDArray:
        """Return the (n_rows, n_classes) log-probabilities of scaled logits, which may be overwritten."""
        logits *= self.scale
        return super().log_proba(logits)
