"""Pointwise losses on logits.

What lives here: the ``Loss`` contract, the losses themselves and the table ``LOSSES`` of their names. What doesn't: compiled
code (``kernels``), the sum over rows and the penalty (``objective``), encoding of labels (``targets``).

Conventions
-----------
A ``Loss`` holds hyperparameters only. ``bind`` joins it to the targets and weights of one data set; the ``BoundLoss`` says
which kernel sums it and with what. Units are nats.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._parameters import Parametrised
from .kernels import softmax as kernels


@dataclass(frozen=True)
class Targets:
    """What the rows should be predicted as, and how much each counts.

    Exactly one of ``labels`` and ``proba`` is given. A row of class probabilities q counts as n_classes copies of itself,
    copy k with label k and weight ``q_k * class_weight_k``.

    Attributes
    ----------
    n_classes : int
    weight : ndarray of shape (n_rows,), float64
        Non-negative, summing to one; holds sample weights and class weights.
    labels : ndarray of shape (n_rows,), int32, or None
        Class indices in ``0..n_classes - 1``.
    proba : ndarray of shape (n_rows, n_classes), float32 or float64, or None
    class_weight : ndarray of shape (n_classes,), float64
        Used with ``proba`` only.
    """

    n_classes: int
    weight: NDArray[np.float64]
    labels: NDArray[np.int32] | None = None
    proba: NDArray | None = None
    class_weight: NDArray[np.float64] | None = None


class BoundLoss(ABC):
    """A loss joined to its targets: what an objective sums over row blocks.

    Attributes
    ----------
    n_logits : int
        Logits per row.
    shift_invariant : bool
        Whether adding one number to all logits of a row changes nothing.
    weight : ndarray of shape (n_rows,), float64
        Summing to one.
    arguments : tuple
        What the kernels ask for to compute its value and gradient: the loss's number, labels, class probabilities, class
        weights, row weights and a float64 array of hyperparameters.
    """

    n_logits: int
    shift_invariant: bool
    weight: NDArray[np.float64]
    arguments: tuple[int, NDArray[np.int32], NDArray, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

    @abstractmethod
    def vanishes_along(self, logits: NDArray, start: int, stop: int) -> bool:
        """Return whether multiplying these logits of rows start:stop by a growing number takes their loss to zero."""


class Loss(Parametrised, ABC):
    """Contract of every loss: hyperparameters, ``bind`` for fitting, ``proba`` and ``log_proba`` for predicting."""

    @abstractmethod
    def bind(self, targets: Targets) -> BoundLoss:
        """Join the loss to targets.

        Raises
        ------
        ValueError
            A hyperparameter is out of its range.
        """

    @abstractmethod
    def proba(self, logits: NDArray) -> NDArray:
        """Return the (n_rows, n_classes) probabilities of (n_rows, n_logits) logits, which may be overwritten."""

    @abstractmethod
    def log_proba(self, logits: NDArray) -> NDArray:
        """Return the (n_rows, n_classes) log-probabilities of logits, which may be overwritten."""


@dataclass
class CrossEntropy(Loss):
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
        return _BoundCrossEntropy(float(self.label_smoothing), targets)

    def proba(self, logits: NDArray) -> NDArray:
        logits = _two_logits(logits)
        kernels.softmax(logits, len(logits))
        return logits

    def log_proba(self, logits: NDArray) -> NDArray:
        logits = _two_logits(logits)
        kernels.log_softmax(logits, len(logits))
        return logits


def _two_logits(logits: NDArray) -> NDArray:
    """Return logits for at least two classes: one logit is that of class 1, against 0 for class 0."""
    if logits.shape[1] > 1:
        return logits
    both = np.zeros((len(logits), 2), dtype=logits.dtype)
    both[:, 1:] = logits
    return both


class _BoundCrossEntropy(BoundLoss):
    def __init__(self, smoothing: float, targets: Targets) -> None:
        binary = targets.n_classes == 2
        self.n_logits = 1 if binary else targets.n_classes
        self.shift_invariant = not binary
        self._smoothing = smoothing
        self._targets: Any = targets
        self.weight = targets.weight
        self.arguments = (
            kernels.CROSS_ENTROPY,
            np.empty(0, dtype=np.int32) if targets.labels is None else targets.labels,
            np.empty((0, 0)) if targets.proba is None else targets.proba,
            np.empty(0) if targets.class_weight is None else targets.class_weight,
            targets.weight,
            np.array([smoothing]),
        )

    def vanishes_along(self, logits: NDArray, start: int, stop: int) -> bool:
        if self._smoothing > 0:
            return False
        logits = _two_logits(logits)
        counted = self.weight[start:stop] > 0
        if self._targets.labels is not None:
            labels = self._targets.labels[start:stop]
        else:
            proba = self._targets.proba[start:stop]
            labels = proba.argmax(axis=1)
            if np.any(counted & (np.count_nonzero(proba, axis=1) > 1)):
                return False
        own = logits[np.arange(len(labels)), labels].copy()
        logits[np.arange(len(labels)), labels] = -np.inf
        return bool(np.all((own > logits.max(axis=1)) | ~counted))


LOSSES: dict[str, type[Loss]] = {"cross_entropy": CrossEntropy}
