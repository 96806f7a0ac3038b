"""Fits inside joblib's back-ends, within the limits of others, and interrupted in the middle by a signal."""

import multiprocessing
import re
import signal
import threading

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import RFE
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import ThreadpoolController, threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax import classifier as classifier_module
from sksoftmax.data import threads as threads_module
from sksoftmax.fitting.callbacks import FitProgress
from sksoftmax.objectives.linear import LinearObjective
from sksoftmax.solvers import BATCH_SOLVERS, STOCHASTIC_SOLVERS

pytestmark = pytest.mark.large

BACKENDS = [
    "threading",
    "loky",
    pytest.param(
        "multiprocessing",
        marks=[
            pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork"),
            # Newer Pythons advise against what this is about.
            pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
        ],
    ),
]


@pytest.fixture(scope="module")
def problem():
    """Rows enough for three segments and few enough for several fits."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(16_000, 40))
    return X, (X @ rng.normal(size=(40, 5)) + rng.gumbel(size=(16_000, 5))).argmax(axis=1)


@pytest.fixture
def two_threads(monkeypatch):
    """Let fits in this process take two threads however many cores there are."""
    monkeypatch.setattr(threads_module, "_openmp_effective_n_threads", lambda: 2)


def blas_threads():
    return [library["num_threads"] for library in ThreadpoolController().info() if library["user_api"] == "blas"]


def our_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("sksoftmax")]


# -- joblib ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_fits_in_any_backend_are_the_sequential_bits_also_in_warm_pools(problem, backend):
    X, y = problem
    fits = [SoftmaxRegressionClassifier(C, solver=solver, tol=1e-2) for solver in BATCH_SOLVERS for C in (0.01, 1.0)]
    expected = [clone(clf).fit(X, y) for clf in fits]
    before = blas_threads()
    with Parallel(n_jobs=2, backend=backend) as pool:
        for _ in range(2):
            for fitted, alone in zip(pool(delayed(clf.fit)(X, y) for clf in fits), expected, strict=True):
                np.testing.assert_array_equal(fitted.coef_, alone.coef_)
                np.testing.assert_array_equal(fitted.intercept_, alone.intercept_)
    assert our_threads() == []
    assert blas_threads() == before


@pytest.mark.skipif(all(n == 1 for n in blas_threads()), reason="BLAS has one thread on this machine")
def test_blas_stays_at_one_thread_until_the_last_of_overlapping_fits_ends(problem, two_threads, monkeypatch):
    """Products of other threads are other bits: a fit would depend on what ran beside it."""
    X, y = problem
    before = blas_threads()
    report = FitProgress.on_iteration_end
    inside, other_ended, seen = threading.Event(), threading.Event(), []

    def watch(self, params, iteration):
        if threading.current_thread() is threading.main_thread():
            inside.set()
            assert other_ended.wait(timeout=60)
            seen.append(set(blas_threads()))
        else:
            assert inside.wait(timeout=60)
        return report(self, params, iteration)

    def other():
        SoftmaxRegressionClassifier(solver="lbfgs", tol=1e-2).fit(X, y)
        other_ended.set()

    monkeypatch.setattr(FitProgress, "on_iteration_end", watch)
    begun = threading.Thread(target=other)  # the first to limit BLAS, and the first to end
    run_fit = classifier_module.run_fit
    holds = threading.Event()
    announced = lambda n_threads, function: run_fit(n_threads, lambda pool: holds.set() or function(pool))  # noqa: E731
    monkeypatch.setattr(classifier_module, "run_fit", announced)
    begun.start()
    assert holds.wait(timeout=60)
    SoftmaxRegressionClassifier(solver="lbfgs", tol=1e-2).fit(X, y)
    begun.join(timeout=60)
    assert seen
    assert all(threads == {1} for threads in seen)
    assert blas_threads() == before


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_grid_search_in_any_backend_is_the_sequential_one(problem, backend):
    X, y = problem
    search = GridSearchCV(SoftmaxRegressionClassifier(tol=1e-2), {"C": [0.001, 0.1, 10.0]}, cv=3)
    expected = clone(search).fit(X, y)
    with parallel_config(backend=backend, n_jobs=2):
        nested = clone(search).fit(X, y)
    for key in expected.cv_results_:
        if key.startswith("split"):
            np.testing.assert_array_equal(nested.cv_results_[key], expected.cv_results_[key])
    assert nested.best_params_ == expected.best_params_
    np.testing.assert_array_equal(nested.best_estimator_.coef_, expected.best_estimator_.coef_)


def threads_during(clf, X, y):
    """Return the most threads of ours that ran while clf was fitted, seen once an iteration."""
    from sksoftmax import classifier  # here: the other process has a module of its own

    seen = []
    report = classifier.FitProgress.on_iteration_end

    def watch(self, params, iteration):
        names = [thread.name for thread in threading.enumerate()]
        seen.append(sum(name.startswith("sksoftmax") for name in names))
        return report(self, params, iteration)

    classifier.FitProgress.on_iteration_end = watch
    try:
        clf.fit(X, y)
    finally:
        classifier.FitProgress.on_iteration_end = report
    return max(seen)


@pytest.mark.parametrize("solver", list(BATCH_SOLVERS))
def test_as_many_threads_run_as_limits_allow(problem, solver):
    clf = SoftmaxRegressionClassifier(solver=solver, tol=1e-2)
    with threadpool_limits(1):
        assert threads_during(clf, *problem) == 0
    with threadpool_limits(1, user_api="openmp"):
        assert threads_during(clf, *problem) == 0
    with threadpool_limits(2, user_api="openmp"):
        assert 1 <= threads_during(clf, *problem) <= 2  # one, where it was idle again before the next segment came


def test_workers_of_loky_keep_to_their_share_of_the_cores(problem):
    clf = SoftmaxRegressionClassifier(solver="lbfgs", tol=1e-2)
    with parallel_config(backend="loky", n_jobs=2, inner_max_num_threads=1):
        assert Parallel()(delayed(threads_during)(clf, *problem) for _ in range(2)) == [0, 0]


# -- interrupts ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system has no signals to threads")
@pytest.mark.parametrize("solver", ["auto", *BATCH_SOLVERS])
def test_a_signal_ends_a_fit_within_an_iteration_and_keeps_what_it_has(problem, solver, two_threads, monkeypatch):
    """Sent as Ctrl-C is, once the second iteration has ended; the third may end, and then waits for it."""
    X, y = problem
    clf = SoftmaxRegressionClassifier(solver=solver, tol=0.0)
    before = blas_threads()
    second, sent = threading.Event(), threading.Event()
    ended = []

    def send():
        if second.wait(timeout=60):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            sent.set()

    def watch(self, params, iteration):
        ended.append(iteration)
        if len(ended) == 2:
            second.set()
        if len(ended) == 3:
            sent.wait(timeout=60)
        return False

    sender = threading.Thread(target=send)
    with monkeypatch.context() as patched:
        patched.setattr(FitProgress, "on_iteration_end", watch)
        sender.start()
        with pytest.raises(KeyboardInterrupt) as raised:
            clf.fit(X, y)
        sender.join()
    assert raised.value.__notes__ == [f"SoftmaxRegressionClassifier is fitted: {clf.solution_.message}."]
    assert re.match("interrupted after [23] iterations; kept iteration [23], of the lowest obj", clf.solution_.message)
    assert 2 <= len(ended) <= 3
    assert our_threads() == []
    assert blas_threads() == before
    assert clf.n_iter_ == len(clf.solution_.history) == len(ended)
    assert not clf.converged_
    assert clf.solution_.value == min(iteration.value for iteration in ended)
    clf.set_params(tol=1e-3)
    fresh = clone(clf).fit(X, y)
    clf.fit(X, y)
    np.testing.assert_array_equal(clf.coef_, fresh.coef_)
    np.testing.assert_array_equal(clf.intercept_, fresh.intercept_)
    assert clf.n_iter_ == fresh.n_iter_


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system has no signals to threads")
@pytest.mark.parametrize("solver", list(BATCH_SOLVERS))
def test_a_signal_before_the_first_iteration_has_ended_leaves_nothing(problem, solver, two_threads, monkeypatch):
    X, y = problem
    clf = SoftmaxRegressionClassifier(solver=solver)
    before = blas_threads()
    evaluate = LinearObjective.value_and_gradient

    def interrupt(self, params):
        value_and_gradient = evaluate(self, params)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return value_and_gradient

    with monkeypatch.context() as patched:
        patched.setattr(LinearObjective, "value_and_gradient", interrupt)
        with pytest.raises(KeyboardInterrupt):
            clf.fit(X, y)
    assert our_threads() == []
    assert blas_threads() == before
    assert not hasattr(clf, "coef_")
    assert not hasattr(clf, "n_features_in_")


def interrupt_at(n_iter, patched):
    """Let the n-th iteration of every fit from here on be interrupted in a callback; return those interrupted."""
    interrupted = []

    def interrupt(self, params, iteration):
        self.n_seen = getattr(self, "n_seen", 0) + 1
        if self.n_seen == n_iter:
            interrupted.append(self)
            raise KeyboardInterrupt
        return False

    patched.setattr(FitProgress, "on_iteration_end", interrupt)
    return interrupted


@pytest.mark.parametrize("solver", list(BATCH_SOLVERS))
def test_an_interrupt_in_a_callback_keeps_that_iteration(problem, solver, two_threads, monkeypatch):
    X, y = problem
    before = blas_threads()
    clf = SoftmaxRegressionClassifier(solver=solver, tol=1e-2)
    with monkeypatch.context() as patched:
        interrupt_at(1, patched)
        with pytest.raises(KeyboardInterrupt):
            clf.fit(X, y)
    assert "interrupted after 1 iterations; kept iteration 1" in clf.solution_.message
    assert clf.n_features_in_ == clf.coef_.shape[1] == 40
    assert our_threads() == []
    assert blas_threads() == before
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        expected = clone(clf).set_params(max_iter=1, tol=0.0).fit(X, y)
    np.testing.assert_array_equal(clf.coef_, expected.coef_)
    np.testing.assert_array_equal(clf.fit(X, y).coef_, clone(clf).fit(X, y).coef_)


def test_a_fit_in_a_pipeline_keeps_its_best_validation_iteration_too(problem, monkeypatch):
    X, y = problem
    clf = SoftmaxRegressionClassifier(C=np.inf, solver="lbfgs", early_stopping=True, n_iter_no_change=50, random_state=0)
    interrupt_at(15, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        make_pipeline(StandardScaler(), clf).fit(X[:300], y[:300])
    curve = [iteration.validation_cross_entropy for iteration in clf.solution_.history]
    assert clf.n_iter_[0] == len(curve) == 15
    assert clf.best_iteration_ == 1 + np.argmin(curve) < 15
    assert clf.solution_.value == clf.solution_.history[clf.best_iteration_ - 1].value


@pytest.mark.parametrize("solver", [*STOCHASTIC_SOLVERS, "saga"])
def test_an_interrupted_stochastic_fit_says_how_far_it_is(problem, solver, monkeypatch):
    """Its history has losses met on the way and no gradients."""
    X, y = problem
    clf = SoftmaxRegressionClassifier(solver=solver, random_state=0)
    with monkeypatch.context() as patched:
        interrupt_at(2, patched)
        with pytest.raises(KeyboardInterrupt):
            clf.fit(X, y)
    assert clf.n_iter_[0] == 2
    assert not clf.converged_
    whole = clone(clf).set_params(max_iter=2, tol=None).fit(X, y)
    np.testing.assert_array_equal(clf.coef_, whole.coef_)
    if solver != "saga":  # which knows about its gradient
        assert (clf.solution_.value, clf.solution_.gradient_norm) == (whole.solution_.value, whole.solution_.gradient_norm)


def test_an_interrupted_fit_leaves_the_last_one_whole_or_replaces_it(problem, monkeypatch):
    X, y = problem
    clf = SoftmaxRegressionClassifier(solver="lbfgs", tol=1e-2).fit(X, y)
    last = dict(vars(clf))
    with monkeypatch.context() as patched:
        patched.setattr(LinearObjective, "value_and_gradient", interrupt)
        with pytest.raises(KeyboardInterrupt):
            clf.fit(X[:, :7], y)
    assert vars(clf) == last
    with monkeypatch.context() as patched:
        interrupt_at(1, patched)
        with pytest.raises(KeyboardInterrupt):
            clf.fit(X[:, :7], y)
    assert clf.n_features_in_ == clf.coef_.shape[1] == 7
    assert len(clf.predict(X[:, :7])) == len(X)


def test_an_interrupted_partial_fit_has_learnt_nothing(problem, monkeypatch):
    X, y = problem
    clf = SoftmaxRegressionClassifier(solver="sgd", random_state=0).partial_fit(X, y, classes=np.arange(5))
    last = dict(vars(clf))
    with monkeypatch.context() as patched:
        patched.setattr(LinearObjective, "penalty_value", interrupt)
        with pytest.raises(KeyboardInterrupt):
            clf.partial_fit(X, y)
    assert vars(clf) == last


def interrupt(*_):
    raise KeyboardInterrupt


def meta_fits():
    clf = SoftmaxRegressionClassifier(solver="lbfgs")
    yield "search", GridSearchCV(clf, {"C": [0.1, 1.0, 10.0]}, cv=2).fit
    yield "search over a pipeline", GridSearchCV(make_pipeline(StandardScaler(), clf), {}, cv=2).fit
    yield "cross-validation", lambda X, y: cross_validate(clf, X, y, cv=2)
    yield "elimination", RFE(clf, n_features_to_select=1).fit
    yield "voting", VotingClassifier([("a", clf), ("b", clf)]).fit


@pytest.mark.parametrize("fit", [pytest.param(fit, id=name) for name, fit in meta_fits()])
def test_an_interrupt_goes_through_what_would_go_on_with_the_next_fit(fit, problem, monkeypatch):
    interrupted = interrupt_at(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        fit(*problem)
    assert len(interrupted) == 1


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cholesky"])
def test_an_interrupt_in_one_of_two_overlapping_fits_leaves_the_other(problem, solver, two_threads, monkeypatch):
    """The first waits inside an iteration until the second has been interrupted."""
    X, y = problem
    before = blas_threads()
    expected = SoftmaxRegressionClassifier(solver=solver, tol=1e-2).fit(X, y)
    started, interrupted = threading.Event(), threading.Event()
    report = FitProgress.on_iteration_end
    first, result = SoftmaxRegressionClassifier(solver=solver, tol=1e-2), []

    def wait_or_interrupt(self, params, iteration):
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        started.set()
        assert interrupted.wait(timeout=60)
        return report(self, params, iteration)

    monkeypatch.setattr(FitProgress, "on_iteration_end", wait_or_interrupt)
    thread = threading.Thread(target=lambda: result.append(first.fit(X, y)))
    thread.start()
    try:
        assert started.wait(timeout=60)
        with pytest.raises(KeyboardInterrupt):
            SoftmaxRegressionClassifier(solver=solver, tol=1e-2).fit(X, y)
    finally:
        interrupted.set()
        thread.join(timeout=60)
    assert our_threads() == []
    assert blas_threads() == before
    np.testing.assert_array_equal(result[0].coef_, expected.coef_)
