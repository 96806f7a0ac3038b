"""Rows of X behind one contract, cut into blocks for caches and into segments for threads.

What lives here: the contract, the cutting, and logits of all rows. What doesn't: the layouts (``dense_rows``, ``csr_rows``,
``rotated_rows``), targets (``dataset``), losses and parameters (``objectives``).

Segments depend on the data's shape alone and their partial sums are added in segment order, so that a result is the same
bits whatever the number of threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..losses._arguments import KernelArguments
from .epochs import MinibatchPlan, SAGAMemory
from .threads import map_in_order, run_in_pool

# A block of X, its logits and their gradient share the second-level cache of a core.
BLOCK_BYTES = 2**18
MIN_BLOCK_ROWS, MAX_BLOCK_ROWS = 32, 4096
MAX_SEGMENTS = 16
# Below this many multiplications a segment costs less than handing it to a thread.
SEGMENT_WORK = 2**20

Segment = tuple[int, int]
"""Where a thread's rows start and stop."""

LinearParams = tuple[NDArray, NDArray]
"""Coefficients and intercept, or their gradients."""


class Rows(ABC):
    """The rows of X as kernels read them.

    Attributes
    ----------
    n_rows, n_features : int
    dtype : numpy dtype
        float32 or float64.
    n_stored : int
        Numbers stored: n_rows * n_features, or the non-zeros.
    row_size : int
        Numbers stored of a row, on average, which decides how many rows make a block. Rows that are a part of a larger data set
        take it from the whole: their sums are then the same bits.
    class_major : bool
        Whether kernels take coefficients as (n_logits, n_features), or else as (n_features, n_logits).
    """

    n_rows: int
    n_features: int
    dtype: np.dtype
    n_stored: int
    row_size: int
    class_major: bool

    @abstractmethod
    def score(self, coef: NDArray, intercept: NDArray, start: int, stop: int, logits: NDArray) -> None:
        """Fill logits with those of rows start:stop."""

    @abstractmethod
    def project(self, gradient: NDArray, start: int, stop: int, out: LinearParams) -> None:
        """Add ``gradient.T @ X[start:stop]`` and the sum of gradient's rows to out; gradient is (stop - start, n_logits)."""

    @abstractmethod
    def sum_value_and_gradient(
        self, loss: KernelArguments, coef: NDArray, intercept: NDArray, segment: Segment, out: LinearParams
    ) -> float:
        """Add the gradient of a loss over a segment to out, return the loss.

        Parameters
        ----------
        loss : KernelArguments
            As ``BoundLoss.arguments`` returns it.
        coef, intercept : ndarray
            As the kernels take them.
        segment : (start, stop)
        out : (coef_gradient, intercept_gradient)
            float64, of their shapes.
        """

    @abstractmethod
    def sum_hessian_product(
        self,
        loss: KernelArguments,
        coef: NDArray,
        intercept: NDArray,
        direction: LinearParams,
        segment: Segment,
        out: LinearParams,
    ) -> None:
        """Add the Hessian of a loss over a segment times direction to out; as ``sum_value_and_gradient``."""

    @abstractmethod
    def sum_hessian_diagonal(
        self, loss: KernelArguments, coef: NDArray, intercept: NDArray, segment: Segment, out: LinearParams
    ) -> None:
        """Add the diagonal of the Hessian of a loss over a segment to out; as ``sum_value_and_gradient``."""

    @abstractmethod
    def sgd_epoch(
        self, loss: KernelArguments, order: NDArray[np.int64], plan: MinibatchPlan, pool: ThreadPoolExecutor | None
    ) -> float:
        """Run one epoch of minibatch steps over order; return the rows' loss, each row's taken before the step it belongs to.

        Parameters
        ----------
        loss : KernelArguments
            As ``BoundLoss.arguments`` returns it.
        order : ndarray of int64
        plan : MinibatchPlan
            Its vectors are changed.
        pool : executor or None
            To gather rows ahead.
        """

    @abstractmethod
    def saga_epoch(
        self, loss: KernelArguments, order: NDArray[np.int64], lr: float, l2_strength: float, memory: SAGAMemory
    ) -> float:
        """Run one epoch of SAGA over order; return the rows' loss, each row's taken before its step. Change memory."""

    @abstractmethod
    def squared_norms(self) -> NDArray[np.float64]:
        """Return the squared Euclidean norm of each row."""

    @abstractmethod
    def block_columns(self, n_logits: int) -> tuple[NDArray[np.intp], Rows]:
        """Return the columns, ascending, that lie together so often that their common curvature matters, and their rows."""

    @abstractmethod
    def dense(self, start: int, stop: int) -> NDArray:
        """Return rows start:stop as a dense array, possibly a view."""

    def expand(self, coef: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return coefficients (n_logits, columns of X) from those of these rows, (n_logits, n_features)."""
        return coef

    def reduce(self, coef: NDArray) -> NDArray:
        """Return coefficients of these rows that score X as coef does."""
        return coef

    def kernel_params(self, params: LinearParams) -> LinearParams:
        """Return coefficients and intercept in the rows' dtype."""
        coef, intercept = params
        return coef.astype(self.dtype, copy=False), intercept.astype(self.dtype, copy=False)

    def block(self, n_logits: int) -> NDArray:
        """Return a new scratch array for the logits of a block of rows."""
        row_bytes = self.dtype.itemsize * (self.row_size + 2 * n_logits + 1)
        n_rows = min(max(BLOCK_BYTES // row_bytes // 8 * 8, MIN_BLOCK_ROWS), MAX_BLOCK_ROWS, self.n_rows)
        return np.empty((n_rows, n_logits), dtype=self.dtype)

    def is_worth_threads(self, n_logits: int) -> bool:
        """Return whether a pass over the rows takes longer than handing parts of it to threads."""
        return self.n_stored * n_logits >= SEGMENT_WORK

    # How rows are cut depends on their shape and the number of logits, never on the threads: partial sums are then the same,
    # and so are the bits of their sum. The numbers are a power of two up to 16, which 2, 4, 8 or 16 threads share evenly: other
    # numbers leave threads waiting for the last piece. One piece a thread, the least work, was not taken as results would
    # depend on the machine; many small ones, which any number of threads shares evenly, cost a partial sum each.

    def segments(self, n_logits: int, *, per_segment: int = 0) -> list[Segment]:
        """Cut the rows into the (start, stop) pieces that threads take.

        Parameters
        ----------
        n_logits : int
        per_segment : int
            Length of the partial sum that a piece costs beside its rows. Zeroing it and adding it up moves more memory than
            multiplying does: pieces are kept so large that it is about a tenth of their work.
        """
        work = self.n_stored * n_logits
        n_segments = max(min(MAX_SEGMENTS, work // max(SEGMENT_WORK, 20 * per_segment), self.n_rows // 8), 1)
        n_segments = 2 ** (n_segments.bit_length() - 1)
        return list(pairwise(self.n_rows * i // n_segments for i in range(n_segments + 1)))


def read_only(array: NDArray) -> NDArray:
    """Return a plain read-only view, so that writeable, read-only and memory-mapped data compile one kernel."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def score_rows(rows: Rows, coef: NDArray, intercept: NDArray, n_threads: int) -> NDArray:
    """Return the logits of all rows.

    Parameters
    ----------
    rows : Rows
    coef, intercept : ndarray
        As the kernels take them, of the rows' dtype.
    n_threads : int

    Returns
    -------
    logits : ndarray of shape (n_rows, n_logits)
        Each row's the same bits whatever the other rows and the threads.
    """
    logits = np.empty((rows.n_rows, len(intercept)), dtype=rows.dtype)
    segments = rows.segments(len(intercept))

    def fill(segment: Segment) -> None:
        rows.score(coef, intercept, *segment, logits[segment[0] :])

    if len(segments) == 1 or n_threads == 1:  # a single row should not wait for a pool
        deque(map(fill, segments), maxlen=0)
    else:
        run_in_pool(n_threads, lambda pool: deque(map_in_order(pool, len(segments), fill, segments), maxlen=0))
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(np.add.reduce(logits, axis=None)):
            _saturate(rows, coef, intercept, logits)
    return logits


def _saturate(rows: Rows, coef: NDArray, intercept: NDArray, logits: NDArray) -> None:
    """Give rows whose logits overflowed finite ones in the same proportions, the largest of them the largest number.

    Their differences are so large that probabilities are zeros and ones in any case.
    """
    if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):  # of a fit that diverged
        return
    highest = float(np.finfo(logits.dtype).max) * (1 - 4 * float(np.finfo(logits.dtype).eps))
    coef = coef.T if rows.class_major else coef
    scaled_coef = coef.astype(np.float64) / max(float(np.abs(coef).max()), 1e-300)
    for i in np.flatnonzero(~np.isfinite(logits).all(axis=1)).tolist():
        row = rows.dense(i, i + 1)[0].astype(np.float64)
        proportions = (row / np.abs(row).max()) @ scaled_coef
        logits[i] = proportions / np.abs(proportions).max(initial=1e-300) * highest
