r"""The objective: a loss and a penalty summed over row blocks, as a function of one flat vector.

.. math:: F(\text{params}) = \sum_i w_i \, \ell(y_i, x_i W^\top + b) + \alpha \, P(W), \qquad \sum_i w_i = 1

What lives here: the sum, its gradient, Hessian products and Hessian, and the one place that knows how coefficients and
intercept sit in a vector. What doesn't: any particular loss, penalty or solver.

Each row block is scored, its loss gradient taken and projected back while it is in cache: X is read from memory once an
evaluation and no array of (n_rows, n_logits) exists.

Conventions
-----------
``params`` is float64: the coefficients in the order that the rows' kernels read them ((n_logits, n_features) for dense rows,
its transpose for CSR rows), then the intercept if there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import daxpy

from ..data.rows import LinearParams, MinibatchPlan, RowBlocks, SAGAMemory, Segment
from ..data.threads import Item, map_in_order
from ..kernels import losses as losses_kernels
from ..kernels import rowwise as rowwise_kernels
from ..losses import BoundLoss
from ..penalties import Penalty
from .class_blocks import ClassBlocks, add_narrow_blocks, add_wide_blocks, design_matrix
from .duality_gap import best_shift

# Rows per step of the dense Hessian: long enough for BLAS, short enough to be a small temporary.
HESSIAN_ROWS = 1024
# Numbers per step: temporaries stay small beside X.
BLOCKS_NUMBERS = 2**21
# Features from which one block of it is worth handing to a thread.
HESSIAN_FEATURES = 32
# Logits kept for the exact intercept of a certificate, and their pairs: beyond, there is none.
KEPT_LOGITS, KEPT_PAIRS = 2**20, 2**31


class LinearObjective:
    """Loss plus penalty over row blocks; see the module's formula.

    Parameters
    ----------
    rows : RowBlocks
    loss : BoundLoss
        Joined to targets and weights of the same rows.
    penalty : Penalty
    alpha : float
        Strength of the penalty against the mean loss, ≥ 0.
    fit_intercept : bool
    pool : executor or None
        Threads to map over segments of the rows.
    n_threads : int
    random_state : RandomState or None
        What samples rows and draws starts; None is one of seed 0.

    Attributes
    ----------
    unit_norm : bool
        Whether weights have unit length, as the loss has it.
    """

    unit_norm = False

    def __init__(
        self,
        rows: RowBlocks,
        loss: BoundLoss,
        penalty: Penalty,
        alpha: float,
        *,
        fit_intercept: bool,
        pool: ThreadPoolExecutor | None = None,
        n_threads: int = 1,
        random_state: np.random.RandomState | None = None,
    ) -> None:
        if loss.unit_norm != self.unit_norm:
            raise TypeError(f"{type(self).__name__} is not made for a loss with unit_norm={loss.unit_norm}.")
        self._rows = rows
        self._random_state = np.random.RandomState(0) if random_state is None else random_state
        self._loss = loss
        self._penalty = penalty
        self._alpha = alpha
        self._fit_intercept = fit_intercept
        self.n_rows = rows.n_rows
        self.n_logits = loss.n_logits
        self.n_coef = loss.n_logits * rows.n_features
        self.n_params = self.n_coef + fit_intercept * loss.n_logits
        self._segments = rows.segments(loss.n_logits, per_segment=self.n_coef)
        self._n_threads = n_threads
        self._pool = pool if len(self._segments) > 1 else None
        self._given_pool = pool
        self._made_curvature: ClassBlocks | None = None  # when first asked for
        self._spare: list[NDArray[np.float64]] = []  # partial gradients, kept between evaluations

    def value_noise(self, value: float) -> float:
        """Return how far the computed objective may be from the true one near value, for line searches and stopping."""
        return (1 if self._rows.dtype == np.float32 else 8) * float(np.finfo(self._rows.dtype).eps) * abs(value)

    # -- the flat vector -----------------------------------------------------------------------------------------

    def pack(self, coef: NDArray, intercept: NDArray) -> NDArray[np.float64]:
        """Return the flat vector of coef (n_logits, columns of X) and intercept (n_logits,)."""
        coef = self._rows.reduce(coef)
        coef = coef if self._rows.class_major else coef.T
        params = np.empty(self.n_params)
        params[: self.n_coef] = np.ravel(coef)
        if self._fit_intercept:
            params[self.n_coef :] = intercept
        return params

    def unpack(self, params: NDArray) -> tuple[NDArray, NDArray]:
        """Return coef (n_logits, columns of X) and intercept (n_logits,) as new C-contiguous arrays of X's dtype."""
        coef, intercept = self._split(params)
        coef = self._rows.expand(coef if self._rows.class_major else coef.T)
        return np.array(coef, dtype=self._rows.dtype, order="C"), np.array(intercept, dtype=self._rows.dtype)

    def _split(self, params: NDArray) -> tuple[NDArray, NDArray]:
        """Return coefficients as the rows' kernels take them, and intercept (zeros if there is none)."""
        coef = params[: self.n_coef].reshape((self.n_logits, -1) if self._rows.class_major else (-1, self.n_logits))
        return coef, params[self.n_coef :] if self._fit_intercept else np.zeros(self.n_logits)

    def _kernel_params(self, params: NDArray) -> tuple[NDArray, NDArray]:
        coef, intercept = self._split(params)
        return coef.astype(self._rows.dtype, copy=False), intercept.astype(self._rows.dtype, copy=False)

    # -- sums over rows ------------------------------------------------------------------------------------------

    def value_and_gradient(self, params: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return F(params) and its gradient, of params' shape."""
        coef, intercept = self._kernel_params(params)

        def add(segment: Segment, out: LinearParams) -> float:
            return self._rows.sum_loss(self._loss.arguments, coef, intercept, segment, out)

        value, gradient = self._sum(add)
        if self._alpha > 0:
            weights = params[: self.n_coef]
            value += self._alpha * self._penalty.value(weights)
            # In place: with many features times classes, a temporary here costs as much as the rows.
            daxpy(self._penalty.gradient(weights), gradient, n=self.n_coef, a=self._alpha)
        return value, gradient

    def gradient_norm(self, gradient: NDArray[np.float64]) -> float:
        """Return the largest absolute component of a gradient, in the coordinates of X's columns."""
        coef, intercept = self._split(gradient)
        coef = self._rows.expand(coef)
        return float(max(np.max(np.abs(coef)), np.max(np.abs(intercept))))

    def hessian_product(self, params: NDArray[np.float64], direction: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the Hessian at params times direction."""
        coef, intercept = self._kernel_params(params)
        kernel_direction = self._kernel_params(direction)

        def add(segment: Segment, out: LinearParams) -> float:
            self._rows.sum_hessian_product(self._loss.arguments, coef, intercept, kernel_direction, segment, out)
            return 0.0

        _, product = self._sum(add)
        if self._alpha > 0:
            product[: self.n_coef] += self._alpha * self._penalty.hessian_product(direction[: self.n_coef])
        return product

    def _sum(self, add: Callable[[Segment, LinearParams], float]) -> tuple[float, NDArray[np.float64]]:
        """Return the sums over segments of what add returns and of what it adds to a gradient, in segment order."""
        shape = (self.n_logits, -1) if self._rows.class_major else (-1, self.n_logits)

        def segment_sum(segment: Segment) -> tuple[float, NDArray[np.float64]]:
            try:
                sums = self._spare.pop()
                sums.fill(0)
            except IndexError:
                sums = np.zeros(self.n_coef + self.n_logits)
            return add(segment, (sums[: self.n_coef].reshape(shape), sums[self.n_coef :])), sums

        partials = map_in_order(self._pool, self._n_threads, segment_sum, self._segments)
        value, total = next(partials)
        for other_value, other in partials:
            value += other_value
            total += other
            self._spare.append(other)
        return value, total[: self.n_params]

    def separates_classes(self, params: NDArray[np.float64]) -> bool:
        """Return whether params separate the classes where the loss then vanishes: without a penalty it has no minimum."""
        coef, intercept = self._kernel_params(params)
        logits = self._rows.block(self.n_logits)
        for start in range(0, self._rows.n_rows, len(logits)):
            stop = min(start + len(logits), self._rows.n_rows)
            self._rows.score(coef, intercept, start, stop, logits)
            if not self._loss.is_separated_by(logits[: stop - start], start, stop):
                return False
        return True

    def change_of_proba(self, params: NDArray[np.float64], step: NDArray[np.float64]) -> float:
        """Return the most by which a step from params changes the softmax of a row's logits."""
        here, there = self._kernel_params(params), self._kernel_params(params + step)
        n_rows = len(self._rows.block(self.n_logits))
        most = 0.0
        for start in range(0, self._rows.n_rows, n_rows):
            stop = min(start + n_rows, self._rows.n_rows)
            most = max(most, float(np.max(np.abs(self._softmax(there, start, stop) - self._softmax(here, start, stop)))))
        return most

    def _softmax(self, kernel_params: tuple[NDArray, NDArray], start: int, stop: int) -> NDArray:
        logits = np.zeros((stop - start, self.n_logits), dtype=self._rows.dtype)
        self._rows.score(*kernel_params, start, stop, logits)
        if self.n_logits == 1:
            logits = np.column_stack([np.zeros_like(logits), logits])
        rowwise_kernels.softmax(logits, len(logits))
        return logits

    def duality_gap(self, params: NDArray[np.float64]) -> float:
        """Return a bound on how far the objective at params is above its minimum, in nats a row; see ``duality_gap``.

        It is inf where nothing is known: without a penalty on every coefficient, of a loss that is not convex, or where it
        would cost too much memory. It is that of a point with the best intercept for these coefficients, to which what the
        given intercept costs is added.
        """
        n_pairs = self.n_logits * (self.n_logits + 1) // 2
        too_large = (
            self.n_rows * self.n_logits > max(KEPT_LOGITS, self._rows.n_stored // 16) or self.n_rows * n_pairs > KEPT_PAIRS
        )
        if not self.convex or self._alpha == 0 or (self._fit_intercept and (too_large or not self.has_hessian)):
            return np.inf
        strength = self._alpha * self._penalty.hessian_diagonal(self.n_coef)
        if not np.all(strength > 0):
            return np.inf
        value, gradient = self.value_and_gradient(params)
        lower = 0.0
        if self._fit_intercept:
            params = params.copy()
            params[self.n_coef :] += self._best_shift(params)
            best, gradient = self.value_and_gradient(params)
            lower = max(value - best, 0.0)
        coef = gradient[: self.n_coef]
        # What is left of the gradient by the intercept bounds the minimum only within its distance to the best one.
        left = float(np.abs(gradient[self.n_coef :]).sum() * (1 + np.abs(params[self.n_coef :]).max(initial=0.0)))
        with np.errstate(over="ignore"):
            return 0.5 * float(np.sum(np.square(coef / np.sqrt(strength)))) + lower + (left if left > 1e-10 else 0.0)

    def _best_shift(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the change of the intercept that makes the loss least for the coefficients of params."""
        coef, intercept = self._kernel_params(params)
        logits = np.empty((self.n_rows, self.n_logits))
        for start in range(0, self.n_rows, HESSIAN_ROWS):
            stop = min(start + HESSIAN_ROWS, self.n_rows)
            part = np.empty((stop - start, self.n_logits), dtype=self._rows.dtype)
            self._rows.score(coef, intercept, start, stop, part)
            logits[start:stop] = part
        number, labels, *_, weight, parameters = self._loss.arguments
        lower = np.tril_indices(self.n_logits)
        n_rows = int(np.clip(BLOCKS_NUMBERS // len(lower[0]), 64, HESSIAN_ROWS))

        def value_and_derivatives(shift: NDArray) -> tuple[float, NDArray, NDArray]:
            value, gradient, pairs = 0.0, np.zeros(self.n_logits), np.zeros(len(lower[0]))
            for start in range(0, self.n_rows, n_rows):
                stop = min(start + n_rows, self.n_rows)
                part = logits[start:stop] + shift
                pair_weight = np.empty((len(pairs), stop - start))
                losses_kernels.curvatures(number, labels, parameters, weight, start, stop, part.copy(), pair_weight)
                pairs += pair_weight.sum(axis=1)
                value += losses_kernels.loss_block(*self._loss.arguments, start, stop, part, np.empty(stop - start))
                gradient += part.sum(axis=0)
            hessian = np.empty((self.n_logits, self.n_logits))
            hessian[lower] = hessian.T[lower] = pairs
            return value, gradient, hessian

        return best_shift(value_and_derivatives, self.n_logits)

    # -- minibatches ---------------------------------------------------------------------------------------------

    @property
    def l2_strength(self) -> float:
        """What the gradient of the penalty is the coefficients times."""
        return self._alpha * self._penalty.l2_strength

    @property
    def n_weighted_rows(self) -> int:
        """Number of rows that have weight."""
        return int(np.count_nonzero(self._loss.weight))

    @property
    def lipschitz_constant(self) -> float:
        """A bound on the second derivatives of one row's loss, as an estimate of the sum, along any direction of params."""
        norms = self._rows.squared_norms() + self._fit_intercept
        return float(self._loss.lipschitz_constant * np.max(norms * self._loss.weight) * self.n_weighted_rows)

    def penalty_value(self, params: NDArray[np.float64]) -> float:
        """Return what the penalty adds to the mean loss at params."""
        return self._alpha * self._penalty.value(params[: self.n_coef]) if self._alpha > 0 else 0.0

    def random_start(self, scale: float) -> NDArray[np.float64]:
        """Return parameters whose coefficients are drawn from N(0, scale²), the same ones for dense and sparse rows."""
        coef = self._random_state.normal(scale=scale, size=(self.n_logits, self._rows.n_features))
        return self.pack(coef, np.zeros(self.n_logits))

    def from_other_layout(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a copy of a flat vector of an objective over rows of the other kind, dense or sparse, in this one's order."""
        shape = (-1, self.n_logits) if self._rows.class_major else (self.n_logits, -1)
        return np.concatenate([vector[: self.n_coef].reshape(shape).T.ravel(), vector[self.n_coef :]])

    def shuffled_rows(self) -> NDArray[np.int64]:
        """Return the rows that have weight in random order, each once."""
        return self._random_state.permutation(np.flatnonzero(self._loss.weight)).astype(np.int64, copy=False)

    def sgd_epoch(self, order: NDArray[np.int64], plan: MinibatchPlan) -> float:
        """Pass once over the rows of order in minibatches, as ``RowBlocks.sgd_epoch`` does; return their loss as met."""
        return float(self._rows.sgd_epoch(self._loss.arguments, order, plan, self._given_pool))

    def saga_epoch(self, order: NDArray[np.int64], rate: float, memory: SAGAMemory) -> float:
        """Pass once over the rows of order by SAGA, as ``RowBlocks.saga_epoch`` does; return their loss as met."""
        return float(self._rows.saga_epoch(self._loss.arguments, order, rate, self.l2_strength, memory))

    # -- the Hessian ---------------------------------------------------------------------------------------------

    def hessian(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the Hessian at params, of shape (n_params, n_params): n_params² float64 numbers."""
        coef, intercept = self._kernel_params(params)
        number, labels, _, _, weight, parameters = self._loss.arguments
        hessian = np.zeros((self.n_params, self.n_params))
        positions = self._positions()
        n_pairs = self.n_logits * (self.n_logits + 1) // 2
        n_rows = int(np.clip(BLOCKS_NUMBERS // n_pairs, 64, HESSIAN_ROWS))
        add = add_narrow_blocks if self._rows.n_features < HESSIAN_FEATURES else add_wide_blocks
        # Each pair has its own part of the matrix: the order in which threads add them does not matter.
        n_parts = min(2 * self._n_threads, n_pairs)
        parts = list(pairwise(n_pairs * i // n_parts for i in range(n_parts + 1)))
        for start in range(0, self._rows.n_rows, n_rows):
            stop = min(start + n_rows, self._rows.n_rows)
            logits = np.empty((stop - start, self.n_logits), dtype=self._rows.dtype)
            self._rows.score(coef, intercept, start, stop, logits)
            # In float32 a probability near one rounds to one, and the curvature that a raw column lives on is lost.
            pair_weight = np.empty((n_pairs, stop - start))
            logits = logits.astype(np.float64, copy=False)
            losses_kernels.curvatures(number, labels, parameters, weight, start, stop, logits, pair_weight)
            design = design_matrix(self._rows, start, stop, self._fit_intercept).astype(np.float64, copy=False)
            blocks = partial(add, design, pair_weight, positions=positions, hessian=hessian)
            for _ in map_in_order(self._pool, n_parts, blocks, parts):
                pass
        if self._alpha > 0:
            diagonal = np.arange(self.n_coef)
            hessian[diagonal, diagonal] += self._alpha * self._penalty.hessian_diagonal(self.n_coef)
        return hessian

    def _positions(self) -> NDArray[np.intp]:
        """Return where the parameters of each logit sit in the vector, (n_logits, n_features), and the intercept last."""
        coef, intercept = self._split(np.arange(self.n_params))
        coef = coef if self._rows.class_major else coef.T
        return np.column_stack([coef, intercept]) if self._fit_intercept else np.ascontiguousarray(coef)

    # -- what the loss is ----------------------------------------------------------------------------------------

    @property
    def convex(self) -> bool:
        """Whether the objective is convex."""
        return self._loss.convex

    @property
    def has_hessian(self) -> bool:
        """Whether the loss has second derivatives."""
        return self._loss.has_hessian

    @property
    def smooth(self) -> bool:
        """Whether the loss has no kinks: a convex one that has is the only one without second derivatives."""
        return self._loss.has_hessian or not self._loss.convex

    @property
    def strictly_convex(self) -> bool:
        """Whether the loss's second derivatives vanish nowhere."""
        return self._loss.strictly_convex

    def require_hessian(self) -> None:
        """Raise a ValueError that names another solver if the loss has no Hessian."""
        self._loss.require_hessian()

    # -- the Hessian's class blocks --------------------------------------------------------------------------------

    @property
    def shift_invariant(self) -> bool:
        """Whether adding one vector to every class's parameters leaves the loss as it is, and their mean is best zero."""
        return self._loss.shift_invariant and (self._alpha == 0 or self._penalty.uniform)

    @property
    def _curvature(self) -> ClassBlocks:
        # Not a cached_property, which in Python 3.11 has one lock for all fits of the process: a fork might inherit it taken.
        if self._made_curvature is None:
            threads: dict[str, Any] = {"pool": self._given_pool, "n_threads": self._n_threads}
            self._made_curvature = ClassBlocks(self._rows, self._loss, fit_intercept=self._fit_intercept, **threads)
        return self._made_curvature

    @property
    def block_size(self) -> int:
        """Order of the class blocks: the block columns (all, if the rows are dense) and the intercept."""
        return self._curvature.width

    @property
    def covers_all_columns(self) -> bool:
        """Whether no column is left out of the block columns."""
        return len(self._curvature.columns) == self._rows.n_features

    @property
    def stride(self) -> int:
        """The largest stride of a sample of rows that is worth making class blocks from."""
        return self._curvature.stride

    def class_blocks(self, params: NDArray[np.float64], *, shared: bool = False, stride: int = 1) -> NDArray[np.float64]:
        """Return the diagonal blocks of the Hessian at params, about, as ``ClassBlocks.blocks`` has them."""
        blocks = self._curvature.blocks(*self._kernel_params(params), shared=shared, stride=stride)
        if self._alpha > 0:
            diagonal = np.arange(len(self._curvature.columns))
            penalised = self._penalty_diagonal()
            blocks[:, diagonal, diagonal] += penalised.mean(axis=0) if shared else penalised
        return blocks

    def class_diagonals(self, params: NDArray[np.float64], basis: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the curvature at params along the columns v of basis, (block_size, m), for each class: (n_logits, m)."""
        diagonals = self._curvature.diagonals(*self._kernel_params(params), basis)
        if self._alpha > 0:
            diagonals += self._penalty_diagonal() @ basis[: len(self._curvature.columns)] ** 2
        return diagonals

    def _penalty_diagonal(self) -> NDArray[np.float64]:
        """Return the penalty's curvature by the coefficients of the block columns, (n_logits, block columns)."""
        diagonal = np.zeros(self.n_params)
        diagonal[: self.n_coef] = self._alpha * self._penalty.hessian_diagonal(self.n_coef)
        return self.gather_blocks(diagonal)[:, : len(self._curvature.columns)]

    def hessian_diagonal(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the diagonal of the Hessian at params, of the loss's model."""
        coef, intercept = self._kernel_params(params)

        def add(segment: Segment, out: LinearParams) -> float:
            self._rows.sum_curvature(self._loss.model_arguments, coef, intercept, segment, out)
            return 0.0

        _, diagonal = self._sum(add)
        if self._alpha > 0:
            diagonal[: self.n_coef] += self._alpha * self._penalty.hessian_diagonal(self.n_coef)
        return diagonal

    def gather_blocks(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what vector holds for the block columns and the intercept, (n_logits, block_size)."""
        coef, intercept = self._split(vector)
        coef = coef if self._rows.class_major else coef.T
        if not self.covers_all_columns:
            coef = coef[:, self._curvature.columns]
        return np.column_stack([coef, intercept]) if self._fit_intercept else np.ascontiguousarray(coef)

    def scatter_blocks(self, vector: NDArray[np.float64], rows: NDArray[np.float64]) -> None:
        """Write rows, as ``gather_blocks`` returns them, into vector."""
        columns = self._curvature.columns if not self.covers_all_columns else slice(None)
        coef, intercept = self._split(vector)
        coef = coef if self._rows.class_major else coef.T
        coef[:, columns] = rows[:, : len(self._curvature.columns)]
        if self._fit_intercept:
            intercept[:] = rows[:, -1]

    def project_out_shift(self, vector: NDArray[np.float64]) -> None:
        """Take from vector its mean over the classes, where the loss does not feel it."""
        if not self.shift_invariant:
            return
        coef, intercept = self._split(vector)
        if self._rows.class_major:
            coef -= np.add.reduce(coef) / self.n_logits
        else:
            coef -= np.add.reduce(coef, axis=1, keepdims=True) / self.n_logits
        intercept -= np.add.reduce(intercept) / self.n_logits

    def longest_step(self, params: NDArray[np.float64], direction: NDArray[np.float64]) -> float:
        """Return the share of a step, at most one, over which a quadratic model may be trusted."""
        return 1.0

    def parallel_for(self, function: Callable[[Item], None], items: Iterable[Item]) -> None:
        """Call function on each of items, in the objective's threads."""
        for _ in map_in_order(self._given_pool, self._n_threads, function, items):
            pass

    def regularise_null_space(self, hessian: NDArray[np.float64]) -> None:
        """Give the Hessian curvature along the shifts of all classes that the loss does not feel.

        Adding one vector to every class's parameters leaves a softmax, and its gradient is orthogonal to such shifts; so is
        the penalty's where the parameters have no mean over the classes (``project_out_shift``). There the added term does not
        change the Newton step, and makes the matrix invertible also in floating point: the penalty's own curvature along the
        shifts, which may be 1e-2 beside 1e16 of large columns, would be lost in rounding.
        """
        if not self.shift_invariant:
            return
        positions = self._positions()
        curvature = hessian[positions, positions].mean(axis=0) / self.n_logits
        hessian[positions[:, None], positions[None]] += curvature
