"""Validation sets, early stopping and what it keeps, for every solver; bad input; pipelines and routing."""

import re
import tracemalloc
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from reference import validation_figures
from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.data.dataset import as_rows
from sksoftmax.data.threads import run_in_pool
from sksoftmax.fitting.validation import ValidationSet, split_rows
from sksoftmax.losses import CrossEntropy, Targets
from sksoftmax.solvers import BATCH_SOLVERS, LBFGS, SOLVERS

ALL = pytest.mark.parametrize("solver", list(BATCH_SOLVERS))
unfinished = pytest.mark.filterwarnings("ignore:.*converge after [0-9]+ iterations:sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def noisy(rng):
    """Few noisy rows: hardly penalised, a model overfits them within some iterations. Training part, and validation set."""
    X = rng.normal(size=(190, 20))
    y = (2 * X[:, :4] @ rng.normal(size=(4, 4)) + rng.gumbel(size=(190, 4))).argmax(axis=1)
    weight = rng.uniform(0.2, 2.0, size=190)
    return X[:90], y[:90], weight[:90], {"X_val": X[90:], "y_val": y[90:], "sample_weight_val": weight[90:]}


def early(solver="lbfgs", **parameters):
    return SoftmaxRegressionClassifier(C=1e4, solver=solver, early_stopping=True, n_iter_no_change=3, **parameters)


def validation_curve(clf):
    return np.array([iteration.validation_cross_entropy for iteration in clf.solution_.history])


# -- figures ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_blocks")
@unfinished
@pytest.mark.parametrize("loss", [CrossEntropy(), CrossEntropy(label_smoothing=0.2)], ids=repr)
@ALL
def test_history_holds_the_plain_figures_of_a_given_validation_set(solver, loss, noisy):
    X, y, weight, held_out = noisy
    clf = SoftmaxRegressionClassifier(solver=solver, loss=loss, max_iter=4).fit(X, y, weight, **held_out)
    assert len(clf.solution_.history) == clf.n_iter_[0] > 1
    assert clf.best_iteration_ is None
    last = clf.solution_.history[-1]
    proba, weight_val = clf.predict_proba(held_out["X_val"]), held_out["sample_weight_val"]
    assert last.validation_cross_entropy == pytest.approx(
        log_loss(held_out["y_val"], proba, sample_weight=weight_val), rel=1e-12
    )
    accuracy = accuracy_score(held_out["y_val"], proba.argmax(axis=1), sample_weight=weight_val)
    assert last.validation_accuracy == pytest.approx(accuracy, rel=1e-12)
    without = SoftmaxRegressionClassifier(solver=solver, loss=loss, max_iter=4).fit(X, y, weight)
    assert_array_equal(without.coef_, clf.coef_)
    assert without.solution_.history[-1].validation_cross_entropy is None
    assert without.solution_.history[-1].validation_accuracy is None


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 0.5, 1: 3.0, 2: 1.0, 3: 0.0}], ids=str)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_class_weights_of_the_training_rows_weigh_the_validation_rows(n_classes, soft, class_weight, noisy, rng):
    X, y, weight, held_out = noisy
    y, y_val = y % n_classes, held_out["y_val"] % n_classes
    counted = np.bincount(y, weight, minlength=n_classes)
    per_class = {
        None: np.ones(n_classes),
        "balanced": counted.sum() / (n_classes * counted),
        "given": np.array([0.5, 3.0, 1.0, 0.0])[:n_classes],
    }["given" if isinstance(class_weight, dict) else class_weight]
    if isinstance(class_weight, dict):
        class_weight = {k: class_weight[k] for k in range(n_classes)}
    target = rng.dirichlet(np.ones(n_classes), size=len(y_val)) if soft else y_val
    clf = SoftmaxRegressionClassifier(class_weight=class_weight)
    clf.fit(X, y, weight, X_val=held_out["X_val"], y_val=target, sample_weight_val=held_out["sample_weight_val"])
    proba = target if soft else np.eye(n_classes)[y_val]
    expected = validation_figures(clf.predict_proba(held_out["X_val"]), proba, held_out["sample_weight_val"], per_class)
    assert_allclose(clf.solution_.history[-1][-2:], expected, rtol=1e-12)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_and_dense_validation_sets_give_the_same_figures(dtype, noisy):
    X, y, weight, held_out = noisy
    X, X_val = (np.where(np.abs(part) < 1, 0, part).astype(dtype) for part in (X, held_out["X_val"]))
    figures = [
        SoftmaxRegressionClassifier(solver="lbfgs")
        .fit(of_kind(X), y, weight, **{**held_out, "X_val": val_of_kind(X_val)})
        .solution_.history[3][-2:]
        for of_kind in (np.asarray, sparse.csr_array)
        for val_of_kind in (np.asarray, sparse.csr_array, sparse.csc_array)
    ]
    assert_allclose(figures, [figures[0]] * 6, rtol=1e-5 if dtype == np.float32 else 1e-10)


