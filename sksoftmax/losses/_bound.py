"""A loss joined to the classes of a data set.

What lives here: ``BoundLoss``, which objectives sum over rows, and the model of its curvature. What doesn't: hyperparameters
and formulas (``Loss``), rows and their targets (a data set's).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..kernels.losses import LossKernels
from ._arguments import KernelArguments
from ._decision import most_probable
from ._targets import Targets


class HasProperties(Protocol):
    """What is asked of the loss that is bound: ``Loss`` has it."""

    @property
    def convex(self) -> bool:
        """Whether it is a convex function of the logits."""

    @property
    def strictly_convex(self) -> bool:
        """Whether its second derivatives vanish nowhere."""

    @property
    def has_hessian(self) -> bool:
        """Whether it has second derivatives that solvers may use."""

    @property
    def smooth(self) -> bool:
        """Whether it has a gradient everywhere."""

    @property
    def unit_norm(self) -> bool:
        """Whether its logits are cosines."""

    def lipschitz_constant(self, n_classes: int) -> float:
        """Return what no second derivative of a row's loss exceeds."""

    def value_and_gradient(self, logits: NDArray, labels: NDArray[np.int32]) -> tuple[NDArray, NDArray]:
        """Return the losses of rows and their derivatives by the logits, if it has no kernel."""


class Model(NamedTuple):
    """The loss whose second derivatives by each logit, none of them negative, preconditioners are made of.

    Attributes
    ----------
    kernels : LossKernels
        Of that loss.
    parameters : ndarray, float64
    """

    kernels: LossKernels
    parameters: NDArray[np.float64]


@dataclass(frozen=True)
class BoundLoss:
    """A loss with the number of classes and all else that it takes from the targets: what an objective sums over rows.

    It holds no rows: a data set gives the targets of those that it sums over.

    Attributes
    ----------
    loss : Loss
    n_classes : int
    n_logits : int
        Logits per row. Two classes have one, that of class 1 against 0 for class 0, unless all are asked for.
    shift_invariant : bool
        Whether adding one number to all logits of a row changes nothing.
    kernels : LossKernels or None
        None for a loss in plain arrays.
    parameters : ndarray, float64
        Hyperparameters as the kernels take them.
    model : Model
    has_no_minimum_when_separable : bool
        Whether a row's loss goes to zero, and never reaches it, as its true logit grows over the others.
    """

    loss: HasProperties
    n_classes: int
    n_logits: int
    shift_invariant: bool
    kernels: LossKernels | None
    parameters: NDArray[np.float64]
    model: Model
    has_no_minimum_when_separable: bool

    @property
    def convex(self) -> bool:
        """Whether it is a convex function of the logits."""
        return self.loss.convex

    @property
    def strictly_convex(self) -> bool:
        """Whether its second derivatives vanish nowhere."""
        return self.loss.strictly_convex

    @property
    def has_hessian(self) -> bool:
        """Whether it has second derivatives that solvers may use."""
        return self.loss.has_hessian and self.kernels is not None

    @property
    def smooth(self) -> bool:
        """Whether it has a gradient everywhere."""
        return self.loss.smooth

    @property
    def unit_norm(self) -> bool:
        """Whether its logits are cosines."""
        return self.loss.unit_norm

    @property
    def lipschitz_constant(self) -> float:
        """What no second derivative of a row's loss, along a direction of length one on its logits, exceeds; inf if unknown."""
        return self.loss.lipschitz_constant(self.n_classes)

    def arguments(self, targets: Targets) -> KernelArguments:
        """Return what kernels ask for to compute value, gradient and second derivatives for rows of these targets."""
        if self.kernels is None:
            raise TypeError(f"{self.loss!r} has no kernel.")
        return KernelArguments(self.kernels.of(self.n_logits), *targets.arrays, self.parameters)

    def model_arguments(self, targets: Targets) -> KernelArguments:
        """Return the same of ``model``."""
        return KernelArguments(self.model.kernels.of(self.n_logits), *targets.arrays, self.model.parameters)

    def value_and_gradient(self, logits: NDArray, targets: Targets) -> tuple[float, NDArray]:
        """Return the weighted sum of rows' losses and its derivatives by their logits.

        Parameters
        ----------
        logits : ndarray of shape (n_rows, n_logits)
            Overwritten.
        targets : Targets
            Of the same rows.

        Returns
        -------
        value : float
            In nats.
        gradient : ndarray of shape (n_rows, n_logits), of logits' dtype
        """
        if self.kernels is not None:
            return self.arguments(targets).fill_value_and_gradient(0, len(logits), logits), logits
        losses, gradient = np.zeros(len(logits)), np.zeros((len(logits), self.n_classes))
        both = two_logits(logits)
        for labels, share in targets.by_label():
            own_losses, own_gradient = self._rows_of_label(both, labels)
            losses += share * own_losses
            gradient += share[:, None] * own_gradient
        gradient = targets.weight[:, None] * gradient[:, self.n_classes - self.n_logits :]
        return float(targets.weight @ losses), gradient.astype(logits.dtype, copy=False)

    def _rows_of_label(self, logits: NDArray, labels: NDArray[np.int32]) -> tuple[NDArray, NDArray]:
        """Return what ``Loss.value_and_gradient`` does, checked."""
        losses, gradient = (np.asarray(part) for part in self.loss.value_and_gradient(logits, labels))
        if losses.shape != labels.shape or gradient.shape != logits.shape:
            raise ValueError(
                f"{type(self.loss).__name__}.value_and_gradient must return losses of shape {labels.shape} and a gradient of "
                f"shape {logits.shape}; got {losses.shape} and {gradient.shape}."
            )
        return losses, gradient

    def is_separated_by(self, logits: NDArray, targets: Targets) -> bool:
        """Return whether multiplying these logits, of rows with these targets, by a growing number takes their loss to zero."""
        if not self.has_no_minimum_when_separable:
            return False
        logits = two_logits(logits)
        counted = targets.weight > 0
        if targets.labels is not None:
            labels = targets.labels
        else:
            proba: Any = targets.proba
            labels = most_probable(proba).astype(np.int32)
            if np.any(counted & (np.count_nonzero(proba, axis=1) > 1)):
                return False
        own = logits[np.arange(len(labels)), labels].copy()
        logits[np.arange(len(labels)), labels] = -np.inf
        return bool(np.all((own > logits.max(axis=1)) | ~counted))


def two_logits(logits: NDArray) -> NDArray:
    """Return logits for at least two classes: one logit is that of class 1, against 0 for class 0."""
    if logits.shape[1] > 1:
        return logits
    both = np.zeros((len(logits), 2), dtype=logits.dtype)
    both[:, 1:] = logits
    return both
