"""Row blocks of the data.

What lives here: dense (also memory-mapped), wide and CSR rows behind one contract, their cutting into cache-sized blocks and
into segments for threads. What doesn't: losses and parameters (``objectives``), shuffled rows (``batches``), threads,
validation (``classifier``).

Segments depend on the data's shape alone and their partial sums are added in segment order, so that a result is the same
bits whatever the number of threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..kernels import csr as csr_kernels
from ..kernels import dense as dense_kernels
from ..kernels import minibatch as minibatch_kernels
from ..kernels import minibatch_csr as minibatch_csr_kernels
from ..kernels import saga as saga_kernels
from .batches import gather_rows
from .threads import map_in_order, run_in_pool

# A block of X, its logits and their gradient share the second-level cache of a core.
BLOCK_BYTES = 2**18
MIN_BLOCK_ROWS, MAX_BLOCK_ROWS = 32, 4096
MAX_SEGMENTS = 16
# Below this many multiplications a segment costs less than handing it to a thread.
SEGMENT_WORK = 2**20
# Of the block columns of sparse rows: how many passes over the rows they may cost, and how many there are at least.
BLOCK_COLUMN_PASSES = 8
MIN_BLOCK_COLUMNS = 64
MAX_ROTATION_BYTES = 2**28

Segment = tuple[int, int]
"""Where a thread's rows start and stop."""

LinearParams = tuple[NDArray, NDArray]
"""Coefficients and intercept, or their gradients."""


class MinibatchPlan(NamedTuple):
    """How a pass in minibatches steps, and from where.

    Attributes
    ----------
    n_logits : int
    batch_size : int
    rule : int
        The kernels' number of the rule that makes a step of a gradient.
    settings : ndarray of shape (5,), float64
        Of the rule, and the strength of the penalty where its gradient is part of the rule's.
    steps : ndarray of shape (n_minibatches, 5), float64
        As ``minibatch_kernels.sgd_epoch_dense`` has them.
    vectors : tuple of ndarray, (params, first moments, second moments, mean)
        float64, flat; those that the rule does not use are empty.
    """

    n_logits: int
    batch_size: int
    rule: int
    settings: NDArray[np.float64]
    steps: NDArray[np.float64]
    vectors: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


class SAGAMemory(NamedTuple):
    """What SAGA keeps between passes.

    Attributes
    ----------
    params : ndarray of shape (n_params,), float64
    table : ndarray of shape (n_rows, n_logits), float64
        Latest weighted gradient of each row by its logits.
    sums : ndarray of shape (n_coef + n_logits,), float64
        The gradient that these make.
    n_seen : int
        Rows in the table: none or all.
    """

    params: NDArray[np.float64]
    table: NDArray[np.float64]
    sums: NDArray[np.float64]
    n_seen: int


