"""Threads of a fit: the pool, the ordered map over it, and the limit of BLAS to one thread meanwhile.

What lives here: these, for functions of any kind. What doesn't: how rows are divided into segments (``rows``).

Ctrl-C raises KeyboardInterrupt in the main thread after any call, also before the first instruction of an ``__exit__`` or of a
function that a ``finally`` block calls. So there are no context managers here, whose exit could be skipped; the state before is
recorded before it is changed; and an outer ``finally`` restores it a second time, without effect if the inner one completed.
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

from .._sklearn import _openmp_effective_n_threads

Item = TypeVar("Item")
Result = TypeVar("Result")

Limits = list[tuple[Any, int]]
"""Libraries, as controllers of threadpoolctl, and their numbers of threads."""


class _Hold:
    """A fit that needs single-threaded BLAS, and the limits to restore at its end."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.own_before: Limits = []  # limits of this thread alone: those of an OpenBLAS that runs on OpenMP


class _SingleThreadedBLAS:
    """The process's limit of BLAS to one thread, from the start of the first to the end of the last of overlapping fits.

    The fits' own threads occupy the cores already, and threads of BLAS spin for a while after each call. Products by several
    threads also differ in rounding: as the limit is the process's, a fit's result would depend on which other fit ends first.
    """

    def __init__(self) -> None:
        # Acquired before a fork, so that in the child neither this lock nor threadpoolctl's, acquired within it, is locked.
        self.lock = threading.RLock()
        self._holds: set[_Hold] = set()
        self._before: Limits = []  # of the process, before the first of the holds

    def take(self, hold: _Hold) -> None:
        """Limit BLAS to one thread until ``hold``, and every other hold, is given back."""
        with self.lock:
            controlled = _blas_libraries()
            if not self._before:
                self._before = [(library, library.num_threads) for library in controlled]
            hold.own_before = [(library, library.num_threads) for library in controlled if _limits_only_its_thread(library)]
            self._holds.add(hold)
            _set([(library, 1) for library in controlled])

    def give_back(self, hold: _Hold) -> None:
        """Release a hold, and with the last one restore the limits; without effect if that has been done."""
        with self.lock:
            _set(hold.own_before)
            hold.own_before = []
            self._holds.discard(hold)
            if not self._holds:
                _set([limit for limit in self._before if not _limits_only_its_thread(limit[0])])
                _let_any_thread_set_limits()
                self._before = []

    def after_fork(self) -> None:
        """Release, in the child of a fork, the holds of the parent's fits, which do not run in the child."""
        for hold in list(self._holds):
            if hold.thread != threading.get_ident():
                hold.own_before = []
            self.give_back(hold)
        self.lock.release()  # acquired before the fork, by this thread


def _set(limits: Limits) -> None:
    if limits:
        _let_any_thread_set_limits()
    for library, n_threads in limits:
        library.set_num_threads(n_threads)


def _let_any_thread_set_limits() -> None:
    """Let any thread set OpenBLAS's limit: threadpoolctl reserves this to the first thread that did, as long as it is alive."""
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
    # The lock's own methods: a Python function could be interrupted before it releases the lock.
    os.register_at_fork(
        before=_single_threaded_blas.lock.acquire,
        after_in_parent=_single_threaded_blas.lock.release,
        after_in_child=_single_threaded_blas.after_fork,
    )


def run_in_pool(n_threads: int, function: Callable[[ThreadPoolExecutor | None], Result]) -> Result:
    """Return ``function(pool)`` for an executor that is shut down afterwards; the pool is None for one thread.

    Pools are not kept for the next call: threads do not survive a fork, and a pool that waits for them would hang.
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
    """Return ``function(pool)`` as ``run_in_pool`` does, with BLAS limited to one thread meanwhile."""
    hold = _Hold()
    try:
        try:
            _single_threaded_blas.take(hold)
            return run_in_pool(n_threads, function)
        finally:
            _single_threaded_blas.give_back(hold)
    finally:
        _single_threaded_blas.give_back(hold)


# Results come in the order of the items, whichever thread ends first: a sum over them adds the same numbers in the same order,
# and has the same bits, for any number of threads. ``Executor.map`` has this order too, but submits all items at once, and
# results as large as all coefficients would wait side by side; here at most ``n_ahead`` are computed ahead of the one that is
# asked for.


def _result(future: Future[Result]) -> Result:
    """Return a future's result, waiting for it.

    Python's conditions lose their lock to an interrupt between two of their own steps, and then raise a RuntimeError of it
    instead of the KeyboardInterrupt.
    """
    try:
        return future.result()
    except RuntimeError as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise


def map_in_order(
    pool: ThreadPoolExecutor | None, n_ahead: int, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Yield ``function(item)`` in the items' order; at most ``n_ahead`` results are computed before they are needed."""
    if pool is None:
        yield from map(function, items)
        return
    pending: deque[Future[Result]] = deque()
    for item in items:
        pending.append(pool.submit(function, item))
        if len(pending) > n_ahead:
            yield _result(pending.popleft())
    while pending:
        yield _result(pending.popleft())


def effective_n_threads() -> int:
    """Return how many threads scikit-learn would use: ``OMP_NUM_THREADS``, threadpoolctl and joblib limits are honoured."""
    return _openmp_effective_n_threads()