@pytest.mark.parametrize("n_threads", [2, 3])
def test_figures_are_the_same_bits_for_any_number_of_threads_and_need_no_large_array(n_threads, rng):
    n_rows, n_classes = 60_000, 40
    rows, labels = as_rows(rng.normal(size=(n_rows, 2))), rng.integers(n_classes, size=n_rows).astype(np.int32)
    targets = Targets(n_classes, np.full(n_rows, 1 / n_rows), labels=labels)
    coef, intercept = rng.normal(size=(n_classes, 2)), rng.normal(size=n_classes)
    expected = ValidationSet(rows, targets, CrossEntropy()).evaluate(coef, intercept)

    def compare(pool):
        validation = ValidationSet(rows, targets, CrossEntropy(), pool=pool, n_threads=n_threads)
        tracemalloc.start()
        try:
            assert validation.evaluate(coef, intercept) == expected
            assert tracemalloc.get_traced_memory()[1] < 8 * n_rows * n_classes / 4
        finally:
            tracemalloc.stop()

    run_in_pool(n_threads, compare)


# -- stopping --------------------------------------------------------------------------------------------------------


@ALL
def test_an_early_stopped_fit_is_that_of_its_best_iteration(solver, noisy):
    X, y, weight, held_out = noisy
    clf = early(solver).fit(X, y, weight, **held_out)
    curve, best = validation_curve(clf), clf.best_iteration_
    assert 1 <= best < clf.n_iter_[0] == len(curve)
    assert best == 1 + curve.argmin()
    assert not clf.converged_
    assert "stopped early" in clf.solution_.message
    assert f"kept iteration {best}" in clf.solution_.message
    with pytest.warns(ConvergenceWarning):
        plain = SoftmaxRegressionClassifier(C=1e4, solver=solver, max_iter=best).fit(X, y, weight)
    assert_array_equal(clf.coef_, plain.coef_)
    assert_array_equal(clf.intercept_, plain.intercept_)
    assert (clf.solution_.value, clf.solution_.gradient_norm) == (plain.solution_.value, plain.solution_.gradient_norm)
    proba, weight_val = clf.predict_proba(held_out["X_val"]), held_out["sample_weight_val"]
    assert curve.min() == pytest.approx(log_loss(held_out["y_val"], proba, sample_weight=weight_val), rel=1e-12)


class ToTheEnd(LBFGS):
    """Does not stop by itself, whatever tol."""

    def minimise(self, objective, start, *, stop, history):
        return super().minimise(objective, start, stop=replace(stop, tol=0.0), history=history)


