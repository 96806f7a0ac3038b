"""Threads: as many as scikit-learn would use, none left behind, BLAS given back as it was, the same bits for any number."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from threadpoolctl import ThreadpoolController, threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax import classifier as classifier_module
from sksoftmax._optional import import_optional
from sksoftmax.data import threads as threads_module
from sksoftmax.data.threads import run_fit
from sksoftmax.fitting.callbacks import FitProgress
from sksoftmax.solvers import BATCH_SOLVERS


@pytest.fixture
def problem(rng):
    """Rows enough for several segments."""
    X = rng.normal(size=(30_000, 60))
    return X, (X @ rng.normal(size=(60, 5)) + rng.gumbel(size=(30_000, 5))).argmax(axis=1)


def blas_threads():
    return [library["num_threads"] for library in ThreadpoolController().info() if library["user_api"] == "blas"]


def our_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("sksoftmax")]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("solver", list(BATCH_SOLVERS))
def test_a_fit_is_the_same_bits_on_any_number_of_threads(problem, monkeypatch, solver, dtype):
    X, y = problem
    X = X.astype(dtype)
    fits = []
    for n_threads in (1, 2, 3):
        monkeypatch.setattr(threads_module, "_openmp_effective_n_threads", lambda n_threads=n_threads: n_threads)
        fits.append(SoftmaxRegressionClassifier(solver=solver, tol=1e-2).fit(X, y))
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.coef_, fits[0].coef_)
        np.testing.assert_array_equal(fit.predict_proba(X), fits[0].predict_proba(X))


def test_limits_of_others_are_honoured(problem, monkeypatch):
    X, y = problem
    asked = []
    monkeypatch.setattr(classifier_module, "run_fit", lambda n, function: asked.append(n) or run_fit(n, function))
    with threadpool_limits(1):
        SoftmaxRegressionClassifier(tol=1e9).fit(X, y)
    SoftmaxRegressionClassifier(tol=1e9).fit(X, y)
    assert asked == [1, _openmp_effective_n_threads()]


def test_no_thread_is_left_and_blas_is_given_back(problem, monkeypatch):
    X, y = problem
    before = blas_threads()
    seen = []

    report = FitProgress.on_iteration_end

    def watch(self, params, iteration):
        seen.append(blas_threads())
        return report(self, params, iteration)

    monkeypatch.setattr(FitProgress, "on_iteration_end", watch)
    SoftmaxRegressionClassifier(solver="lbfgs", tol=1e-2).fit(X, y)
    assert seen
    assert all(set(threads) == {1} for threads in seen)
    assert blas_threads() == before
    assert our_threads() == []


def test_blas_is_held_within_the_limits_of_others(problem, monkeypatch):
    X, y = problem
    seen = []
    report = FitProgress.on_iteration_end
    monkeypatch.setattr(FitProgress, "on_iteration_end", lambda *a: seen.append(set(blas_threads())) or report(*a))
    with threadpool_limits(2):
        SoftmaxRegressionClassifier(tol=1e-2).fit(X[:500], y[:500])  # too few rows for our threads
        SoftmaxRegressionClassifier(tol=1e-2).fit(X, y)
        assert set(blas_threads()) == {2}
    assert set.union(*seen) == {1}


def test_fits_in_several_threads_give_blas_back(problem):
    X, y = problem
    before = blas_threads()
    with ThreadPoolExecutor(4) as pool:
        fits = list(pool.map(lambda _: SoftmaxRegressionClassifier(tol=1e-2).fit(X[:5000], y[:5000]), range(8)))
    assert blas_threads() == before
    for fit in fits:
        np.testing.assert_array_equal(fit.coef_, fits[0].coef_)


def test_an_interrupt_leaves_no_thread_and_a_usable_estimator(problem, monkeypatch):
    X, y = problem
    before = blas_threads()
    clf = SoftmaxRegressionClassifier(tol=1e-2).fit(X, y)
    expected = clf.predict_proba(X)

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(FitProgress, "on_iteration_end", interrupt)
        with pytest.raises(KeyboardInterrupt):
            clf.fit(X, y)
    assert our_threads() == []
    assert blas_threads() == before
    assert not clf.converged_
    np.testing.assert_array_equal(clf.fit(X, y).predict_proba(X), expected)


def _fit_in_child(queue, X, y):
    queue.put(SoftmaxRegressionClassifier(tol=1e-2).fit(X, y).coef_)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # newer Pythons advise against what this is about
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_a_fork_after_a_fit_does_not_hang(problem):
    X, y = problem
    expected = SoftmaxRegressionClassifier(tol=1e-2).fit(X, y).coef_
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_fit_in_child, args=(queue, X, y))
    child.start()
    np.testing.assert_array_equal(queue.get(timeout=120), expected)
    child.join(timeout=60)
    assert child.exitcode == 0


def test_a_missing_optional_library_says_how_to_install_it():
    assert import_optional("json", purpose="This test").loads("1") == 1
    with pytest.raises(ImportError, match="This test needs nonsense_library, which is not installed: pip install nonsense_l"):
        import_optional("nonsense_library.sub", purpose="This test")


def test_predicting_a_few_rows_counts_no_cores(problem, monkeypatch):
    """The first count runs a program, which takes longer than all else that a first prediction does."""
    X, y = problem
    clf = SoftmaxRegressionClassifier(tol=1e9).fit(X, y)
    monkeypatch.setattr(threads_module, "_openmp_effective_n_threads", lambda: pytest.fail("cores counted"))
    clf.predict_proba(X[:5])


def test_an_interrupt_that_costs_a_condition_its_lock_is_an_interrupt():
    class Interrupted:
        def result(self):
            try:
                raise KeyboardInterrupt
            finally:
                raise RuntimeError("cannot release un-acquired lock")

    class Pool:
        def submit(self, function, item):
            return Interrupted()

    with pytest.raises(KeyboardInterrupt):
        list(threads_module.map_in_order(Pool(), 1, abs, [1, 2, 3]))
