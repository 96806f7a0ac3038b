"""Compressed sparse rows.

What lives here: the passes over CSR rows. What doesn't: the kernels that make them, whether indices can be trusted
(``sparse_indices``).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..kernels import csr as csr_kernels
from ..kernels import minibatch as minibatch_kernels
from ..kernels import minibatch_csr as minibatch_csr_kernels
from ..kernels import saga as saga_kernels
from ..losses._arguments import KernelArguments
from .epochs import MinibatchPlan, SAGAMemory, minibatch_scratch, saga_matrices
from .rows import LinearParams, Rows, Segment, read_only

# Of the block columns: how many passes over the rows they may cost, and how many there are at least.
BLOCK_COLUMN_PASSES = 8
MIN_BLOCK_COLUMNS = 64
# Rows whose squared norms are taken at a time, from a copy.
SQUARED_NORM_ROWS = 4096


class CSRRows(Rows):
    """Compressed sparse rows with 32- or 64-bit indices; never copied. ``sparse_rows.check_indices`` has seen them."""

    class_major = False

    def __init__(self, X: Any) -> None:
        self._X = X
        # Arrays may be longer than what they hold.
        self._arrays = (read_only(X.data[: X.nnz]), read_only(X.indices[: X.nnz]), read_only(X.indptr))
        self.n_rows, self.n_features = X.shape
        self.dtype = X.dtype
        self.n_stored = X.nnz
        self.row_size = self.n_stored // max(self.n_rows, 1)

    def score(self, coef: NDArray, intercept: NDArray, start: int, stop: int, logits: NDArray) -> None:
        csr_kernels.score_csr(*self._arrays, coef, intercept, start, stop, logits)

    def project(self, gradient: NDArray, start: int, stop: int, out: LinearParams) -> None:
        csr_kernels.project_csr(*self._arrays, gradient, start, stop, *out)

    def sum_value_and_gradient(
        self, loss: KernelArguments, coef: NDArray, intercept: NDArray, segment: Segment, out: LinearParams
    ) -> float:
        logits = self.block(len(intercept))
        given, block = loss.value_and_gradient(self.dtype), (logits, np.empty(len(logits)))
        return csr_kernels.sum_csr(*self._arrays, *given, coef, intercept, segment, block, out)

    def sum_hessian_product(
        self,
        loss: KernelArguments,
        coef: NDArray,
        intercept: NDArray,
        direction: LinearParams,
        segment: Segment,
        out: LinearParams,
    ) -> None:
        block = self.block(len(intercept)), self.block(len(intercept))
        given = loss.hessian_product(self.dtype)
        csr_kernels.hessian_product_csr(*self._arrays, *given, coef, intercept, direction, segment, block, out)

    def sum_hessian_diagonal(
        self, loss: KernelArguments, coef: NDArray, intercept: NDArray, segment: Segment, out: LinearParams
    ) -> None:
        given, logits = loss.curvature(self.dtype), self.block(len(intercept))
        csr_kernels.sum_curvature_csr(*self._arrays, *given, coef, intercept, segment, logits, out)

    def sgd_epoch(
        self, loss: KernelArguments, order: NDArray[np.int64], plan: MinibatchPlan, pool: ThreadPoolExecutor | None
    ) -> float:
        n_logits, batch_size, optimizer, hyperparameters, steps, vectors = plan
        batch_size = min(batch_size, len(order))
        params, first, _, mean = vectors
        n_coef = n_logits * self.n_features
        logits = np.empty((batch_size, n_logits), dtype=self.dtype)
        targets, batch_targets, scratch = minibatch_scratch(loss, batch_size, logits)
        intercept = params[n_coef:] if len(params) > n_coef else np.zeros(n_logits)
        zero_intercept = np.zeros(n_logits, dtype=self.dtype)
        given = (*self._arrays, order, targets, batch_targets, batch_size)
        if optimizer != minibatch_kernels.SGD or len(first) > 0 or hyperparameters["l2_strength"] > 0:
            gradient = np.empty(n_coef + n_logits)
            return minibatch_csr_kernels.sgd_epoch_csr(
                *given, optimizer, hyperparameters, steps, vectors, intercept, (*scratch, gradient, zero_intercept)
            )
        shape = (-1, n_logits)
        return minibatch_csr_kernels.sgd_epoch_csr_lazy(
            *given,
            steps,
            params[:n_coef].reshape(shape),
            intercept,
            len(params) > n_coef,
            (mean[:n_coef].reshape(shape), mean[n_coef:]),
            (*scratch, np.empty(n_logits), zero_intercept),
        )

    def saga_epoch(
        self, loss: KernelArguments, order: NDArray[np.int64], lr: float, l2_strength: float, memory: SAGAMemory
    ) -> float:
        coef, intercept, fits_intercept, gradient_sum = saga_matrices(memory, (self.n_features, -1))
        targets, batch_targets, scratch = minibatch_scratch(loss, 1, np.empty((1, len(intercept))))
        state = (memory.n_seen, memory.table, coef, intercept, fits_intercept, gradient_sum, np.zeros(self.n_features))
        return saga_kernels.saga_csr(*self._arrays, order, targets, batch_targets, lr, l2_strength, *state, scratch)

    def squared_norms(self) -> NDArray[np.float64]:
        norms = np.empty(self.n_rows)
        for start in range(0, self.n_rows, SQUARED_NORM_ROWS):
            part = self._X[start : start + SQUARED_NORM_ROWS]  # a copy
            part.sum_duplicates()
            rows = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
            squares = np.square(part.data, dtype=np.float64)
            norms[start : start + SQUARED_NORM_ROWS] = np.bincount(rows, squares, minlength=part.shape[0])
        return norms

    def block_columns(self, n_logits: int) -> tuple[NDArray[np.intp], Rows]:
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