@unfinished
@pytest.mark.parametrize(("tol", "n_iter_no_change"), [(0.0, 1), (0.0, 4), (0.02, 2), (0.1, 3)])
def test_stops_when_the_lowest_of_the_last_iterations_is_not_lower_by_tol(tol, n_iter_no_change, noisy):
    X, y, weight, held_out = noisy
    whole = SoftmaxRegressionClassifier(C=1e4, solver=ToTheEnd(), max_iter=40).fit(X, y, weight, **held_out)
    start = SoftmaxRegressionClassifier(max_iter=0, solver="newton-cg").fit(X, y, weight)
    proba = start.predict_proba(held_out["X_val"])
    start = log_loss(held_out["y_val"], proba, sample_weight=held_out["sample_weight_val"])
    lowest = np.minimum.accumulate([start, *validation_curve(whole)])
    expected = next(i for i in range(n_iter_no_change, 40) if lowest[i] >= lowest[i - n_iter_no_change] - tol)
    clf = early(ToTheEnd(), tol=tol).set_params(n_iter_no_change=n_iter_no_change).fit(X, y, weight, **held_out)
    assert clf.n_iter_[0] == expected
    assert_array_equal(validation_curve(clf), validation_curve(whole)[:expected])


@ALL
def test_a_start_that_no_iteration_improves_on_is_kept(solver, noisy):
    X, y, weight, held_out = noisy
    clf = early(solver, warm_start=True).fit(X, y, weight, **held_out)
    before, own = clf.coef_, {**held_out, "y_val": clf.predict(held_out["X_val"])}
    clf.set_params(C=1e-6).fit(X, y, weight, **own)
    assert clf.best_iteration_ == 0
    assert_allclose(clf.coef_, before, rtol=1e-10)
    assert "kept iteration 0" in clf.solution_.message


@ALL
def test_a_fit_that_max_iter_ends_warns_and_keeps_the_best(solver, noisy):
    X, y, weight, held_out = noisy
    clf = early(solver).fit(X, y, weight, **held_out)
    n_iter = int(clf.n_iter_[0]) - 1
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        again = clone(clf).set_params(max_iter=n_iter).fit(X, y, weight, **held_out)
    assert (again.n_iter_[0], again.best_iteration_) == (n_iter, clf.best_iteration_)
    assert_array_equal(again.coef_, clf.coef_)


def test_a_fit_that_reaches_its_optimum_first_has_converged(noisy):
    X, y, weight, held_out = noisy
    clf = SoftmaxRegressionClassifier(C=1e-3, early_stopping=True, n_iter_no_change=50).fit(X, y, weight, **held_out)
    assert clf.converged_
    assert clf.best_iteration_ == clf.n_iter_[0]
    assert_array_equal(clf.coef_, SoftmaxRegressionClassifier(C=1e-3).fit(X, y, weight).coef_)


@ALL
def test_separable_rows_without_a_penalty_stop_early_without_a_warning(solver):
    X = np.array([[-2.0], [-1.0], [-1.5], [1.0], [2.0], [1.5]])
    held_out = {"X_val": [[-1.0], [1.0], [0.5]], "y_val": [0, 1, 0]}
    clf = early(solver).set_params(C=np.inf, solver=solver).fit(X, [0, 0, 0, 1, 1, 1], **held_out)
    assert "stopped early" in clf.solution_.message


@unfinished
@pytest.mark.parametrize("solver", list(SOLVERS))
def test_solvers_do_not_write_to_parameters_that_they_reported(solver, noisy, monkeypatch):
    from sksoftmax.fitting.loop import FitLoop

    X, y, *_ = noisy
    reported, copies, follow = [], [], FitLoop._follow

    def keep(self, params, iteration):
        reported.append(params)
        copies.append(params.copy())
        return follow(self, params, iteration)

    monkeypatch.setattr(FitLoop, "_follow", keep)
    SoftmaxRegressionClassifier(solver=solver, max_iter=5).fit(X, y)
    assert len(reported) > 2
    assert_array_equal(reported, copies)


