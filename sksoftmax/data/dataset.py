"""Data sets: rows with their targets, wherever they are, and sums over them.

What lives here: the contract of a data set, and the one in memory. What doesn't: the rows' layout and the passes over them
(``rows``), what is summed (``terms``), parameters as one flat vector (``objectives``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..losses import BoundLoss, Targets
from .csr_rows import CSRRows
from .dense_rows import DenseRows
from .epochs import MinibatchPlan, SAGAMemory
from .rows import LinearParams, Rows, Segment
from .terms import Term
from .threads import Item, map_in_order

Vector = NDArray[np.float64]


class Dataset(Protocol):
    """Rows, targets and weights, wherever they are: in memory, in other processes, on other machines."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    @property
    def n_features(self) -> int:
        """Number of columns of the rows as the objective has them."""

    @property
    def n_stored(self) -> int:
        """Numbers stored: all, or the non-zeros of sparse rows."""

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""

    @property
    def class_major(self) -> bool:
        """Whether coefficients are (n_logits, n_features), or else (n_features, n_logits)."""

    def sum(self, term: Term, loss: BoundLoss, params: LinearParams) -> tuple[float, Vector]:
        """Return the sums of a term over all rows: the number, and the vector, its coefficients first, then n_logits.

        Parameters
        ----------
        term : Term
        loss : BoundLoss
        params : (coef, intercept)
            float64, in the data set's layout; intercepts are zeros where there are none.
        """

    def expand(self, coef: Vector) -> Vector:
        """Return coefficients (n_logits, columns of X) from those of these rows, (n_logits, n_features)."""

    def reduce(self, coef: NDArray) -> NDArray:
        """Return coefficients of these rows, (n_logits, n_features), that score X as coef does."""


class InMemoryDataset:
    """Rows and targets in this process's memory.

    Parameters
    ----------
    rows : Rows
    targets : Targets
        Of the same rows, weights summing to one.
    pool : executor or None
        Threads to map over segments of the rows.
    n_threads : int
    """

    def __init__(self, rows: Rows, targets: Targets, *, pool: ThreadPoolExecutor | None = None, n_threads: int = 1) -> None:
        self.rows, self.targets = rows, targets
        self.n_rows, self.n_features, self.n_stored = rows.n_rows, rows.n_features, rows.n_stored
        self.dtype, self.class_major = rows.dtype, rows.class_major
        self.pool, self.n_threads = pool, n_threads
        self._segments: dict[int, list[Segment]] = {}  # by n_logits, for every pass
        self._spare: list[Vector] = []  # partial sums, kept between passes

    def expand(self, coef: Vector) -> Vector:
        """Return coefficients (n_logits, columns of X) from those of the rows, (n_logits, n_features)."""
        return self.rows.expand(coef)

    def reduce(self, coef: NDArray) -> NDArray:
        """Return coefficients of the rows that score X as coef does."""
        return self.rows.reduce(coef)

    def segments(self, n_logits: int) -> list[Segment]:
        """Return the pieces of the rows whose sums are taken apart and added in order, whatever the threads."""
        if n_logits not in self._segments:
            self._segments[n_logits] = self.rows.segments(n_logits, per_segment=n_logits * self.n_features)
        return self._segments[n_logits]

    # Each segment has a partial sum of its own, of n_coef + n_logits numbers, and the main thread adds them up in segment order
    # as they come: addition of floating-point numbers is not associative, and this order is the same for any number of threads.
    # A sum for each thread, or a lock around one, were not taken: their order is that in which threads happen to end. Partial
    # sums are kept for the next pass, as fresh memory of many coefficients costs page faults; at most ``n_threads`` + 1 are
    # ahead of the sum.

    def sum(self, term: Term, loss: BoundLoss, params: LinearParams) -> tuple[float, Vector]:
        """Return the sums of a term over all rows: the number and the vector, as ``Dataset.sum`` does."""
        partials = self.partial_sums(term, loss, params, self.segments(loss.n_logits))
        value, total = next(partials)
        for other_value, other in partials:
            value += other_value
            total += other
            self._spare.append(other)
        return value, total

    def partial_sums(
        self, term: Term, loss: BoundLoss, params: LinearParams, segments: Sequence[Segment]
    ) -> Iterator[tuple[float, Vector]]:
        """Yield the sums of a term over each of the segments, in their order: what ``sum`` adds up."""
        kernel_params, shape = self.rows.kernel_params(params), params[0].shape
        n_coef = params[0].size

        def sums(segment: Segment) -> tuple[float, Vector]:
            try:
                out = self._spare.pop()
                out.fill(0)
            except IndexError:
                out = np.zeros(n_coef + loss.n_logits)
            pair = out[:n_coef].reshape(shape), out[n_coef:]
            return term.add(self.rows, self.targets, loss, kernel_params, segment, pair), out

        pool = self.pool if len(segments) > 1 else None
        return map_in_order(pool, self.n_threads, sums, segments)

    def parallel_for(self, function: Callable[[Item], None], items: Iterable[Item]) -> None:
        """Call function on each of items, in the data set's threads."""
        for _ in map_in_order(self.pool, self.n_threads, function, items):
            pass

    def score(self, params: LinearParams, start: int, stop: int) -> NDArray:
        """Return the logits of rows start:stop, (stop - start, n_logits), for params in the rows' dtype."""
        logits = np.empty((stop - start, len(params[1])), dtype=self.dtype)
        self.rows.score(*params, start, stop, logits)
        return logits

    def blocks(self, n_logits: int) -> Iterator[Segment]:
        """Yield the pieces of the rows whose logits stay in a core's cache."""
        n_rows = len(self.rows.block(n_logits))
        return ((start, min(start + n_rows, self.n_rows)) for start in range(0, self.n_rows, n_rows))

    @property
    def weighted_rows(self) -> NDArray[np.int64]:
        """The numbers of the rows that have weight, ascending."""
        return np.flatnonzero(self.targets.weight).astype(np.int64, copy=False)

    @property
    def n_weighted_rows(self) -> int:
        """How many rows have weight."""
        return int(np.count_nonzero(self.targets.weight))

    def largest_row_weight(self, fit_intercept: bool) -> float:
        """Return the largest weight of a row times its squared norm, a one for the intercept with it."""
        return float(np.max((self.rows.squared_norms() + fit_intercept) * self.targets.weight))

    def sgd_epoch(self, loss: BoundLoss, order: NDArray[np.int64], plan: MinibatchPlan) -> float:
        """Run one epoch of minibatch updates over order; return the mean loss, each row's taken before its own step."""
        return float(self.rows.sgd_epoch(loss.arguments(self.targets), order, plan, self.pool))

    def saga_epoch(
        self, loss: BoundLoss, order: NDArray[np.int64], rate: float, l2_strength: float, memory: SAGAMemory
    ) -> float:
        """Run one epoch of SAGA over order; return the mean loss, each row's taken before its own step."""
        return float(self.rows.saga_epoch(loss.arguments(self.targets), order, rate, l2_strength, memory))


def as_rows(X: Any) -> Rows:
    """Return the row blocks of a C-contiguous array or a CSR matrix of float32 or float64."""
    return CSRRows(X) if sparse.issparse(X) else DenseRows(X)


def in_memory(X: Any, targets: Targets, *, pool: ThreadPoolExecutor | None = None, n_threads: int = 1) -> InMemoryDataset:
    """Return the data set of a C-contiguous array or a CSR matrix of float32 or float64, and its rows' targets."""
    return InMemoryDataset(as_rows(X), targets, pool=pool, n_threads=n_threads)
