"""Cross-entropy of the softmax, with label smoothing."""

from __future__ import annotations

from dataclasses import dataclass

from ..kernels.losses.cross_entropy import CROSS_ENTROPY
from ._base import SoftmaxLoss
from ._bound import BoundLoss
from ._targets import Targets


@dataclass
class CrossEntropy(SoftmaxLoss):
    r"""Cross-entropy of the softmax of the logits, in nats.

    .. math:: \ell(y, z) = \log \sum_j e^{z_j} - \sum_k t_k z_k

    with the target :math:`t_y = 1 - \varepsilon` on the row's class and :math:`t_k = \varepsilon / (K - 1)` elsewhere.
    Convex. Two classes use one logit, :math:`z` for class 1 against 0 for class 0.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        :math:`\varepsilon`, in [0, 1). Note that some libraries spread :math:`\varepsilon` over all K classes, the true
        one included: their :math:`\varepsilon` is ours times :math:`K / (K - 1)`.

    Raises
    ------
    ValueError
        When fitted with a ``label_smoothing`` outside [0, 1).

    References
    ----------
    Szegedy et al. (2016), "Rethinking the Inception Architecture for Computer Vision".
    Hastie, Tibshirani & Friedman (2009), "The Elements of Statistical Learning", section 4.4.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.losses import CrossEntropy
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier(loss=CrossEntropy(label_smoothing=0.1)).fit(X, y)
    >>> clf.set_params(loss__label_smoothing=0.2).loss
    CrossEntropy(label_smoothing=0.2)
    """

    label_smoothing: float = 0.0

    def bind(self, targets: Targets) -> BoundLoss:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in [0, 1), got {self.label_smoothing!r}.")
        return self._bound(
            targets,
            CROSS_ENTROPY,
            [self.label_smoothing],
            has_no_minimum_when_separable=self.label_smoothing == 0,
        )