# -- the split -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("soft", [False, True])
@ALL
def test_the_split_is_stratified_and_takes_weights_and_targets_along(solver, soft, rng):
    X, labels = load_digits(return_X_y=True)
    X, labels = X[:400], labels[:400]
    weight = rng.uniform(0.2, 2.0, size=400)
    y = 0.7 * np.eye(10)[labels] + 0.3 * rng.dirichlet(np.ones(10), size=400) if soft else labels
    clf = early(solver, validation_fraction=0.2, random_state=3).fit(X, y, weight)
    train, held_out = train_test_split(np.arange(400), test_size=0.2, stratify=labels, random_state=3)
    train, held_out = np.sort(train), np.sort(held_out)
    expected = early(solver).fit(
        X[train], y[train], weight[train], X_val=X[held_out], y_val=y[held_out], sample_weight_val=weight[held_out]
    )
    assert_array_equal(clf.coef_, expected.coef_)
    assert [i._replace(seconds=0) for i in clf.solution_.history] == [i._replace(seconds=0) for i in expected.solution_.history]
    assert_array_equal(clone(clf).fit(X, y, weight).coef_, clf.coef_)
    other = clone(clf).set_params(random_state=4).fit(X, y, weight)
    assert not np.array_equal(other.coef_, clf.coef_)


def test_a_given_validation_set_leaves_all_rows_to_train_on(noisy):
    X, _, weight, held_out = noisy
    few = {**held_out, "X_val": held_out["X_val"][:1], "y_val": held_out["y_val"][:1], "sample_weight_val": [1.0]}
    clf = early(max_iter=1)
    with pytest.warns(ConvergenceWarning):
        clf.fit(X[:4], np.arange(4), weight[:4], **few)  # too few rows to split
    assert list(clf.classes_) == [0, 1, 2, 3]


def test_strings_and_sparse_rows_are_split(noisy):
    X, y, weight, _ = noisy
    names = np.array(["a", "b", "c", "d"])[y]
    clf = early(random_state=0).fit(X, y, weight)
    assert_array_equal(early(random_state=0).fit(X, names, weight).coef_, clf.coef_)
    assert_allclose(early(random_state=0).fit(sparse.csr_array(X), y, weight).coef_, clf.coef_, rtol=1e-6)


def test_split_rows_are_disjoint_sorted_and_in_proportion():
    strata = np.repeat([0, 1, 2], [60, 30, 10])
    train, held_out = split_rows(np.arange(3), strata, 0.2, 0)
    assert_array_equal(np.sort(np.r_[train, held_out]), np.arange(100))
    assert_array_equal(np.bincount(strata[held_out]), [12, 6, 2])
    assert all(np.all(np.diff(part) > 0) for part in (train, held_out))


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_val": None}, "X_val was given without y_val"),
        ({"X_val": None}, "y_val was given without X_val"),
        ({"X_val": None, "y_val": None}, "sample_weight_val was given without"),
        ({"y_val": np.full(100, 7)}, r"y_val holds labels that are not among the classes \[.*\]: 7 in row 0\."),
        ({"y_val": np.full(100, "0")}, r"y_val holds labels that are not among the classes .*: '0' in row 0"),
        ({"y_val": np.full(100, np.nan)}, "y_val contains NaN"),
        ({"y_val": np.zeros(99)}, "inconsistent numbers of samples: 100 in X_val, 99 in y_val"),
        ({"y_val": np.full((100, 3), 1 / 3)}, "y_val must have a column for each of the classes"),
        ({"y_val": np.full((100, 4), 0.3)}, r"^y_val must hold class probabilities, .*; row 0 sums to 1\.2"),
        ({"X_val": np.zeros((100, 19))}, "X_val must have the 20 features of X; got 19"),
        ({"X_val": np.full((100, 20), np.inf)}, "X_val contains infinity"),
        ({"X_val": np.zeros(20)}, "X_val"),
        ({"sample_weight_val": np.ones(99)}, "sample_weight_val"),
        ({"sample_weight_val": np.zeros(100)}, "^sample_weight_val must not be zero throughout"),
        ({"sample_weight_val": np.full(100, -1.0)}, "sample_weight_val"),
    ],
)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_bad_validation_sets_are_told_by_name(early_stopping, change, message, noisy):
    X, y, weight, held_out = noisy
    clf = SoftmaxRegressionClassifier(early_stopping=early_stopping)
    with pytest.raises(ValueError, match=message):
        clf.fit(X, y, weight, **{**held_out, **change})
    assert not hasattr(clf, "n_features_in_")


