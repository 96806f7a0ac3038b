"""Threads of a fit: the pool, the ordered map over it, and BLAS held at one thread meanwhile.

What lives here: nothing that knows of rows. What doesn't: how rows are cut into segments (``blocks``).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")


class _SingleThreadedBLAS:
    """Holds BLAS at one thread from the first of fits that overlap, in several threads, to the last; then gives it back.

    Our threads already fill the cores, and the threads of BLAS spin on for a while after each call. Products of other threads
    are other bits, too: the limit is the process's, and a fit must not depend on which of its neighbours ends first.

    threadpoolctl lets no thread touch the limit of OpenBLAS that another one, still alive, has set and not left by ``with``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._first: Any = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            # Where OpenBLAS runs on OpenMP its limit is a thread's own, which that thread has to give back.
            own = _threadpools_of_threads().limit(limits=1, user_api="blas")
            own.__enter__()
            # Not by ``with``, which would give back at its end.
            limits = _threadpools().limit(limits=1, user_api="blas")
            if self._running == 0:
                self._first = limits
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                if self._running == 0 and limits is self._first:
                    limits.restore_original_limits()
                own.__exit__(None, None, None)  # lets other threads set the limits from here on
                if self._running == 0 and limits is not self._first:
                    # In a new thread: this one's own limits are not those of the first.
                    _in_a_thread(self._first.restore_original_limits)


def _in_a_thread(function: Callable[[], Result]) -> Result:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function).result()


@cache
def _threadpools() -> ThreadpoolController:
    return ThreadpoolController()


@cache
def _threadpools_of_threads() -> ThreadpoolController:
    return _threadpools().select(threading_layer="openmp")


_single_threaded_blas = _SingleThreadedBLAS()


@contextmanager
def thread_pool(n_threads: int) -> Iterator[ThreadPoolExecutor | None]:
    """Yield an executor, or None for one thread, and hold BLAS at one thread meanwhile.

    Kept no longer than a fit: threads do not survive a fork, and a pool that waits for them would hang.
    """
    with _single_threaded_blas():
        if n_threads == 1:
            yield None
            return
        with ThreadPoolExecutor(n_threads, thread_name_prefix="sksoftmax") as pool:
            yield pool


def map_in_order(
    pool: ThreadPoolExecutor | None, n_ahead: int, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Yield ``function(item)`` in the items' order, computing at most n_ahead of them before they are asked for."""
    if pool is None:
        yield from map(function, items)
        return
    pending: deque[Future[Result]] = deque()
    for item in items:
        pending.append(pool.submit(function, item))
        if len(pending) > n_ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
