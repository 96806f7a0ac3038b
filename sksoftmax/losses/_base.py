"""The contract of every loss.

What lives here: ``Loss``, the ``Targets`` it is bound to and the ``BoundLoss`` that comes of it. What doesn't: any
particular loss, compiled code (``kernels``), the sum over rows and the penalty (``objectives``), encoding of labels
(``data.targets``).

Conventions
-----------
A ``Loss`` holds hyperparameters only. ``bind`` joins it to the targets and weights of one data set; the ``BoundLoss`` says
which kernel sums it and with what. Units are nats.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._params import ParamsMixin
from ..kernels import rowwise as kernels

Arguments = tuple[int, NDArray[np.int32], NDArray, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


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
    class_weight : ndarray of shape (n_classes,), float64, or None
        What ``weight`` holds of it; ones if None, which rows of class probabilities may not have.
    """

    n_classes: int
    weight: NDArray[np.float64]
    labels: NDArray[np.int32] | None = None
    proba: NDArray | None = None
    class_weight: NDArray[np.float64] | None = None


class BoundLoss:
    """A loss joined to its targets: what an objective sums over row blocks.

    Two classes have one logit, that of class 1 against 0 for class 0.

    Parameters
    ----------
    loss : Loss
    targets : Targets
    number : int
        Of the loss among the kernels.
    parameters : array-like
        Hyperparameters as the kernel takes them.
    has_no_minimum_when_separable : bool
        Whether a row's loss goes to zero, and never reaches it, as its true logit grows over the others.
    model : tuple of (int, array-like) or None
        Number and hyperparameters of the loss whose second derivatives by each logit, which are not negative, stand for this
        one's in preconditioners; None if its own do.

    Attributes
    ----------
    n_logits : int
        Logits per row.
    shift_invariant : bool
        Whether adding one number to all logits of a row changes nothing.
    convex, has_hessian, strictly_convex, unit_norm : bool
        As the loss has them.
    weight : ndarray of shape (n_rows,), float64
        Summing to one.
    arguments : tuple
        What the kernels ask for to compute its value and gradient: the loss's number, labels, class probabilities, class
        weights, row weights and a float64 array of hyperparameters.
    model_arguments : tuple
        The same of ``model``.
    lipschitz_constant : float
        No second derivative of a row's loss, along any direction of length one on its logits, exceeds it; inf if unknown.
    """

    def __init__(
        self,
        loss: Loss,
        targets: Targets,
        number: int,
        parameters: ArrayLike,
        *,
        has_no_minimum_when_separable: bool,
        model: tuple[int, ArrayLike] | None = None,
    ) -> None:
        binary = targets.n_classes == 2
        self.n_logits = 1 if binary else targets.n_classes
        self.shift_invariant = not binary
        self.convex = loss.convex
        self.has_hessian = loss.has_hessian
        self.strictly_convex = loss.strictly_convex
        self.unit_norm = loss.unit_norm
        self.lipschitz_constant = loss.lipschitz_constant(targets.n_classes)
        self.weight = targets.weight
        self.arguments: Arguments = (
            number,
            np.empty(0, dtype=np.int32) if targets.labels is None else targets.labels,
            np.empty((0, 0)) if targets.proba is None else targets.proba,
            np.empty(0) if targets.class_weight is None else targets.class_weight,
            targets.weight,
            np.array(parameters, dtype=np.float64),
        )
        number, parameters = model or (number, parameters)
        self.model_arguments: Arguments = (number, *self.arguments[1:-1], np.array(parameters, dtype=np.float64))
        self._loss = loss
        self._has_no_minimum_when_separable = has_no_minimum_when_separable
        self._targets: Any = targets

    def require_hessian(self) -> None:
        """Do nothing if the loss has a Hessian.

        Raises
        ------
        ValueError
            It has none; the message says which solver needs none.
        """
        if not self.has_hessian:
            raise ValueError(f"{self._loss!r} has no Hessian; use solver='block-lbfgs'.")

    def is_separated_by(self, logits: NDArray, start: int, stop: int) -> bool:
        """Return whether multiplying these logits of rows start:stop by a growing number takes their loss to zero."""
        if not self._has_no_minimum_when_separable:
            return False
        logits = two_logits(logits)
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


