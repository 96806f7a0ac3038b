"""The objective of a linear model, as solvers ask for it.

What lives here: ``LinearObjective``, which adds to the sums over rows (``_linear_sums``) what solvers need besides:
minibatches, preconditioners, a duality gap. What doesn't: any particular loss, penalty or solver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import Dataset, InMemoryDataset
from ..data.epochs import MinibatchPlan, SAGAMemory
from ..data.threads import Item
from ..losses import BoundLoss
from ..penalties import Penalty
from ._contracts import Differentiable, FiniteSum, HasHessian, Preconditioner
from ._linear_sums import LinearSums
from .class_blocks import ClassBlocks
from .duality_gap import linear_duality_gap
from .preconditioner import BlockPreconditioner, DiagonalPreconditioner

Vector = NDArray[np.float64]


class LinearObjective(LinearSums):
    """Loss plus penalty over a data set, with all that solvers ask for.

    Parameters
    ----------
    data, loss, penalty, alpha, fit_intercept
        As ``LinearSums`` has them.
    random_state : RandomState or None
        Shuffles rows and draws starts; None is one of seed 0.
    """

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
        super().__init__(data, loss, penalty, alpha, fit_intercept=fit_intercept)
        self._random_state = np.random.RandomState(0) if random_state is None else random_state
        self._made_class_blocks: ClassBlocks | None = None  # when first asked for

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

    # -- the Hessian's class blocks --------------------------------------------------------------------------------

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
        return self._class_blocks.covers_all

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
