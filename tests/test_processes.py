"""Forks while another thread fits, and interrupts at any moment: nothing hangs, BLAS is given back, no thread or lock left."""

import dis
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
from threadpoolctl import ThreadpoolController

from sksoftmax.data import threads

pytestmark = pytest.mark.large

FORKS = """
import json, os, signal, sys, threading, warnings
import numpy as np
from threadpoolctl import ThreadpoolController
from sksoftmax import SoftmaxRegressionClassifier

warnings.simplefilter("ignore")  # newer Pythons advise against what this is about
blas = lambda: [library["num_threads"] for library in ThreadpoolController().info() if library["user_api"] == "blas"]
rng = np.random.default_rng(0)
X = rng.normal(size=(3000, 60))
y = (X @ rng.normal(size=(60, 8)) + rng.gumbel(size=(3000, 8))).argmax(axis=1)
X_of_child, y_of_child = X[:500], y[:500]
before, done = blas(), threading.Event()
clf = SoftmaxRegressionClassifier(solver="block-lbfgs", tol=1e-3)
expected = clf.fit(X_of_child, y_of_child).coef_

def fit_in_a_loop():
    while not done.is_set():
        SoftmaxRegressionClassifier(solver="block-lbfgs", tol=1e-3).fit(X, y)

fitting = threading.Thread(target=fit_in_a_loop)
fitting.start()
codes = []
for _ in range(10):
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # ends a child that hangs
        inherited = blas()
        same = np.array_equal(clf.fit(X_of_child, y_of_child).coef_, expected)
        os._exit(0 if same and inherited == blas() == before else 1)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
done.set()
fitting.join()
print(json.dumps([codes, blas() == before]))
"""

# One interrupt a fit, at a moment drawn from the time that a whole one takes; what must hold is looked at after each.
INTERRUPTS = """
import json, signal, sys, threading, time, warnings
import numpy as np
from scipy import sparse
from sklearn.base import clone
from threadpoolctl import ThreadpoolController
from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.data import threads
from sksoftmax.solvers import SOLVERS

warnings.simplefilter("ignore")
threads._openmp_effective_n_threads = lambda: 2
signal.signal(signal.SIGALRM, signal.default_int_handler)
blas = lambda: [library["num_threads"] for library in ThreadpoolController().info() if library["user_api"] == "blas"]
rng = np.random.default_rng(int(sys.argv[2]))
X = rng.normal(size=(9000, 30))
y = (X @ rng.normal(size=(30, 5)) + rng.gumbel(size=(9000, 5))).argmax(axis=1)
before, fits, faults = blas(), [], []
for solver in SOLVERS:
    kind = {"max_iter": 3, "tol": None} if solver in ("sgd", "adam", "adagrad", "rmsprop", "saga") else {"tol": 1e-2}
    fits.append((SoftmaxRegressionClassifier(solver=solver, random_state=0, **kind), X))
fits.append((SoftmaxRegressionClassifier(solver="block-lbfgs", tol=1e-2), sparse.csr_array(X * (np.abs(X) > 1.5))))
seconds = []
for clf, rows in fits:
    clf.fit(rows, y)  # compiles
    began = time.perf_counter()
    clf.fit(rows, y)
    seconds.append(time.perf_counter() - began)
outcomes = {"interrupted": 0, "kept": 0, "whole": 0}
for number in range(int(sys.argv[1])):
    which = number % len(fits)
    clf, rows = clone(fits[which][0]), fits[which][1]
    signal.setitimer(signal.ITIMER_REAL, max(1.1 * rng.uniform() * seconds[which], 1e-5))
    outcome = "interrupted"
    try:
        clf.fit(rows, y)
        outcome = "whole"
        time.sleep(0.2 * seconds[which])  # for the timer of a fit that was faster than the one before
    except KeyboardInterrupt as interrupt:
        keeps = interrupt  # the traceback with its frames, as an interactive session does
        outcome = "kept" if hasattr(clf, "coef_") and outcome != "whole" else outcome
    signal.setitimer(signal.ITIMER_REAL, 0)
    outcomes[outcome] += 1
    if hasattr(clf, "coef_"):
        clf.predict(rows[:5])
    if hasattr(clf, "coef_") != hasattr(clf, "n_features_in_") or hasattr(clf, "coef_") != hasattr(clf, "solution_"):
        faults.append(f"{clf}: half fitted")
    if outcome == "kept" and (clf.converged_ or len(clf.solution_.history) < 1):
        if "interrupted" in clf.solution_.message:
            faults.append(f"{clf}: interrupted and converged")
    if blas() != before:
        faults.append(f"{clf}: BLAS {blas()}")
    deadline = time.monotonic() + 5
    ours = lambda: [t for t in threading.enumerate() if t.name.startswith("sksoftmax") and t.is_alive()]
    while ours() and time.monotonic() < deadline:  # a thread just started ends by itself
        time.sleep(0.01)
    if ours():
        faults.append(f"{clf}: threads left")
    free = []
    def take_and_release():
        free.append(threads._single_threaded_blas.lock.acquire(timeout=5))
        if free[-1]:
            threads._single_threaded_blas.lock.release()
    other = threading.Thread(target=take_and_release, daemon=True)
    other.start()
    other.join()
    if free != [True]:
        faults.append(f"{clf}: lock left")
        break
print(json.dumps([faults, outcomes]))
"""