class Loss(ParamsMixin, ABC):
    """Contract of every loss: hyperparameters, ``bind`` for fitting, ``proba`` and ``log_proba`` for predicting.

    Attributes
    ----------
    convex : bool
        Whether it is a convex function of the logits.
    has_hessian : bool
        Whether it has second derivatives that solvers may use.
    strictly_convex : bool
        Whether these vanish nowhere.
    unit_norm : bool
        Whether its logits are cosines: rows and weights of unit length, without intercept and penalty.
    has_proba : bool
        Whether its logits stand for class probabilities.
    takes_proba : bool
        Whether it can be fitted to rows of class probabilities.
    """

    convex: ClassVar[bool] = True
    strictly_convex: ClassVar[bool] = True
    unit_norm: ClassVar[bool] = False
    has_proba: ClassVar[bool] = True
    takes_proba: ClassVar[bool] = True

    @property
    def has_hessian(self) -> bool:
        """Whether it has second derivatives that solvers may use."""
        return True

    @abstractmethod
    def bind(self, targets: Targets) -> BoundLoss:
        """Join the loss to targets.

        Raises
        ------
        ValueError
            A hyperparameter is out of its range, or the targets are rows of class probabilities and it takes none.
        """

    def prepare(self, X: Any) -> Any:
        """Return rows as the loss wants them: dense or CSR X itself, or a copy."""
        return X

    def lipschitz_constant(self, n_classes: int) -> float:
        """Return what no second derivative of a row's loss along a direction of length one on its logits exceeds, if known."""
        return np.inf

    def proba(self, logits: NDArray) -> NDArray:
        """Return the (n_rows, n_classes) probabilities of (n_rows, n_logits) logits, which may be overwritten."""
        logits = two_logits(logits)
        kernels.softmax(logits, len(logits))
        return logits

    def log_proba(self, logits: NDArray) -> NDArray:
        """Return the (n_rows, n_classes) log-probabilities of logits, which may be overwritten."""
        logits = two_logits(logits)
        kernels.log_softmax(logits, len(logits))
        return logits

    @classmethod
    def require_proba(cls) -> None:
        """Do nothing if the loss's logits stand for probabilities.

        Raises
        ------
        AttributeError
            They do not.
        """
        if not cls.has_proba:
            raise AttributeError(f"{cls.__name__} has no probabilities: use predict or decision_function, or another loss.")

    def _require_labels(self, targets: Targets) -> None:
        if targets.labels is None:
            raise ValueError(f"{type(self).__name__} takes class labels; y holds rows of class probabilities.")


def softmax_curvature(n_classes: int) -> float:
    """Return the largest curvature that cross-entropy has: of p (1 - p), or of diag(p) - p pᵀ (Böhning 1992)."""
    return 0.25 if n_classes == 2 else 0.5


def two_logits(logits: NDArray) -> NDArray:
    """Return logits for at least two classes: one logit is that of class 1, against 0 for class 0."""
    if logits.shape[1] > 1:
        return logits
    both = np.zeros((len(logits), 2), dtype=logits.dtype)
    both[:, 1:] = logits
    return both


def check_number(name: str, value: Any, low: float, *, closed: bool) -> float:
    """Return value as a float.

    Raises
    ------
    ValueError
        It is not a finite number above low, or at low if closed.
    """
    number = float(value) if isinstance(value, Real) else np.nan
    if not (low <= number < np.inf and (closed or number > low)):
        raise ValueError(f"{name} must be in {'[' if closed else '('}{low:g}, inf), got {value!r}.")
    return number
