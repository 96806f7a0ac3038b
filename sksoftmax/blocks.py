"""Row blocks of the data.

What lives here: dense (also memory-mapped), wide and CSR rows behind one contract, their cutting into cache-sized blocks and
into segments for threads. What doesn't: losses and parameters (``objective``), threads, validation (``classifier``).

Segments depend on the data's shape alone and their partial sums are added in segment order, so that a result is the same
bits whatever the number of threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .kernels import softmax as kernels

# A block of X, its logits and their gradient share the second-level cache of a core.
BLOCK_BYTES = 2**18
MAX_BLOCK_ROWS = 4096
MAX_SEGMENTS = 16
# Below this many multiplications a segment costs less than handing it to a thread.
SEGMENT_WORK = 2**20
# Of the head of sparse columns: how many passes over the rows it may cost, and its least length.
HEAD_PASSES = 8
MIN_HEAD = 64
MAX_ROTATION_BYTES = 2**28

Segment = tuple[int, int]
"""Where a thread's rows start and stop."""

Pair = tuple[NDArray, NDArray]
"""Coefficients and intercept, or their gradients."""


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
    def sum_loss(self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, segment: Segment, out: Pair) -> float:
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
        self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, direction: Pair, segment: Segment, out: Pair
    ) -> None:
        """Add the Hessian of a loss over a segment times direction to out; as ``sum_loss``."""

    @abstractmethod
    def sum_curvature(self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, segment: Segment, out: Pair) -> None:
        """Add the diagonal of the Hessian of a loss over a segment to out; as ``sum_loss``."""

    @abstractmethod
    def head(self, n_logits: int) -> tuple[NDArray[np.intp], RowBlocks]:
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
        n_rows = min(int(np.clip(BLOCK_BYTES // row_bytes // 8 * 8, 32, MAX_BLOCK_ROWS)), self.n_rows)
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
        kernels.score_dense(self._X, coef, intercept, start, stop, logits)

    def sum_loss(self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, segment: Segment, out: Pair) -> float:
        logits = self.block(len(intercept))
        return kernels.sum_dense(self._X, *loss, coef, intercept, segment, (logits, np.empty(len(logits))), out)

    def sum_hessian_product(
        self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, direction: Pair, segment: Segment, out: Pair
    ) -> None:
        block = self.block(len(intercept)), self.block(len(intercept))
        number, labels, _, _, weight, parameters = loss
        kernels.hessian_product_dense(
            self._X, number, labels, parameters, weight, coef, intercept, direction, segment, block, out
        )

    def sum_curvature(self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, segment: Segment, out: Pair) -> None:
        logits = self.block(len(intercept))
        number, labels, _, _, weight, parameters = loss
        squares = np.empty((len(logits), self.n_features), dtype=self.dtype)
        kernels.sum_curvature_dense(
            self._X, number, labels, parameters, weight, coef, intercept, segment, (logits, squares), out
        )

    def head(self, n_logits: int) -> tuple[NDArray[np.intp], RowBlocks]:
        return np.arange(self.n_features), self

    def dense(self, start: int, stop: int) -> NDArray:
        return self._X[start:stop]


class CSRRows(RowBlocks):
    """Compressed sparse rows with 32- or 64-bit indices; never copied."""

    class_major = False

    def __init__(self, X: Any) -> None:
        self._X = X
        self._arrays = (_read_only(X.data), _read_only(X.indices), _read_only(X.indptr))
        self.n_rows, self.n_features = X.shape
        self.dtype = X.dtype
        self.n_stored = X.nnz

    def score(self, coef: NDArray, intercept: NDArray, start: int, stop: int, logits: NDArray) -> None:
        kernels.score_csr(*self._arrays, coef, intercept, start, stop, logits)

    def sum_loss(self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, segment: Segment, out: Pair) -> float:
        logits = self.block(len(intercept))
        return kernels.sum_csr(*self._arrays, *loss, coef, intercept, segment, (logits, np.empty(len(logits))), out)

    def sum_hessian_product(
        self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, direction: Pair, segment: Segment, out: Pair
    ) -> None:
        block = self.block(len(intercept)), self.block(len(intercept))
        number, labels, _, _, weight, parameters = loss
        kernels.hessian_product_csr(
            *self._arrays, number, labels, parameters, weight, coef, intercept, direction, segment, block, out
        )

    def sum_curvature(self, loss: tuple[Any, ...], coef: NDArray, intercept: NDArray, segment: Segment, out: Pair) -> None:
        number, labels, _, _, weight, parameters = loss
        kernels.sum_curvature_csr(
            *self._arrays, number, labels, parameters, weight, coef, intercept, segment, self.block(len(intercept)), out
        )

    def head(self, n_logits: int) -> tuple[NDArray[np.intp], RowBlocks]:
        # As many that the products of the head's columns cost about as much as a few passes over the rows.
        n_columns = int(np.sqrt(HEAD_PASSES * n_logits * self.n_stored / max(self.n_rows, 1)))
        n_columns = max(n_columns, MIN_HEAD)
        if n_columns >= self.n_features:
            return np.arange(self.n_features), self
        weight = np.bincount(self._X.indices, np.square(self._X.data, dtype=np.float64), minlength=self.n_features)
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
        return logits
    with ThreadPoolExecutor(n_threads, thread_name_prefix="sksoftmax") as pool:
        deque(pool.map(fill, segments), maxlen=0)
    return logits