def run(program, *arguments, timeout):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    out = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout.splitlines()[-1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_children_forked_while_another_thread_fits_end_and_have_the_threads_of_blas():
    codes, given_back = run(FORKS, timeout=300)
    assert codes == [0] * 10
    assert given_back


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no interval timers")
@pytest.mark.parametrize("n_interrupts", [40, pytest.param(300, marks=pytest.mark.slow)])
def test_interrupts_at_any_moment_leave_blas_threads_and_locks_as_they_were(n_interrupts):
    faults, outcomes = run(INTERRUPTS, n_interrupts, n_interrupts, timeout=500)
    assert faults == []
    assert sum(outcomes.values()) == n_interrupts
    assert outcomes["kept"] > n_interrupts / 10
    assert outcomes["interrupted"] > 0


# Where CPython looks for signals: where a function begins, a loop turns back, and after a call. Not before one: PRECALL of
# Python 3.11 is no such place, and an interrupt there would keep a ``with`` from releasing its lock.
HEEDING = {"RESUME", "JUMP_BACKWARD", "CALL", "CALL_FUNCTION_EX", "CALL_KW"}


def interrupted_at(number, function):
    """Call function and interrupt it where CPython heeds signals in ``threads`` for the number-th time; return if it did."""
    seen, running = 0, {}

    def trace(frame, event, argument):
        nonlocal seen
        if frame.f_code.co_filename != threads.__file__:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            last = running.get(frame)
            running[frame] = opcode_names(frame.f_code)[frame.f_lasti]
            if last in HEEDING:
                seen += 1
                if seen == number:
                    raise KeyboardInterrupt
        return trace

    tracing = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(tracing)
    return False


@cache
def opcode_names(code):
    return {instruction.offset: instruction.opname for instruction in dis.get_instructions(code)}


def lock_is_free():
    """Return whether another thread can take the lock: the thread that has it could take it again."""
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(threads._single_threaded_blas.lock.acquire, timeout=5).result()
        if taken:
            pool.submit(threads._single_threaded_blas.lock.release).result()
    return taken


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_interrupt_after_any_call_gives_blas_back(n_threads):
    blas = ThreadpoolController().select(user_api="blas")
    before = [library.num_threads for library in blas.lib_controllers]
    inside = []

    def work(pool):
        inside.append([library.num_threads for library in blas.lib_controllers])
        return list(threads.map_in_order(pool, 2, abs, range(3)))

    number = 1
    while interrupted_at(number, lambda: threads.run_fit(n_threads, work)):
        assert [library.num_threads for library in blas.lib_controllers] == before, number
        assert not threads._single_threaded_blas._holds
        assert lock_is_free(), number
        assert [t for t in threading.enumerate() if t.name.startswith("sksoftmax")] == []
        number += 1
    assert number > 50
    assert {1} == {n for numbers in inside for n in numbers}
