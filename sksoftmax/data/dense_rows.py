"""Dense rows, in memory or memory-mapped.

What lives here: the passes over C-contiguous rows. What doesn't: the kernels that make them, sparse rows.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ..kernels import dense as dense_kernels
from ..kernels import minibatch as minibatch_kernels
from ..kernels import saga as saga_kernels
from ..losses._arguments import KernelArguments
from .batches import gather_rows
from .epochs import MinibatchPlan, SAGAMemory, minibatch_scratch, saga_matrices
from .rows import LinearParams, Rows, Segment, read_only


class DenseRows(Rows):
    """C-contiguous rows, in memory or memory-mapped; never copied."""

    class_major = True

    def __init__(self, X: NDArray) -> None:
        self._X = read_only(X)
        self.n_rows, self.n_features = X.shape
        self.dtype = X.dtype
        self.n_stored = X.size
        self.row_size = self.n_stored // max(self.n_rows, 1)

    def score(self, coef: NDArray, intercept: NDArray, start: int, stop: int, logits: NDArray) -> None:
        dense_kernels.score_dense(self._X, coef, intercept, start, stop, logits)

    def project(self, gradient: NDArray, start: int, stop: int, out: LinearParams) -> None:
        dense_kernels.project_dense(self._X, gradient, start, stop, *out)

    def sum_value_and_gradient(
        self, loss: KernelArguments, coef: NDArray, intercept: NDArray, segment: Segment, out: LinearParams
    ) -> float:
        logits = self.block(len(intercept))
        given, block = loss.value_and_gradient(self.dtype), (logits, np.empty(len(logits)))
        return dense_kernels.sum_dense(self._X, *given, coef, intercept, segment, block, out)

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
        dense_kernels.hessian_product_dense(self._X, *given, coef, intercept, direction, segment, block, out)

    def sum_hessian_diagonal(
        self, loss: KernelArguments, coef: NDArray, intercept: NDArray, segment: Segment, out: LinearParams
    ) -> None:
        logits = self.block(len(intercept))
        squares = np.empty((len(logits), self.n_features), dtype=self.dtype)
        given = loss.curvature(self.dtype)
        dense_kernels.sum_curvature_dense(self._X, *given, coef, intercept, segment, (logits, squares), out)

    def sgd_epoch(
        self, loss: KernelArguments, order: NDArray[np.int64], plan: MinibatchPlan, pool: ThreadPoolExecutor | None
    ) -> float:
        value_and_gradient, labels, proba, class_weight, weight, parameters = loss.value_and_gradient(self.dtype)
        n_logits, batch_size, optimizer, hyperparameters, steps, vectors = plan
        n_coef = n_logits * self.n_features
        coef = np.zeros(n_coef + n_logits, dtype=self.dtype)
        coef[: len(vectors[0])] = vectors[0]
        logits = self.block(n_logits)
        scratch = (logits, np.empty(len(logits)), np.empty(n_coef + n_logits))
        value = 0.0
        for X, targets, chunk in gather_rows(self._X, (labels, proba, weight), order, batch_size, pool):
            value += minibatch_kernels.sgd_epoch_dense(
                X,
                value_and_gradient,
                *targets[:2],
                class_weight,
                targets[2],
                parameters,
                batch_size,
                chunk.begins,
                chunk.ends,
                optimizer,
                hyperparameters,
                steps[chunk.first : chunk.last],
                vectors,
                coef,
                scratch,
            )
        return value

    def saga_epoch(
        self, loss: KernelArguments, order: NDArray[np.int64], lr: float, l2_strength: float, memory: SAGAMemory
    ) -> float:
        coef, intercept, fits_intercept, gradient_sum = saga_matrices(memory, (-1, self.n_features))
        targets, batch_targets, scratch = minibatch_scratch(loss, 1, np.empty((1, len(intercept))))
        return saga_kernels.saga_dense(
            self._X,
            order,
            targets,
            batch_targets,
            lr,
            l2_strength,
            memory.n_seen,
            memory.table,
            coef,
            intercept,
            fits_intercept,
            gradient_sum,
            scratch,
        )

    def squared_norms(self) -> NDArray[np.float64]:
        return np.einsum("ij,ij->i", self._X, self._X, dtype=np.float64)

    def block_columns(self, n_logits: int) -> tuple[NDArray[np.intp], Rows]:
        return np.arange(self.n_features), self

    def dense(self, start: int, stop: int) -> NDArray:
        return self._X[start:stop]
