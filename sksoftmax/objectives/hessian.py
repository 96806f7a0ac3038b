r"""The Hessian of a linear objective's loss, a block of coefficients for each pair of logits.

.. math:: H_{kl} = \sum_i w_i \, \frac{\partial^2 \ell_i}{\partial z_{ik} \partial z_{il}} \, x_i x_i^\top

What lives here: these weighted Gram matrices, added block by block. What doesn't: the penalty, the order of the flat vector.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import InMemoryDataset
from ..data.rows import LinearParams, Rows, Segment
from ..data.threads import map_in_order
from ..kernels import gram as gram_kernels
from ..losses import BoundLoss

# Rows per step: long enough for BLAS, short enough to be a small temporary.
HESSIAN_ROWS = 1024
# Numbers per step: temporaries stay small beside X.
BLOCKS_NUMBERS = 2**21
# Features from which one block is worth handing to a thread.
HESSIAN_FEATURES = 32
# Columns of a single logit's Hessian that are added at a time: wide enough for BLAS, small beside the matrix.
PANEL = 256

Vector = NDArray[np.float64]


# Blocks (k, l) and (l, k) are the same symmetric matrix: K (K + 1) / 2 of them are added up, of the pairs k ≥ l, and each is
# written to both places. Each is a product Xᵀ diag(h_kl) X of a step of rows. Its weights are of one sign for cross-entropy,
# w p_k (1 - p_k) for k = l and -w p_k p_l otherwise: as ±(√|h| X)ᵀ(√|h| X) it is a symmetric product (BLAS syrk), half the cost
# of a general one. Those of losses with a margin or of the focal loss may have both signs, and take the general one. Narrow X
# takes a kernel, as BLAS calls would cost more than products of a few columns. Σ_i w_i (diag(p_i) - p_i p_iᵀ) ⊗ x_i x_iᵀ as K
# blocks less one product of the (n_rows, n_params) matrix √w_i p_i ⊗ x_i was not taken: it serves cross-entropy alone, needs K
# times the memory of X, and cancels where p is near one.


def add_hessian(
    data: InMemoryDataset,
    loss: BoundLoss,
    params: LinearParams,
    *,
    positions: NDArray[np.intp],
    fit_intercept: bool,
    hessian: Vector,
) -> None:
    """Add the loss's Hessian at params, as the rows' kernels take them, to hessian, (n_params, n_params)."""
    arguments = loss.arguments(data.targets)
    n_pairs = loss.n_logits * (loss.n_logits + 1) // 2
    n_rows = step_rows(n_pairs)
    add: Callable = add_narrow_blocks if data.n_features < HESSIAN_FEATURES else add_wide_blocks
    # Each pair has its own part of the matrix: the order in which threads add them does not matter.
    n_parts = min(2 * data.n_threads, n_pairs)
    parts = list(pairwise(n_pairs * i // n_parts for i in range(n_parts + 1)))
    pool = data.pool if len(data.segments(loss.n_logits)) > 1 else None
    for start in range(0, data.n_rows, n_rows):
        stop = min(start + n_rows, data.n_rows)
        # In float32 a probability near one rounds to one, and the curvature that a raw column lives on is lost.
        pair_weight = np.empty((n_pairs, stop - start))
        logits = data.score(params, start, stop).astype(np.float64, copy=False)
        arguments.fill_pairs(start, stop, logits, pair_weight)
        design = design_matrix(data.rows, start, stop, fit_intercept).astype(np.float64, copy=False)
        blocks = partial(add, design, pair_weight, positions=positions, hessian=hessian)
        for _ in map_in_order(pool, n_parts, blocks, parts):
            pass


def step_rows(n_pairs: int) -> int:
    """Return the rows whose second derivatives by so many pairs of logits are held at a time."""
    return min(max(BLOCKS_NUMBERS // n_pairs, 64), HESSIAN_ROWS)


def design_matrix(rows: Rows, start: int, stop: int, fit_intercept: bool) -> NDArray:
    """Return a new dense copy of rows start:stop, with a last column of ones if there is an intercept."""
    copy = np.ones((stop - start, rows.n_features + fit_intercept), dtype=rows.dtype)
    copy[:, : rows.n_features] = rows.dense(start, stop)
    return copy


def add_narrow_blocks(
    design: NDArray[np.float64],
    pair_weight: NDArray[np.float64],
    pairs: Segment,
    *,
    positions: NDArray[np.intp],
    hessian: NDArray[np.float64],
) -> None:
    """Add the blocks of pairs of logits, in the order of ``kernels.losses``, to the Hessian."""
    gram = np.empty((positions.shape[1], positions.shape[1]))
    gram_kernels.add_hessian_blocks(design, pair_weight, *pairs, positions, gram, hessian)


def add_wide_blocks(
    design: NDArray[np.float64],
    pair_weight: NDArray[np.float64],
    pairs: Segment,
    *,
    positions: NDArray[np.intp],
    hessian: NDArray[np.float64],
) -> None:
    """Do as ``add_narrow_blocks`` by BLAS."""
    if len(positions) == 1:
        add_gram(design, pair_weight[0], hessian)
        return
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


def add_gram(design: NDArray[np.float64], weight: NDArray[np.float64], hessian: NDArray[np.float64]) -> None:
    """Add ``design.T @ diag(weight) @ design`` to the Hessian of a single logit, whose weights are not negative.

    In panels of columns: the whole product would be a second matrix of the Hessian's size.
    """
    part = design * np.sqrt(weight)[:, None]
    for start in range(0, len(hessian), PANEL):
        stop = start + PANEL
        hessian[start:stop, start:stop] += part[:, start:stop].T @ part[:, start:stop]
        beside = part[:, start:stop].T @ part[:, stop:]
        hessian[start:stop, stop:] += beside
        hessian[stop:, start:stop] += beside.T