def test_feature_names_in_another_order_are_told(noisy):
    pd = pytest.importorskip("pandas")
    X, y, weight, held_out = noisy
    frame, frame_val = (pd.DataFrame(part).rename(columns="x{}".format) for part in (X, held_out["X_val"]))
    fitted = early().fit(frame, y, weight, **{**held_out, "X_val": frame_val})
    assert_array_equal(fitted.coef_, early().fit(X, y, weight, **held_out).coef_)
    with pytest.raises(ValueError, match=r"(?s)X_val: .*order"):
        early().fit(frame, y, weight, **{**held_out, "X_val": frame_val.iloc[:, ::-1]})


@pytest.mark.parametrize(
    ("y", "fraction", "message"),
    [
        ([0, 0, 0, 0, 0, 0, 1, 1, 1, 2], 0.3, "at least two rows of each class.*class 2 has one"),
        ([0, 0, 0, 0, 0, 1, 1, 1, 2, 2], 0.2, "validation_fraction=0.2 of 10 rows leaves 8 rows to train and 2 to validate"),
        ([0, 0, 0, 0, 0, 1, 1, 1, 2, 2], 0.8, "leaves 2 rows to train and 8"),
    ],
)
def test_too_few_rows_to_split_are_told(y, fraction, message, rng):
    clf = SoftmaxRegressionClassifier(early_stopping=True, validation_fraction=fraction)
    with pytest.raises(ValueError, match=message):
        clf.fit(rng.normal(size=(10, 2)), y)


def test_validation_rows_without_weight_are_told(rng):
    clf = SoftmaxRegressionClassifier(early_stopping=True, class_weight={0: 1.0, 1: 0.0})
    with pytest.raises(ValueError, match="no weight on any row of the validation set"):
        clf.fit(rng.normal(size=(10, 2)), [0, 1] * 5, X_val=np.zeros((2, 2)), y_val=[1, 1])


# -- pipelines and routing -------------------------------------------------------------------------------------------


