"""What solvers ask of an objective: the protocols, and nothing else.

An objective is a function of one flat float64 vector of shape (n_params,). A solver needs ``Objective`` and names in
``Solver.requires`` what it needs besides. An objective need not inherit from a protocol: having its members is enough, unless
``lacks`` says that one is not met, as where the loss has no second derivatives.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..data.epochs import MinibatchPlan, SAGAMemory

Vector = NDArray[np.float64]


class Objective(Protocol):
    """A function to minimise and its gradient: all that L-BFGS needs."""

    @property
    def n_params(self) -> int:
        """Length of the flat vector."""

    @property
    def convex(self) -> bool:
        """Whether it is a convex function."""

    @property
    def smooth(self) -> bool:
        """Whether it has a gradient everywhere; where it has kinks, small gradients are no evidence of the minimum."""

    def lacks(self, contract: type) -> str | None:
        """Return why a contract is not met although its members are there, or None if it is.

        Parameters
        ----------
        contract : type
            One of the protocols of this module.

        Returns
        -------
        reason : str or None
            A clause that an error message begins with, as ``"FocalLoss(gamma=2.0) has no Hessian"``.
        """

    def value_and_gradient(self, params: Vector) -> tuple[float, Vector]:
        """Return the value and the gradient, a new array of shape (n_params,)."""

    def gradient_norm(self, gradient: Vector) -> float:
        """Return the largest absolute component of a gradient, in the units in which tolerances are meant."""

    def value_noise(self, value: float) -> float:
        """Return the rounding error that a computed value of this size may have."""

    def project_out_shift(self, vector: Vector) -> None:
        """Project vector, in place, onto the complement of the directions along which the loss is constant.

        For a softmax these are the shifts of all classes by the same coefficients: the mean over classes is subtracted. Nothing
        is done where there are none.
        """


class Differentiable(Objective, Protocol):
    """An objective without a part that only a proximal operator can step along; its loss may have kinks, where a subgradient is
    the gradient.
    """


class HasHessian(Differentiable, Protocol):
    """An objective with second derivatives."""

    @property
    def strictly_convex(self) -> bool:
        """Whether the second derivatives of the loss vanish nowhere."""

    def hessian_product(self, params: Vector, direction: Vector) -> Vector:
        """Return the Hessian at params times direction, of shape (n_params,)."""

    def hessian_diagonal(self, params: Vector) -> Vector:
        """Return the diagonal of the Hessian at params, or of a non-negative model of it, of shape (n_params,)."""

    def hessian(self, params: Vector) -> NDArray[np.float64]:
        """Return the Hessian at params, of shape (n_params, n_params), which the caller may overwrite."""

    def regularise_null_space(self, hessian: NDArray[np.float64]) -> None:
        """Add curvature, in place, along the directions that ``project_out_shift`` removes.

        The factorisation then exists in floating point. Newton steps do not change.
        """


class Preconditioner(Protocol):
    """A symmetric positive definite approximation of the inverse Hessian at a point."""

    @property
    def is_costly(self) -> bool:
        """Whether making it anew costs many evaluations of the objective."""

    def __call__(self, vector: Vector) -> Vector:
        """Return the product with vector, a new array of shape (n_params,)."""


class HasPreconditioner(Differentiable, Protocol):
    """An objective with a positive definite model of its Hessian that can be inverted; it need not be convex."""

    def preconditioner(self, params: Vector, *, max_bytes: int, n_made: int = 0) -> Preconditioner:
        """Return the inverse of the model at params.

        Parameters
        ----------
        params : ndarray of shape (n_params,), float64
        max_bytes : int
            Most memory for matrices; a coarser model takes their place where they would need more.
        n_made : int, default=0
            How many were made before in this solve: the first ones may be made from a sample of the rows.
        """

    def longest_step(self, params: Vector, direction: Vector) -> float:
        """Return the share of a step, in (0, 1], over which the model may be trusted."""


class HasProx(Objective, Protocol):
    """A smooth function plus a penalty that has kinks and a proximal operator."""

    def smooth_value_and_gradient(self, params: Vector) -> tuple[float, Vector]:
        """Return value and gradient without the penalty that ``prox`` is of."""

    def prox(self, params: Vector, step: float) -> Vector:
        """Return the minimiser v of ``penalty(v) + |v - params|² / (2 step)``, a new array of shape (n_params,)."""


class HasDual(Objective, Protocol):
    """An objective with a lower bound of its minimum."""

    def duality_gap(self, params: Vector) -> float:
        """Return a bound on how far the value at params is above the minimum, in nats; inf where nothing is known."""


class FiniteSum(Differentiable, Protocol):
    """A mean of losses of rows plus a penalty: what steps from single rows and minibatches need."""

    @property
    def n_rows(self) -> int:
        """Rows, those without weight included."""

    @property
    def n_logits(self) -> int:
        """Logits of a row."""

    @property
    def n_coef(self) -> int:
        """Penalised parameters, which come first in the flat vector."""

    @property
    def l2_strength(self) -> float:
        """λ such that the gradient of the penalty is λ · coef."""

    @property
    def lipschitz_constant(self) -> float:
        """A bound on the second derivatives of one row's loss, scaled as an estimate of the sum; inf if unknown."""

    def penalty_value(self, params: Vector) -> float:
        """Return what the penalty adds to the mean loss at params."""

    def random_start(self, scale: float) -> Vector:
        """Return parameters whose coefficients are drawn from N(0, scale²), of shape (n_params,)."""

    def shuffled_rows(self) -> NDArray[np.int64]:
        """Return the rows that have weight in random order, each once."""

    def sgd_epoch(self, order: NDArray[np.int64], plan: MinibatchPlan) -> float:
        """Make an epoch of minibatch updates over the rows of order, in place.

        Return the mean loss, each row's before the step that it belongs to.
        """

    def saga_epoch(self, order: NDArray[np.int64], rate: float, memory: SAGAMemory) -> float:
        """Make an epoch of SAGA over the rows of order, in place; return the mean loss, each row's before its step."""

    def change_of_proba(self, params: Vector, step: Vector) -> float:
        """Return the most by which a step from params changes a probability of a row."""
