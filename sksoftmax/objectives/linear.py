r"""The objective of a linear model: a loss and a penalty summed over a data set, as a function of one flat vector.

.. math:: F(\text{params}) = \sum_i w_i \, \ell(y_i, x_i W^\top + b) + \alpha \, P(W), \qquad \sum_i w_i = 1

What lives here: the sum, its gradient, Hessian products and Hessian. What doesn't: any particular loss, penalty or solver,
where the rows are (``data``), how coefficients and intercept sit in a vector (``_layout``).

Each row block is scored, its loss gradient taken and projected back while it is in cache: X is read from memory once an
evaluation and no array of (n_rows, n_logits) exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import daxpy

from ..data.dataset import Dataset, InMemoryDataset
from ..data.epochs import MinibatchPlan, SAGAMemory
from ..data.rows import LinearParams
from ..data.terms import HessianProduct, ModelDiagonal, ValueAndGradient
from ..data.threads import Item
from ..kernels import rowwise as rowwise_kernels
from ..losses import BoundLoss
from ..penalties import Penalty
from ._contracts import Differentiable, FiniteSum, HasHessian, Preconditioner
from ._layout import Layout
from .class_blocks import ClassBlocks
from .duality_gap import linear_duality_gap
from .hessian import add_hessian
from .preconditioner import BlockPreconditioner, DiagonalPreconditioner

Vector = NDArray[np.float64]


class LinearObjective:
    """Loss plus penalty over a data set; see the module's formula.

    Parameters
    ----------
    data : Dataset
    loss : BoundLoss
        Joined to the classes of the data.
    penalty : Penalty
    alpha : float
        Strength of the penalty against the mean loss, ≥ 0.
    fit_intercept : bool
    random_state : RandomState or None
        Shuffles rows and draws starts; None is one of seed 0.

    Attributes
    ----------
    unit_norm : bool
        Whether weights have unit length, as the loss has it.
    """

    unit_norm = False

    def __init__(
        self,
        data: Dataset,
        loss: BoundLoss,
        penalty: Penalty,
        alpha: float,
        *,
        fit_intercept: bool,
        random_state: np.random.RandomState | None = None,
    ) -> None:
        if loss.unit_norm != self.unit_norm:
            raise TypeError(f"{type(self).__name__} is not made for a loss with unit_norm={loss.unit_norm}.")
        self.data, self.loss = data, loss
        self._penalty, self._alpha = penalty, alpha
        self._random_state = np.random.RandomState(0) if random_state is None else random_state
        self._fit_intercept = fit_intercept
        self.layout = Layout(loss.n_logits, data.n_features, class_major=data.class_major, fit_intercept=fit_intercept)
        self.n_rows, self.n_logits = data.n_rows, loss.n_logits
        self.n_coef, self.n_params = self.layout.n_coef, self.layout.n_params
        self._made_class_blocks: ClassBlocks | None = None  # when first asked for

    @property
    def in_memory(self) -> InMemoryDataset:
        """The data set, for what needs its rows here.

        Raises
        ------
        TypeError
            They are elsewhere.
        """
        if not isinstance(self.data, InMemoryDataset):
            raise TypeError(f"The rows of {type(self.data).__name__} are not in memory.")
        return self.data

    def value_noise(self, value: float) -> float:
        """Return how far the computed objective may be from the true one near value, for line searches and stopping."""
        return (1 if self.data.dtype == np.float32 else 8) * float(np.finfo(self.data.dtype).eps) * abs(value)

    # -- the flat vector -----------------------------------------------------------------------------------------

    def pack(self, coef: NDArray, intercept: NDArray) -> Vector:
        """Return the flat vector of coef (n_logits, columns of X) and intercept (n_logits,)."""
        return self.layout.join(self.data.reduce(coef), intercept)

    def unpack(self, params: NDArray) -> tuple[NDArray, NDArray]:
        """Return coef (n_logits, columns of X) and intercept (n_logits,) as new C-contiguous arrays of X's dtype."""
        coef, intercept = self.layout.by_logit(params)
        return np.array(self.data.expand(coef), dtype=self.data.dtype, order="C"), np.array(intercept, dtype=self.data.dtype)

    def _kernel_params(self, params: NDArray) -> LinearParams:
        """Return coefficients and intercept as the rows' kernels take them, of the rows' dtype."""
        coef, intercept = self.layout.for_kernels(params)
        return coef.astype(self.data.dtype, copy=False), intercept.astype(self.data.dtype, copy=False)

    # -- sums over rows ------------------------------------------------------------------------------------------

    def value_and_gradient(self, params: Vector) -> tuple[float, Vector]:
        """Return F(params) and its gradient, of params' shape; the gradient is that of the smooth part where F has another."""
        value, gradient = self.smooth_value_and_gradient(params)
        return value if self._penalty.is_smooth else value + self._rest_of_penalty(params), gradient

    def smooth_value_and_gradient(self, params: Vector) -> tuple[float, Vector]:
        """Return the smooth part of F, all but what ``prox`` is of, and its gradient."""
        value, gradient = self.data.sum(ValueAndGradient(), self.loss, self.layout.for_kernels(params))
        gradient = gradient[: self.n_params]
        if self._alpha > 0:
            weights = params[: self.n_coef]
            value += self._alpha * self._penalty.smooth_value(weights)
            # In place: with many features times classes, a temporary here costs as much as the rows.
            daxpy(self._penalty.gradient(weights), gradient, n=self.n_coef, a=self._alpha)
        return value, gradient

    def _rest_of_penalty(self, params: Vector) -> float:
        weights = params[: self.n_coef]
        return self._alpha * (self._penalty.value(weights) - self._penalty.smooth_value(weights))

    def prox(self, params: Vector, step: float) -> Vector:
        """Return the proximal map of the part of the penalty that is not smooth, at a step; the intercept stays."""
        moved = params.copy()
        moved[: self.n_coef] = self._penalty.prox(params[: self.n_coef], self._alpha * step)
        return moved

    def gradient_norm(self, gradient: Vector) -> float:
        """Return the largest absolute component of a gradient, in the coordinates of X's columns."""
        coef, intercept = self.layout.for_kernels(gradient)
        coef = self.data.expand(coef)
        return float(max(np.max(np.abs(coef)), np.max(np.abs(intercept))))

    def hessian_product(self, params: Vector, direction: Vector) -> Vector:
        """Return the Hessian at params times direction."""
        term = HessianProduct(self.layout.for_kernels(direction))
        product = self.data.sum(term, self.loss, self.layout.for_kernels(params))[1][: self.n_params]
        if self._alpha > 0:
            product[: self.n_coef] += self._alpha * self._penalty.hessian_product(direction[: self.n_coef])
        return product

    def hessian_diagonal(self, params: Vector) -> Vector:
        """Return the diagonal of the Hessian at params, of the loss's model."""
        diagonal = self.data.sum(ModelDiagonal(), self.loss, self.layout.for_kernels(params))[1][: self.n_params]
        if self._alpha > 0:
            diagonal[: self.n_coef] += self._alpha * self._penalty.hessian_diagonal(self.n_coef)
        return diagonal

    def hessian(self, params: Vector) -> Vector:
        """Return the Hessian at params, of shape (n_params, n_params): n_params² float64 numbers."""
        hessian = np.zeros((self.n_params, self.n_params))
        add_hessian(
            self.in_memory,
            self.loss,
            self._kernel_params(params),
            positions=self.layout.positions(),
            fit_intercept=self._fit_intercept,
            hessian=hessian,
        )
        if self._alpha > 0:
            diagonal = np.arange(self.n_coef)
            hessian[diagonal, diagonal] += self._alpha * self._penalty.hessian_diagonal(self.n_coef)
        return hessian

    def separates_classes(self, params: Vector) -> bool:
        """Return whether params separate the classes where the loss then vanishes: without a penalty it has no minimum."""
        kernel_params = self._kernel_params(params)
        return all(
            self.loss.is_separated_by(self.in_memory.score(kernel_params, start, stop), self.in_memory.targets[start:stop])
            for start, stop in self.in_memory.blocks(self.n_logits)
        )

    def has_no_minimum(self, params: Vector) -> bool:
        """Return whether there is no minimum: nothing is penalised and params separate the classes."""
        return self._alpha == 0 and self.separates_classes(params)

    def change_of_proba(self, params: Vector, step: Vector) -> float:
        """Return the most by which a step from params changes the softmax of a row's logits."""
        here, there = self._kernel_params(params), self._kernel_params(params + step)
        return max(
            float(np.max(np.abs(self._softmax(there, start, stop) - self._softmax(here, start, stop))))
            for start, stop in self.in_memory.blocks(self.n_logits)
        )

    def _softmax(self, kernel_params: LinearParams, start: int, stop: int) -> NDArray:
        logits = self.in_memory.score(kernel_params, start, stop)
        if self.n_logits == 1:
            logits = np.column_stack([np.zeros_like(logits), logits])
        rowwise_kernels.softmax(logits, len(logits))
        return logits

    def duality_gap(self, params: Vector) -> float:
        """Return a bound on how far the objective at params is above its minimum, in nats a row; inf where nothing is known.

        That is without a penalty on every coefficient, of a loss that is not convex, or where it would cost too much memory.
        """
        if not (self._penalty.is_quadratic and isinstance(self.data, InMemoryDataset)):
            return np.inf
        return linear_duality_gap(self, self._alpha * self._penalty.hessian_diagonal(self.n_coef), params)

    # -- minibatches ---------------------------------------------------------------------------------------------

    @property
    def l2_strength(self) -> float:
        """λ such that the gradient of the penalty is λ · coef."""
        return self._alpha * self._penalty.l2_strength

    @property
    def n_weighted_rows(self) -> int:
        """Number of rows that have weight."""
        return self.in_memory.n_weighted_rows

    @property
    def lipschitz_constant(self) -> float:
        """A bound on the second derivatives of one row's loss, as an estimate of the sum, along any direction of params."""
        bound = self.loss.lipschitz_constant
        return float(bound * self.in_memory.largest_row_weight(self._fit_intercept) * self.n_weighted_rows)

    def penalty_value(self, params: Vector) -> float:
        """Return what the penalty adds to the mean loss at params."""
        return self._alpha * self._penalty.value(params[: self.n_coef]) if self._alpha > 0 else 0.0

    def random_start(self, scale: float) -> Vector:
        """Return parameters whose coefficients are drawn from N(0, scale²), the same ones for dense and sparse rows."""
        coef = self._random_state.normal(scale=scale, size=(self.n_logits, self.data.n_features))
        return self.pack(coef, np.zeros(self.n_logits))

    def from_other_layout(self, vector: Vector) -> Vector:
        """Return a copy of a flat vector of an objective over rows of the other kind, dense or sparse, in this one's order."""
        return self.layout.from_other(vector)

    def shuffled_rows(self) -> NDArray[np.int64]:
        """Return the rows that have weight in random order, each once."""
        return self._random_state.permutation(self.in_memory.weighted_rows).astype(np.int64, copy=False)

    def sgd_epoch(self, order: NDArray[np.int64], plan: MinibatchPlan) -> float:
        """Run one epoch of minibatch updates over order; return the mean loss, each row's taken before its own step."""
        return self.in_memory.sgd_epoch(self.loss, order, plan)

    def saga_epoch(self, order: NDArray[np.int64], rate: float, memory: SAGAMemory) -> float:
        """Run one epoch of SAGA over order; return the mean loss, each row's taken before its own step."""
        return self.in_memory.saga_epoch(self.loss, order, rate, self.l2_strength, memory)

    # -- properties of the loss ------------------------------------------------------------------------------------

    @property
    def convex(self) -> bool:
        """Whether the objective is convex."""
        return self.loss.convex

    @property
    def has_hessian(self) -> bool:
        """Whether the loss has second derivatives."""
        return self.loss.has_hessian

    @property
    def smooth(self) -> bool:
        """Whether loss and penalty have no kinks: a convex loss that has is the only one without second derivatives."""
        return self._penalty.is_smooth and (self.loss.has_hessian or not self.loss.convex)

    @property
    def strictly_convex(self) -> bool:
        """Whether the loss's second derivatives vanish nowhere."""
        return self.loss.strictly_convex

    def lacks(self, contract: type) -> str | None:
        """Return why a contract is not met although its methods are there, as the loss and the penalty have it, or None."""
        if contract is Differentiable and not self._penalty.is_smooth:
            return f"{type(self._penalty).__name__} has kinks"
        if contract in (HasHessian, FiniteSum) and not isinstance(self.data, InMemoryDataset):
            return f"data that are not in memory have no {'Hessian' if contract is HasHessian else 'minibatches'}"
        if contract is HasHessian and not self.has_hessian:
            return f"{self.loss.loss!r} has no Hessian"
        if contract is FiniteSum and self.loss.kernels is None:
            return f"{self.loss.loss!r} has no kernel for steps from single rows"
        if contract is FiniteSum and not self._penalty.commutes_with_class_mean:
            return f"{type(self._penalty).__name__} does not shrink all coefficients alike, as stochastic solvers need"
        return None

    # -- the Hessian's class blocks --------------------------------------------------------------------------------

    @property
    def shift_invariant(self) -> bool:
        """Whether adding one vector to every class's parameters leaves the loss as it is, and their mean is best zero."""
        return self.loss.shift_invariant and (self._alpha == 0 or self._penalty.commutes_with_class_mean)

    @property
    def _class_blocks(self) -> ClassBlocks:
        # Not a cached_property, which in Python 3.11 has one lock for all fits of the process: a fork might inherit it taken.
        if self._made_class_blocks is None:
            self._made_class_blocks = ClassBlocks(self.in_memory, self.loss, fit_intercept=self._fit_intercept)
        return self._made_class_blocks

    @property
    def block_size(self) -> int:
        """Order of the class blocks: the block columns (all, if the rows are dense) and the intercept."""
        return self._class_blocks.width

    @property
    def covers_all_columns(self) -> bool:
        """Whether no column is left out of the block columns."""
        return len(self._class_blocks.columns) == self.data.n_features

    @property
    def stride(self) -> int:
        """The largest stride of a sample of rows that is worth making class blocks from."""
        return self._class_blocks.stride

    def class_blocks(self, params: Vector, *, shared: bool = False, stride: int = 1) -> Vector:
        """Return the diagonal blocks of the Hessian at params, about, as ``ClassBlocks.blocks`` has them."""
        blocks = self._class_blocks.blocks(*self._kernel_params(params), shared=shared, stride=stride)
        if self._alpha > 0:
            diagonal = np.arange(len(self._class_blocks.columns))
            penalised = self._penalty_diagonal()
            blocks[:, diagonal, diagonal] += penalised.mean(axis=0) if shared else penalised
        return blocks

    def class_diagonals(self, params: Vector, basis: Vector) -> Vector:
        """Return the curvature at params along the columns v of basis, (block_size, m), for each class: (n_logits, m)."""
        diagonals = self._class_blocks.diagonals(*self._kernel_params(params), basis)
        if self._alpha > 0:
            diagonals += self._penalty_diagonal() @ basis[: len(self._class_blocks.columns)] ** 2
        return diagonals

    def _penalty_diagonal(self) -> Vector:
        """Return the penalty's curvature by the coefficients of the block columns, (n_logits, block columns)."""
        diagonal = np.zeros(self.n_params)
        diagonal[: self.n_coef] = self._alpha * self._penalty.hessian_diagonal(self.n_coef)
        return self.gather_blocks(diagonal)[:, : len(self._class_blocks.columns)]

    def gather_blocks(self, vector: Vector) -> Vector:
        """Return the entries of vector for the block columns and the intercept, (n_logits, block_size)."""
        coef, intercept = self.layout.by_logit(vector)
        if not self.covers_all_columns:
            coef = coef[:, self._class_blocks.columns]
        return np.column_stack([coef, intercept]) if self._fit_intercept else np.ascontiguousarray(coef)

    def scatter_blocks(self, vector: Vector, blocks: Vector) -> None:
        """Write blocks, as ``gather_blocks`` returns them, into vector."""
        columns = self._class_blocks.columns if not self.covers_all_columns else slice(None)
        coef, intercept = self.layout.by_logit(vector)
        coef[:, columns] = blocks[:, : len(self._class_blocks.columns)]
        if self._fit_intercept:
            intercept[:] = blocks[:, -1]

    def project_out_shift(self, vector: Vector) -> None:
        """Project vector onto the complement of the softmax's null space: subtract its mean over the classes.

        Nothing is done unless the objective is shift invariant.
        """
        if self.shift_invariant:
            self.layout.subtract_class_mean(vector)

    def preconditioner(self, params: Vector, *, max_bytes: int, n_made: int = 0) -> Preconditioner:
        """Return the inverse of the class blocks at params, or of the diagonal where the rows are not in memory."""
        if not isinstance(self.data, InMemoryDataset):
            return DiagonalPreconditioner(self, params)
        return BlockPreconditioner(self, params, max_bytes=max_bytes, n_made=n_made)

    def longest_step(self, params: Vector, direction: Vector) -> float:
        """Return the share of a step, at most one, over which a quadratic model may be trusted."""
        return 1.0

    def parallel_for(self, function: Callable[[Item], None], items: Iterable[Item]) -> None:
        """Call function on each of items, in the data set's threads."""
        self.in_memory.parallel_for(function, items)

    def regularise_null_space(self, hessian: Vector) -> None:
        """Add curvature along the null space, a common shift of all classes: a Cholesky factor then exists in floating point.

        Newton steps do not change: the gradient is orthogonal to such shifts, and so is the penalty's where the parameters
        have no mean over the classes (``project_out_shift``). The penalty's own curvature along the shifts, which may be 1e-2
        beside 1e16 of large columns, would be lost in rounding.
        """
        if not self.shift_invariant:
            return
        positions = self.layout.positions()
        curvature = hessian[positions, positions].mean(axis=0) / self.n_logits
        hessian[positions[:, None], positions[None]] += curvature
