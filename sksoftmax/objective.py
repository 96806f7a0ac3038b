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

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import daxpy

from . import kernels
from .blocks import Pair, RowBlocks, Segment, map_in_order
from .losses import BoundLoss
from .penalties import Penalty

# Rows per step of the dense Hessian: long enough for BLAS, short enough to be a small temporary.
HESSIAN_ROWS = 1024
# Numbers per step of the class blocks: products long enough to outweigh adding them up, temporaries small beside X.
BLOCKS_NUMBERS = 2**21
# Features from which one block of it is worth handing to a thread.
HESSIAN_FEATURES = 32


class Objective:
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
    """

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
    ) -> None:
        self._rows = rows
        self._loss = loss
        self._penalty = penalty
        self._alpha = alpha
        self._fit_intercept = fit_intercept
        self.n_logits = loss.n_logits
        self.n_coef = loss.n_logits * rows.n_features
        self.n_params = self.n_coef + fit_intercept * loss.n_logits
        self._segments = rows.segments(loss.n_logits, per_segment=self.n_coef)
        self._n_threads = n_threads
        self._pool = pool if len(self._segments) > 1 else None
        self._hessian_pool = pool if rows.n_features >= HESSIAN_FEATURES else None
        self._kept_gram: NDArray[np.float64] | None = None
        self._spare: list[NDArray[np.float64]] = []  # partial gradients, kept between evaluations

    def rounding(self, value: float) -> float:
        """Return how far the computed objective may be from the true one near value, for line searches and stopping."""
        return (1 if self._rows.dtype == np.float32 else 8) * float(np.finfo(self._rows.dtype).eps) * abs(value)

    # -- the flat vector -----------------------------------------------------------------------------------------

    def pack(self, coef: NDArray, intercept: NDArray) -> NDArray[np.float64]:
        """Return the flat vector of coef (n_logits, n_features) and intercept (n_logits,)."""
        coef = coef if self._rows.class_major else coef.T
        params = np.empty(self.n_params)
        params[: self.n_coef] = np.ravel(coef)
        if self._fit_intercept:
            params[self.n_coef :] = intercept
        return params

    def unpack(self, params: NDArray) -> tuple[NDArray, NDArray]:
        """Return coef (n_logits, n_features) and intercept (n_logits,) as new C-contiguous arrays of X's dtype."""
        coef, intercept = self._split(params)
        dtype = self._rows.dtype
        return np.array(coef if self._rows.class_major else coef.T, dtype=dtype, order="C"), np.array(intercept, dtype=dtype)

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

        def add(segment: Segment, out: Pair) -> float:
            return self._rows.sum_loss(self._loss.arguments, coef, intercept, segment, out)

        value, gradient = self._sum(add)
        if self._alpha > 0:
            weights = params[: self.n_coef]
            value += self._alpha * self._penalty.value(weights)
            # In place: with many features times classes, a temporary here costs as much as the rows.
            daxpy(self._penalty.gradient(weights), gradient, n=self.n_coef, a=self._alpha)
        return value, gradient

    def hessian_product(self, params: NDArray[np.float64], direction: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the Hessian at params times direction."""
        coef, intercept = self._kernel_params(params)
        kernel_direction = self._kernel_params(direction)

        def add(segment: Segment, out: Pair) -> float:
            self._rows.sum_hessian_product(self._loss.arguments, coef, intercept, kernel_direction, segment, out)
            return 0.0

        _, product = self._sum(add)
        if self._alpha > 0:
            product[: self.n_coef] += self._alpha * self._penalty.hessian_product(direction[: self.n_coef])
        return product

    def _sum(self, add: Callable[[Segment, Pair], float]) -> tuple[float, NDArray[np.float64]]:
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

    def separates(self, params: NDArray[np.float64]) -> bool:
        """Return whether params point where the loss of every row vanishes: then an unpenalised objective has no minimum."""
        coef, intercept = self._kernel_params(params)
        logits = self._rows.block(self.n_logits)
        for start in range(0, self._rows.n_rows, len(logits)):
            stop = min(start + len(logits), self._rows.n_rows)
            self._rows.score(coef, intercept, start, stop, logits)
            if not self._loss.vanishes_along(logits[: stop - start], start, stop):
                return False
        return True

    # -- the Hessian ---------------------------------------------------------------------------------------------

    def hessian(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the Hessian at params, of shape (n_params, n_params): n_params² float64 numbers."""
        coef, intercept = self._kernel_params(params)
        number, *_, weight, _ = self._loss.arguments
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
            kernels.curvatures(number, weight, start, stop, logits.astype(np.float64, copy=False), pair_weight)
            design = self._design(start, stop).astype(np.float64, copy=False)
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

    # -- the Hessian's class blocks --------------------------------------------------------------------------------

    @property
    def shift_invariant(self) -> bool:
        """Whether adding one vector to every class's parameters leaves the loss as it is."""
        return self._loss.shift_invariant

    def by_class(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return params as (n_logits, n_features), with the intercept as a last column if there is one."""
        coef, intercept = self._split(params)
        coef = coef if self._rows.class_major else coef.T
        return np.column_stack([coef, intercept]) if self._fit_intercept else coef

    def from_classes(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Undo ``by_class``."""
        n_features = self._rows.n_features
        return self.pack(rows[:, :n_features], rows[:, n_features] if self._fit_intercept else rows[:, 0])

    def class_blocks(self, params: NDArray[np.float64], *, max_bytes: int) -> NDArray[np.float64]:
        """Return the diagonal blocks of the Hessian at params, (n_logits, m, m) in the order of ``by_class``.

        An approximation for preconditioning, in X's own precision: rows that are all but decided about a class, their
        curvature below a hundredth, enter its block through their total curvature times the Gram matrix. If the blocks would
        take more than max_bytes, the result is one block, (1, m, m), of the classes' mean curvature.
        """
        width = self._rows.n_features + self._fit_intercept
        shared = 8 * self.n_logits * width**2 > max_bytes
        coef, intercept = self._kernel_params(params)
        blocks = np.zeros((1 if shared else self.n_logits, width, width))
        decided = np.zeros(len(blocks))
        gram = self._gram()
        n_rows = self._step_rows(width)
        for start in range(0, self._rows.n_rows, n_rows):
            stop = min(start + n_rows, self._rows.n_rows)
            logits = np.empty((stop - start, self.n_logits), dtype=self._rows.dtype)
            self._rows.score(coef, intercept, start, stop, logits)
            curvature, weight = self._loss.curvature(logits.astype(np.float64, copy=False), start, stop)
            curvature = curvature.mean(axis=1, keepdims=True) if shared else curvature
            block = self._design(start, stop)

            def add(k: int, block: NDArray = block, curvature: NDArray = curvature, weight: NDArray = weight) -> None:
                own = np.where(weight > 0, curvature[:, k], 0)
                # Where all are alike, as at zero coefficients, the Gram matrix says it all.
                alike = np.min(own, where=weight > 0, initial=1) >= 0.9 * own.max()
                chosen = np.flatnonzero(own > (np.inf if alike else 0.01))
                shares = weight[chosen] * own[chosen]
                part = block[chosen] * np.sqrt(shares)[:, None].astype(block.dtype)
                blocks[k] += part.T @ part
                decided[k] += weight @ own - shares.sum()

            for _ in map_in_order(self._hessian_pool, 2 * self._n_threads, add, range(len(blocks))):
                pass
        blocks += decided[:, None, None] * gram
        if self._alpha > 0:
            diagonal = np.arange(self._rows.n_features)
            curvature = self._penalty.hessian_diagonal(self.n_coef)[: self._rows.n_features]
            blocks[:, diagonal, diagonal] += self._alpha * curvature
        return blocks

    def _gram(self) -> NDArray[np.float64]:
        """Return the weighted Gram matrix of the rows, with the intercept's column of ones; kept."""
        if self._kept_gram is None:
            width = self._rows.n_features + self._fit_intercept
            self._kept_gram = np.zeros((width, width))
            n_rows = self._step_rows(width)
            segments = [(start, min(start + n_rows, self._rows.n_rows)) for start in range(0, self._rows.n_rows, n_rows)]

            def gram(segment: Segment) -> NDArray[np.float64]:
                part = self._design(*segment)
                part *= np.sqrt(self._loss.weight[segment[0] : segment[1], None]).astype(part.dtype)
                return part.T @ part

            for part in map_in_order(self._hessian_pool, self._n_threads, gram, segments):
                self._kept_gram += part
        return self._kept_gram

    def _step_rows(self, width: int) -> int:
        """Return the rows per step of the class blocks; several arrays of these rows by the logits exist at a time."""
        return int(np.clip(BLOCKS_NUMBERS // max(width, 16 * self.n_logits), 256, 4096))

    def _design(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return a new dense copy of rows start:stop, with a last column of ones if there is an intercept."""
        design = np.ones((stop - start, self._rows.n_features + self._fit_intercept), dtype=self._rows.dtype)
        design[:, : self._rows.n_features] = self._rows.dense(start, stop)
        return design

    def fix_gauge(self, hessian: NDArray[np.float64]) -> None:
        """Give the Hessian curvature along the shifts of all classes that the objective does not feel.

        Adding one vector to every class's parameters leaves a softmax, and its gradient stays orthogonal to such shifts; the
        added term makes the matrix invertible without changing the Newton step. Penalised coefficients need none.
        """
        if not self._loss.shift_invariant:
            return
        positions = self._positions()
        if self._alpha > 0:
            positions = positions[:, self._rows.n_features :]
        curvature = hessian[positions, positions].mean(axis=0) / self.n_logits
        hessian[positions[:, None], positions[None]] += curvature


def add_narrow_blocks(
    design: NDArray[np.float64],
    pair_weight: NDArray[np.float64],
    pairs: Segment,
    *,
    positions: NDArray[np.intp],
    hessian: NDArray[np.float64],
) -> None:
    """Add the blocks of pairs of logits, numbered as ``kernels.curvatures`` does, to the Hessian."""
    gram = np.empty((positions.shape[1], positions.shape[1]))
    kernels.add_hessian_blocks(design, pair_weight, *pairs, positions, gram, hessian)


def add_wide_blocks(
    design: NDArray[np.float64],
    pair_weight: NDArray[np.float64],
    pairs: Segment,
    *,
    positions: NDArray[np.intp],
    hessian: NDArray[np.float64],
) -> None:
    """Do as ``add_narrow_blocks`` by BLAS."""
    rows, columns = np.tril_indices(len(positions))
    for pair in range(*pairs):
        k, other = rows[pair], columns[pair]
        block = weighted_gram(design, pair_weight[pair])
        hessian[np.ix_(positions[k], positions[other])] += block
        if k != other:
            hessian[np.ix_(positions[other], positions[k])] += block


def weighted_gram(design: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``design.T @ diag(weight) @ design``; at half the cost where the weights have one sign."""
    if weight.min(initial=0) < 0 < weight.max(initial=0):
        return (design * weight[:, None]).T @ design
    part = design * np.sqrt(np.abs(weight))[:, None]
    return part.T @ part if weight.sum() >= 0 else -(part.T @ part)