def test_a_pipeline_transforms_the_validation_set(noisy):
    X, y, weight, held_out = noisy
    with config_context(enable_metadata_routing=True):
        clf = early().set_fit_request(sample_weight=True, X_val=True, y_val=True, sample_weight_val=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = Pipeline([("scaler", scaler), ("clf", clf)], transform_input=["X_val"])
        pipeline.fit(X, y, sample_weight=weight, **held_out)
    transformed = {**held_out, "X_val": pipeline[0].transform(held_out["X_val"])}
    expected = early().fit(pipeline[0].transform(X), y, weight, **transformed)
    assert_array_equal(pipeline[-1].coef_, expected.coef_)
    assert pipeline[-1].best_iteration_ == expected.best_iteration_


def test_a_search_over_a_pipeline_routes_the_validation_set(noisy):
    X, y, _, held_out = noisy
    del held_out["sample_weight_val"]
    with config_context(enable_metadata_routing=True):
        clf = early().set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline([("scaler", StandardScaler()), ("clf", clf)], transform_input=["X_val"])
        search = GridSearchCV(pipeline, {"clf__C": [1.0, 1e4]}, cv=2, error_score="raise")
        search.fit(X, y, **held_out)
    best = search.best_estimator_
    expected = early().set_params(C=search.best_params_["clf__C"])
    expected.fit(best[0].transform(X), y, X_val=best[0].transform(held_out["X_val"]), y_val=held_out["y_val"])
    assert_array_equal(best[-1].coef_, expected.coef_)


def test_verbose_prints_the_validation_figures(noisy, capsys):
    X, y, weight, held_out = noisy
    clf = early(verbose=1).fit(X, y, weight, **held_out)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == clf.n_iter_[0]
    last = clf.solution_.history[-1]
    assert f"validation cross-entropy {last.validation_cross_entropy:.6g}, " in lines[-1]
    assert f"validation accuracy {last.validation_accuracy:.4f}, " in lines[-1]


def test_seconds_of_the_history_go_on_where_newton_hands_over():
    X = np.random.RandomState(0).normal(size=(10, 20))  # more columns than rows, hardly a penalty: a singular Hessian
    clf = SoftmaxRegressionClassifier(solver="newton-cholesky", C=1e28, tol=1e-8).fit(X, np.arange(10) % 2)
    assert "fell back" in clf.solution_.message
    assert all(before.seconds < after.seconds for before, after in pairwise(clf.solution_.history))


# -- callbacks -------------------------------------------------------------------------------------------------------

needs_callbacks = pytest.mark.skipif(find_spec("sklearn.callback") is None, reason="scikit-learn < 1.9 has no callbacks")


class StopAt:
    """A callback of scikit-learn that asks to stop at the end of an iteration."""

    def __init__(self, n_iter):
        self.n_iter, self.n_seen, self.torn_down = n_iter, 0, False

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.torn_down = True

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.n_seen += context.task_name != "fit" and fitted_estimator is not None
        return self.n_seen == self.n_iter


@needs_callbacks
@ALL
def test_a_callback_that_stops_leaves_the_best_iteration(solver, noisy):
    X, y, weight, held_out = noisy
    clf = early(solver).fit(X, y, weight, **held_out)
    n_iter = clf.best_iteration_ + 1
    stopped = clone(clf).set_callbacks(StopAt(n_iter)).fit(X, y, weight, **held_out)
    assert stopped.n_iter_[0] == n_iter
    assert "stopped by a callback" in stopped.solution_.message
    assert_array_equal(stopped.coef_, clf.coef_)


@needs_callbacks
@ALL
def test_a_scoring_monitor_sees_every_iteration_of_an_early_stopped_fit(solver, noisy):
    from sklearn.callback import ScoringMonitor

    X, y, weight, held_out = noisy
    monitor = ScoringMonitor(scoring="neg_log_loss")
    clf = early(solver).set_callbacks(monitor).fit(X, y, weight, **held_out)
    scores = [row["neg_log_loss"] for row in monitor.get_logs().data if row["task_name"] != "fit"]
    assert len(scores) == clf.n_iter_[0]
    kept = -log_loss(y, clf.predict_proba(X), sample_weight=weight)
    assert scores[clf.best_iteration_ - 1] == pytest.approx(kept, rel=1e-12)


@needs_callbacks
def test_a_progress_bar_reaches_its_end(noisy, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # rich cuts lines to the width of the terminal
    pytest.importorskip("rich", reason="scikit-learn's ProgressBar draws with rich")
    from sklearn.callback import ProgressBar

    X, y, weight, held_out = noisy
    early().set_callbacks(ProgressBar()).fit(X, y, weight, **held_out)
    out = capsys.readouterr().out
    assert "100%" in out
    assert not re.search(r"\b[0-9]{1,2}%", out)


@needs_callbacks
def test_an_interrupt_tears_callbacks_down(noisy):
    class Interrupt(StopAt):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            if super().on_fit_task_end(estimator, context, fitted_estimator=fitted_estimator) and context.task_name != "fit":
                raise KeyboardInterrupt
            return False

    X, y, weight, held_out = noisy
    callback = Interrupt(2)
    clf = SoftmaxRegressionClassifier(solver="lbfgs").set_callbacks(callback)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y, weight, **held_out)
    assert callback.torn_down
    assert clf.n_iter_[0] == 2


@pytest.mark.parametrize("solver", ["sgd", "adam", "adagrad", "rmsprop", "saga"])
@pytest.mark.parametrize("max_iter", [0, 3, 40])
def test_no_tolerance_goes_with_early_stopping(solver, max_iter):
    """It ends after the epochs asked for, or early; no message has a tolerance to tell, and none warns."""
    X, y = load_digits(return_X_y=True)
    clf = SoftmaxRegressionClassifier(solver=solver, tol=None, early_stopping=True, max_iter=max_iter, random_state=0).fit(X, y)
    assert clf.n_iter_[0] <= max_iter
    assert clf.best_iteration_ <= clf.n_iter_[0]