class RowBlocks(ABC):
    """The rows of X as kernels read them.

    Attributes
    ----------
    n_rows, n_features : int
    dtype : numpy dtype
        float32 or float64.
    n_stored : int
        Numbers stored: n_rows * n_features, or the non-zeros.
    class_major : bool
        Whether kernels take coefficients as (n_logits, n_features), or else as (n_features, n_logits).
    """

    n_rows: int
    n_features: int
    dtype: np.dtype
    n_stored: int
    class_major: bool

    @abstractmethod
    def score(self, coef: NDArray, intercept: NDArray, start: int, stop: int, logits: NDArray) -> None:
        """Fill logits with those of rows start:stop."""

    @abstractmethod
    def sum_loss(self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, segment: Segment, out: LinearParams) -> float:
        """Add the gradient of a loss over a segment to out, return the loss.

        Parameters
        ----------
        loss : tuple
            ``BoundLoss.arguments``.
        coef, intercept : ndarray
            As the kernels take them.
        segment : (start, stop)
        out : (coef_gradient, intercept_gradient)
            float64, of their shapes.
        """

    @abstractmethod
    def sum_hessian_product(
        self,
        loss: tuple[Any, ...],
        coef: NDArray,
        intercept: NDArray,
        direction: LinearParams,
        segment: Segment,
        out: LinearParams,
    ) -> None:
        """Add the Hessian of a loss over a segment times direction to out; as ``sum_loss``."""

    @abstractmethod
    def sum_curvature(
        self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, segment: Segment, out: LinearParams
    ) -> None:
        """Add the diagonal of the Hessian of a loss over a segment to out; as ``sum_loss``."""

    @abstractmethod
    def sgd_epoch(
        self, loss: tuple[Any, ...], order: NDArray[np.int64], plan: MinibatchPlan, pool: ThreadPoolExecutor | None
    ) -> float:
        """Pass once over the rows of order in minibatches, a step after each; return the loss of the rows as they were met.

        Parameters
        ----------
        loss : tuple
            ``BoundLoss.arguments``.
        order : ndarray of int64
        descent : MinibatchPlan
            Its vectors are changed.
        pool : executor or None
            To gather rows ahead.
        """

    @abstractmethod
    def saga_epoch(
        self, loss: tuple[Any, ...], order: NDArray[np.int64], rate: float, alpha: float, memory: SAGAMemory
    ) -> float:
        """Pass once over the rows of order by SAGA; return their loss as they were met. ``memory`` is changed."""

    @abstractmethod
    def squared_norms(self) -> NDArray[np.float64]:
        """Return the squared Euclidean norm of each row."""

    @abstractmethod
    def block_columns(self, n_logits: int) -> tuple[NDArray[np.intp], RowBlocks]:
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

    def block(self, n_logits: int) -> NDArray:
        """Return a new scratch array for the logits of a block of rows."""
        row_bytes = self.dtype.itemsize * (self.n_stored // max(self.n_rows, 1) + 2 * n_logits + 1)
        n_rows = min(int(np.clip(BLOCK_BYTES // row_bytes // 8 * 8, MIN_BLOCK_ROWS, MAX_BLOCK_ROWS)), self.n_rows)
        return np.empty((n_rows, n_logits), dtype=self.dtype)

    def is_worth_threads(self, n_logits: int) -> bool:
        """Return whether a pass over the rows takes longer than handing parts of it to threads."""
        return self.n_stored * n_logits >= SEGMENT_WORK

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
        n_segments = 2 ** (n_segments.bit_length() - 1)  # a power of two leaves no thread waiting for the last piece
        return list(pairwise(self.n_rows * i // n_segments for i in range(n_segments + 1)))


class DenseRows(RowBlocks):
    """C-contiguous rows, in memory or memory-mapped; never copied."""

    class_major = True

    def __init__(self, X: NDArray) -> None:
        self._X = _read_only(X)
        self.n_rows, self.n_features = X.shape
        self.dtype = X.dtype
        self.n_stored = X.size

    def score(self, coef: NDArray, intercept: NDArray, start: int, stop: int, logits: NDArray) -> None:
        dense_kernels.score_dense(self._X, coef, intercept, start, stop, logits)

    def sum_loss(self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, segment: Segment, out: LinearParams) -> float:
        logits = self.block(len(intercept))
        return dense_kernels.sum_dense(self._X, *loss, coef, intercept, segment, (logits, np.empty(len(logits))), out)

    def sum_hessian_product(
        self,
        loss: tuple[Any, ...],
        coef: NDArray,
        intercept: NDArray,
        direction: LinearParams,
        segment: Segment,
        out: LinearParams,
    ) -> None:
        block = self.block(len(intercept)), self.block(len(intercept))
        number, labels, _, _, weight, parameters = loss
        dense_kernels.hessian_product_dense(
            self._X, number, labels, parameters, weight, coef, intercept, direction, segment, block, out
        )

    def sum_curvature(
        self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, segment: Segment, out: LinearParams
    ) -> None:
        logits = self.block(len(intercept))
        number, labels, _, _, weight, parameters = loss
        squares = np.empty((len(logits), self.n_features), dtype=self.dtype)
        dense_kernels.sum_curvature_dense(
            self._X, number, labels, parameters, weight, coef, intercept, segment, (logits, squares), out
        )

    def sgd_epoch(
        self, loss: tuple[Any, ...], order: NDArray[np.int64], plan: MinibatchPlan, pool: ThreadPoolExecutor | None
    ) -> float:
        number, labels, proba, class_weight, weight, parameters = loss
        n_logits, batch_size, rule, settings, steps, vectors = plan
        n_coef = n_logits * self.n_features
        coef = np.zeros(n_coef + n_logits, dtype=self.dtype)
        coef[: len(vectors[0])] = vectors[0]
        logits = self.block(n_logits)
        block = (logits, np.empty(len(logits)), np.empty(n_coef + n_logits))
        value = 0.0
        for X, targets, chunk in gather_rows(self._X, (labels, proba, weight), order, batch_size, pool):
            value += minibatch_kernels.sgd_epoch_dense(
                X,
                number,
                *targets[:2],
                class_weight,
                targets[2],
                parameters,
                batch_size,
                (chunk.begins, chunk.ends),
                rule,
                settings,
                steps[chunk.first : chunk.last],
                vectors,
                coef,
                block,
            )
        return value

    def saga_epoch(
        self, loss: tuple[Any, ...], order: NDArray[np.int64], rate: float, alpha: float, memory: SAGAMemory
    ) -> float:
        coef, intercept, fits_intercept, sums = _matrices(memory, (-1, self.n_features))
        targets, batch, block = _minibatch(loss, 1, np.empty((1, len(intercept))))
        return saga_kernels.saga_dense(
            self._X,
            order,
            targets,
            batch,
            rate,
            alpha,
            memory.n_seen,
            memory.table,
            coef,
            intercept,
            fits_intercept,
            sums,
            block,
        )

    def squared_norms(self) -> NDArray[np.float64]:
        return np.einsum("ij,ij->i", self._X, self._X, dtype=np.float64)

    def block_columns(self, n_logits: int) -> tuple[NDArray[np.intp], RowBlocks]:
        return np.arange(self.n_features), self

    def dense(self, start: int, stop: int) -> NDArray:
        return self._X[start:stop]


class CSRRows(RowBlocks):
    """Compressed sparse rows with 32- or 64-bit indices; never copied. ``sparse_rows.check_indices`` has seen them."""

    class_major = False

    def __init__(self, X: Any) -> None:
        self._X = X
        # Arrays may be longer than what they hold.
        self._arrays = (_read_only(X.data[: X.nnz]), _read_only(X.indices[: X.nnz]), _read_only(X.indptr))
        self.n_rows, self.n_features = X.shape
        self.dtype = X.dtype
        self.n_stored = X.nnz

    def score(self, coef: NDArray, intercept: NDArray, start: int, stop: int, logits: NDArray) -> None:
        csr_kernels.score_csr(*self._arrays, coef, intercept, start, stop, logits)

    def sum_loss(self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, segment: Segment, out: LinearParams) -> float:
        logits = self.block(len(intercept))
        return csr_kernels.sum_csr(*self._arrays, *loss, coef, intercept, segment, (logits, np.empty(len(logits))), out)

    def sum_hessian_product(
        self,
        loss: tuple[Any, ...],
        coef: NDArray,
        intercept: NDArray,
        direction: LinearParams,
        segment: Segment,
        out: LinearParams,
    ) -> None:
        block = self.block(len(intercept)), self.block(len(intercept))
        number, labels, _, _, weight, parameters = loss
        csr_kernels.hessian_product_csr(
            *self._arrays, number, labels, parameters, weight, coef, intercept, direction, segment, block, out
        )

    def sum_curvature(
        self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, segment: Segment, out: LinearParams
    ) -> None:
        number, labels, _, _, weight, parameters = loss
        csr_kernels.sum_curvature_csr(
            *self._arrays, number, labels, parameters, weight, coef, intercept, segment, self.block(len(intercept)), out
        )

    def sgd_epoch(
        self, loss: tuple[Any, ...], order: NDArray[np.int64], plan: MinibatchPlan, pool: ThreadPoolExecutor | None
    ) -> float:
        n_logits, batch_size, rule, settings, steps, vectors = plan
        batch_size = min(batch_size, len(order))
        params, first, _, mean = vectors
        n_coef = n_logits * self.n_features
        targets, batch, block = _minibatch(loss, batch_size, np.empty((batch_size, n_logits), dtype=self.dtype))
        intercept = params[n_coef:] if len(params) > n_coef else np.zeros(n_logits)
        zero = np.zeros(n_logits, dtype=self.dtype)
        given = (*self._arrays, order, targets, batch, batch_size)
        if rule != minibatch_kernels.SGD or len(first) > 0 or settings[4] > 0:
            gradient = np.empty(n_coef + n_logits)
            return minibatch_csr_kernels.sgd_epoch_csr(
                *given, rule, settings, steps, vectors, intercept, (*block, gradient, zero)
            )
        shape = (-1, n_logits)
        return minibatch_csr_kernels.sgd_epoch_csr_lazy(
            *given,
            steps,
            params[:n_coef].reshape(shape),
            intercept,
            len(params) > n_coef,
            (mean[:n_coef].reshape(shape), mean[n_coef:]),
            (*block, np.empty(n_logits), zero),
        )

    def saga_epoch(
        self, loss: tuple[Any, ...], order: NDArray[np.int64], rate: float, alpha: float, memory: SAGAMemory
    ) -> float:
        coef, intercept, fits_intercept, sums = _matrices(memory, (self.n_features, -1))
        targets, batch, block = _minibatch(loss, 1, np.empty((1, len(intercept))))
        state = (memory.n_seen, memory.table, coef, intercept, fits_intercept, sums, np.zeros(self.n_features))
        return saga_kernels.saga_csr(*self._arrays, order, targets, batch, rate, alpha, *state, block)

    def squared_norms(self) -> NDArray[np.float64]:
        norms = np.empty(self.n_rows)
        for start in range(0, self.n_rows, MAX_BLOCK_ROWS):
            part = self._X[start : start + MAX_BLOCK_ROWS]  # a copy
            part.sum_duplicates()
            rows = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
            squares = np.square(part.data, dtype=np.float64)
            norms[start : start + MAX_BLOCK_ROWS] = np.bincount(rows, squares, minlength=part.shape[0])
        return norms

    def block_columns(self, n_logits: int) -> tuple[NDArray[np.intp], RowBlocks]:
        # As many that the products of the block columns cost about as much as a few passes over the rows.
        n_columns = int(np.sqrt(BLOCK_COLUMN_PASSES * n_logits * self.n_stored / max(self.n_rows, 1)))
        n_columns = max(n_columns, MIN_BLOCK_COLUMNS)
        if n_columns >= self.n_features:
            return np.arange(self.n_features), self
        data, indices, _ = self._arrays
        weight = np.bincount(indices, np.square(data, dtype=np.float64), minlength=self.n_features)
        columns = np.sort(np.argsort(-weight, kind="stable")[:n_columns])
        return columns, CSRRows(sparse.csr_array(self._X)[:, columns])

    def dense(self, start: int, stop: int) -> NDArray:
        return self._X[start:stop].toarray()


class RotatedRows(DenseRows):
    r"""Wide rows in coordinates of the space that they span: at most as many columns as rows.

    A penalised optimum lies in the span of the rows, whatever the loss (the representer theorem), and the L2 penalty does not
    feel a rotation: the problem stays the same, and passes and Hessians shrink. By :math:`X^\top = Q R`, which is stable for
    columns of any scale where the Gram matrix of the rows would square it.

    References
    ----------
    Hastie & Tibshirani (2004), "Efficient quadratic regularization for expression arrays".
    """

    def __init__(self, X: NDArray) -> None:
        rotation, triangle = np.linalg.qr(X.T.astype(np.float64, copy=False))
        super().__init__(np.ascontiguousarray(triangle.T, dtype=X.dtype))
        self._rotation = rotation

    @staticmethod
    def is_worth_it(rows: RowBlocks) -> bool:
        """Return whether rows are wide and the rotation is small."""
        return rows.class_major and rows.n_rows < rows.n_features and 8 * rows.n_stored <= MAX_ROTATION_BYTES

    def expand(self, coef: NDArray[np.float64]) -> NDArray[np.float64]:
        return coef @ self._rotation.T

    def reduce(self, coef: NDArray) -> NDArray:
        return coef @ self._rotation


def as_rows(X: Any) -> RowBlocks:
    """Return the row blocks of a C-contiguous array or a CSR matrix of float32 or float64."""
    return CSRRows(X) if sparse.issparse(X) else DenseRows(X)


def _read_only(array: NDArray) -> NDArray:
    """Return a plain read-only view, so that writeable, read-only and memory-mapped data compile one kernel."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def _minibatch(
    loss: tuple[Any, ...], n_rows: int, logits: NDArray
) -> tuple[tuple[Any, ...], tuple[NDArray, ...], LinearParams]:
    """Return the targets of all rows, and scratch for those of n_rows of them and for their logits, as kernels take them."""
    _, labels, proba, *_ = loss
    batch = (labels[:n_rows].copy(), proba[:n_rows].copy(), np.empty(n_rows))
    return loss, batch, (logits, np.empty(n_rows))


def _matrices(memory: SAGAMemory, shape: tuple[int, int]) -> tuple[NDArray, NDArray, bool, LinearParams]:
    """Return coefficients, intercept, whether it is fitted, and the sums for both, as kernels take them."""
    n_logits = memory.table.shape[1]
    n_coef = len(memory.sums) - n_logits
    coef, fits_intercept = memory.params[:n_coef].reshape(shape), len(memory.params) > n_coef
    intercept = memory.params[n_coef:] if fits_intercept else np.zeros(n_logits)
    return coef, intercept, fits_intercept, (memory.sums[:n_coef].reshape(shape), memory.sums[n_coef:])


def score_rows(rows: RowBlocks, coef: NDArray, intercept: NDArray, n_threads: int) -> NDArray:
    """Return the logits of all rows.

    Parameters
    ----------
    rows : RowBlocks
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


def _saturate(rows: RowBlocks, coef: NDArray, intercept: NDArray, logits: NDArray) -> None:
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
