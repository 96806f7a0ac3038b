"""Shuffled rows gathered chunk by chunk, ahead of the kernel that steps through them.

What lives here: how an order of rows is cut into chunks of minibatches, and the buffers that their rows are copied to. What
doesn't: the steps (``kernels.minibatch``), the rows themselves (``rows``).

A minibatch of shuffled rows is scattered over X. Rows are copied together first, so that kernels read contiguous memory, and a
pool copies the next chunks while the kernel works on this one. Neither the chunks' sizes nor the threads change a result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .threads import map_in_order

# Rows are gathered so many bytes at a time, and so many chunks before they are asked for.
GATHER_BYTES = 2**20
GATHER_AHEAD = 2


class GatherChunk(NamedTuple):
    """Some rows of an order: whole minibatches, or a part of one.

    Attributes
    ----------
    number : int
        Of the chunk, from 0.
    start, stop : int
        Its rows are ``order[start:stop]``.
    first, last : int
        Its minibatches are ``first:last``.
    begins, ends : bool
        Whether it begins and ends its minibatches; not, if it is the middle of one that is longer than a chunk.
    """

    number: int
    start: int
    stop: int
    first: int
    last: int
    begins: bool
    ends: bool


def gather_chunks(n_rows: int, batch_size: int, max_rows: int) -> list[GatherChunk]:
    """Cut n_rows rows into chunks of at most max_rows: of whole minibatches, or parts of minibatches that are longer."""
    chunks: list[tuple[int, int, int, int, bool, bool]] = []
    if batch_size <= max_rows:
        chunk_rows = max_rows // batch_size * batch_size
        for start in range(0, n_rows, chunk_rows):
            stop = min(start + chunk_rows, n_rows)
            chunks.append((start, stop, start // batch_size, -(-stop // batch_size), True, True))
    else:
        for batch, begin in enumerate(range(0, n_rows, batch_size)):
            end = min(begin + batch_size, n_rows)
            for start in range(begin, end, max_rows):
                stop = min(start + max_rows, end)
                chunks.append((start, stop, batch, batch + 1, start == begin, stop == end))
    return [GatherChunk(number, *chunk) for number, chunk in enumerate(chunks)]


def gather_rows(
    X: NDArray, targets: Sequence[NDArray], order: NDArray[np.int64], batch_size: int, pool: ThreadPoolExecutor | None
) -> Iterator[tuple[NDArray, tuple[NDArray, ...], GatherChunk]]:
    """Yield rows and targets in the given order, chunk by chunk.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
    targets : sequence of ndarray
        Of as many rows as X, or empty; what is empty stays so.
    order : ndarray of int64
    batch_size : int
    pool : executor or None
        To copy ``GATHER_AHEAD`` chunks before they are asked for.

    Yields
    ------
    X, targets, chunk
        In buffers that the next chunk but ``GATHER_AHEAD`` overwrites; without a pool, the next one.
    """
    chunks = gather_chunks(len(order), batch_size, max(GATHER_BYTES // max(X.dtype.itemsize * X.shape[1], 1), 1))
    length = max((chunk.stop - chunk.start for chunk in chunks), default=0)
    # One is read by the kernel, GATHER_AHEAD wait for it, one is being filled.
    n_buffers = min(GATHER_AHEAD + 2 if pool is not None else 1, len(chunks))
    sources = [X, *(array for array in targets if len(array) > 0)]
    buffers = [[np.empty((length, *array.shape[1:]), array.dtype) for array in sources] for _ in range(n_buffers)]

    def gather(chunk: GatherChunk) -> list[NDArray]:
        rows = order[chunk.start : chunk.stop]
        gathered = [buffer[: len(rows)] for buffer in buffers[chunk.number % n_buffers]]
        for array, out in zip(sources, gathered, strict=True):
            np.take(array, rows, axis=0, out=out, mode="clip")  # other modes copy what they take once more
        gathered[0].flags.writeable = False  # as all rows are, for one kernel
        return gathered

    for chunk, (X_chunk, *gathered) in zip(chunks, map_in_order(pool, GATHER_AHEAD, gather, chunks), strict=True):
        yield X_chunk, tuple(gathered.pop(0) if len(array) > 0 else array for array in targets), chunk
