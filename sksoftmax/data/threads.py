"""Threads of a fit: the pool, the ordered map over it, and BLAS held at one thread meanwhile.

What lives here: nothing that knows of rows. What doesn't: how rows are cut into segments (``rows``).

Ctrl-C raises KeyboardInterrupt in the main thread, after any call there: also before the first instruction of an ``__exit__``
or of a ``finally`` block's function. So there are no context managers here, whose exit would be skipped; what was is noted
before it is changed; and what is given back is given back again by a second ``finally``, which does nothing where the first
was whole.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")

Limits = list[tuple[Any, int]]
"""Libraries, as threadpoolctl controls them, and their numbers of threads."""


class _Hold:
    """A fit's claim on single-threaded BLAS."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.own_before: Limits = []  # limits of this thread alone: those of an OpenBLAS that runs on OpenMP


class _SingleThreadedBLAS:
    """Holds BLAS at one thread from the first of fits that overlap, in several threads, to the last; then gives it back.

    Our threads already fill the cores, and the threads of BLAS spin on for a while after each call. Products of other threads
    are other bits, too: the limit is the process's, and a fit must not depend on which of its neighbours ends first.
    """

    def __init__(self) -> None:
        # threadpoolctl has a lock of its own inside of this one: held while a process forks, neither is taken in the child.
        self.lock = threading.RLock()
        self._holds: set[_Hold] = set()
        self._before: Limits = []  # of the process, before the first of the holds

    def take(self, hold: _Hold) -> None:
        """Limit BLAS to one thread until hold, and every other, is given back."""
        with self.lock:
            controlled = _blas_libraries()
            if not self._before:
                self._before = [(library, library.num_threads) for library in controlled]
            hold.own_before = [(library, library.num_threads) for library in controlled if _limits_only_its_thread(library)]
            self._holds.add(hold)
            _set([(library, 1) for library in controlled])

    def give_back(self, hold: _Hold) -> None:
        """Give hold back, and with the last one the limits that were; do nothing if that is done."""
        with self.lock:
            _set(hold.own_before)
            hold.own_before = []
            self._holds.discard(hold)
            if not self._holds:
                _set([limit for limit in self._before if not _limits_only_its_thread(limit[0])])
                _let_any_thread_set_limits()
                self._before = []

    def after_fork(self) -> None:
        """Give back, in the child of a fork, what fits of the parent held: they do not run here."""
        for hold in list(self._holds):
            if hold.thread != threading.get_ident():
                hold.own_before = []
            self.give_back(hold)
        self.lock.release()  # taken before the fork by this very thread


def _set(limits: Limits) -> None:
    if limits:
        _let_any_thread_set_limits()
    for library, n_threads in limits:
        library.set_num_threads(n_threads)


def _let_any_thread_set_limits() -> None:
    """Take the limit of OpenBLAS from the thread that threadpoolctl lets alone set it, the first that did, while it lives."""
    for library in _blas_libraries():
        if hasattr(library, "clear_controlling_thread"):  # threadpoolctl >= 3.7
            library.clear_controlling_thread(force=True)


@cache
def _blas_libraries() -> list[Any]:
    return ThreadpoolController().select(user_api="blas").lib_controllers


def _limits_only_its_thread(library: Any) -> bool:
    return getattr(library, "threading_layer", None) == "openmp"


_single_threaded_blas = _SingleThreadedBLAS()
if hasattr(os, "register_at_fork"):  # not on Windows
    # The lock's own methods: a Python function could be interrupted before it gives the lock back.
    os.register_at_fork(
        before=_single_threaded_blas.lock.acquire,
        after_in_parent=_single_threaded_blas.lock.release,
        after_in_child=_single_threaded_blas.after_fork,
    )


def run_in_pool(n_threads: int, function: Callable[[ThreadPoolExecutor | None], Result]) -> Result:
    """Return ``function(pool)``, of an executor that ends with it, or of None for one thread.

    Kept no longer than a call: threads do not survive a fork, and a pool that waits for them would hang.
    """
    if n_threads == 1:
        return function(None)
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="sksoftmax")
    try:
        try:
            return function(pool)
        finally:
            pool.shutdown(cancel_futures=True)
    finally:
        pool.shutdown(cancel_futures=True)


def run_fit(n_threads: int, function: Callable[[ThreadPoolExecutor | None], Result]) -> Result:
    """Do as ``run_in_pool`` with BLAS held at one thread meanwhile."""
    hold = _Hold()
    try:
        try:
            _single_threaded_blas.take(hold)
            return run_in_pool(n_threads, function)
        finally:
            _single_threaded_blas.give_back(hold)
    finally:
        _single_threaded_blas.give_back(hold)


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
