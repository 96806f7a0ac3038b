"""Cross-entropy for classes of unequal size that should count alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels.losses.logit_adjusted import LOGIT_ADJUSTED
from ._base import SoftmaxLoss, check_number
from ._bound import BoundLoss
from ._targets import Targets

# Shares of classes written with a few decimals still count as summing to one.
PRIOR_TOLERANCE = 1e-4


@dataclass
class LogitAdjusted(SoftmaxLoss):
    r"""Cross-entropy of logits to which the logarithms of the classes' shares are added while fitting, in nats.

    .. math:: \ell(y, z) = \log \sum_j e^{z_j + \tau \log \pi_j} - z_y - \tau \log \pi_y

    The shares :math:`\pi` are put in while fitting and left out when predicting. With :math:`\tau = 1`,
    ``predict_proba`` gives the probabilities in a population where all classes are equally frequent; their argmax aims at
    balanced accuracy. Convex. Where the intercept is free and unpenalised, as here, the fit differs from cross-entropy's by
    :math:`\tau \log \pi` in the intercept alone, which is what Menon et al. call post-hoc adjustment; without an intercept
    the coefficients differ too.

    The shares are those of the rows weighted by ``sample_weight``. ``class_weight`` does not enter them: it stands for what
    errors cost, and ``"balanced"`` would make up for the shares a second time. A class without weight is not adjusted. Rows of
    class probabilities count as with cross-entropy. Two classes use one logit, :math:`z` for class 1 against 0 for class 0.

    Parameters
    ----------
    tau : float, default=1.0
        :math:`\tau`, in [0, inf); 0 is cross-entropy.
    class_prior : sequence of n_classes floats, default=None
        :math:`\pi`, positive and summing to one, instead of the rows' own: for data that come in pieces.

    Raises
    ------
    ValueError
        When fitted with a ``tau`` below zero, or a ``class_prior`` that is no distribution over the classes.

    References
    ----------
    Menon, Jayasumana, Rawat, Jain, Veit & Kumar (2021), "Long-tail learning via logit adjustment".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.metrics import balanced_accuracy_score
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.losses import LogitAdjusted
    >>> X, y = load_iris(return_X_y=True)
    >>> few = SoftmaxRegressionClassifier(C=0.1, loss=LogitAdjusted(tau=1.0)).fit(X[:110], y[:110])  # ten of class 2
    >>> plain = SoftmaxRegressionClassifier(C=0.1).fit(X[:110], y[:110])
    >>> [round(balanced_accuracy_score(y, clf.predict(X)), 2) for clf in (few, plain)]
    [0.88, 0.71]
    """

    tau: float = 1.0
    class_prior: Sequence[float] | None = None

    def bind(self, targets: Targets) -> BoundLoss:
        tau = check_number("tau", self.tau, 0, closed=True)
        prior = targets.prior if self.class_prior is None else self._given_prior(targets.n_classes)
        shift = tau * np.log(np.where(prior > 0, prior, 1))
        if targets.n_classes == 2:
            shift = shift[1:] - shift[:1]
        return self._bound(targets, LOGIT_ADJUSTED, [0.0, *shift], has_no_minimum_when_separable=True)

    def _given_prior(self, n_classes: int) -> NDArray[np.float64]:
        prior = np.asarray(self.class_prior, dtype=np.float64)
        if prior.shape != (n_classes,) or not (np.all(prior > 0) and abs(prior.sum() - 1) <= PRIOR_TOLERANCE):
            raise ValueError(
                f"class_prior must hold {n_classes} positive numbers that sum to 1, one a class, got {self.class_prior!r}."
            )
        return prior
