"""What an epoch of minibatches or of SAGA starts from and changes, and the scratch that its kernels need.

What lives here: plans, memories, scratch. What doesn't: the kernels, and where shuffled rows are gathered (``batches``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..losses._arguments import KernelArguments, SumArguments


class MinibatchPlan(NamedTuple):
    """How an epoch of minibatches steps, and from where.

    Attributes
    ----------
    n_logits : int
    batch_size : int
    optimizer : int
        The kernels' number of the optimizer.
    hyperparameters : record of dtype ``kernels.minibatch.HYPERPARAMETERS``
    steps : ndarray of shape (n_minibatches,), dtype ``kernels.minibatch.STEP``
    vectors : tuple of ndarray, (params, first moments, second moments, mean)
        float64, flat; those that the optimizer does not use are empty.
    """

    n_logits: int
    batch_size: int
    optimizer: int
    hyperparameters: np.void
    steps: NDArray[np.void]
    vectors: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


class SAGAMemory(NamedTuple):
    """What SAGA keeps between epochs.

    Attributes
    ----------
    params : ndarray of shape (n_params,), float64
    table : ndarray of shape (n_rows, n_logits), float64
        Latest weighted gradient of each row by its logits.
    gradient_sum : ndarray of shape (n_coef + n_logits,), float64
        Sum over the rows of the gradients that these make.
    n_seen : int
        Rows in the table: none or all.
    """

    params: NDArray[np.float64]
    table: NDArray[np.float64]
    gradient_sum: NDArray[np.float64]
    n_seen: int


def minibatch_scratch(
    loss: KernelArguments, n_rows: int, logits: NDArray
) -> tuple[SumArguments, tuple[NDArray, ...], tuple[NDArray, NDArray]]:
    """Return the targets of all rows, and scratch for those of n_rows of them and for their logits, as kernels take them."""
    batch_targets = (loss.labels[:n_rows].copy(), loss.proba[:n_rows].copy(), np.empty(n_rows))
    return loss.value_and_gradient(logits.dtype), batch_targets, (logits, np.empty(n_rows))


def saga_matrices(memory: SAGAMemory, shape: tuple[int, int]) -> tuple[NDArray, NDArray, bool, tuple[NDArray, NDArray]]:
    """Return coefficients, intercept, whether it is fitted, and the gradient's sum for both, as kernels take them."""
    n_logits = memory.table.shape[1]
    n_coef = len(memory.gradient_sum) - n_logits
    coef, fits_intercept = memory.params[:n_coef].reshape(shape), len(memory.params) > n_coef
    intercept = memory.params[n_coef:] if fits_intercept else np.zeros(n_logits)
    gradient_sum = memory.gradient_sum[:n_coef].reshape(shape), memory.gradient_sum[n_coef:]
    return coef, intercept, fits_intercept, gradient_sum
