"""The estimator among scikit-learn's tools: its checks, searches, pipelines, routing, callbacks and processes."""

import pickle
import re
from importlib.util import find_spec

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks, get_tags

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.losses import LOSSES, CrossEntropy, HingeLoss
from sksoftmax.solvers import BATCH_SOLVERS, LBFGS, SGD, Adam

CONFIGURATIONS = [
    SoftmaxRegressionClassifier(),
    *(SoftmaxRegressionClassifier(solver=solver) for solver in BATCH_SOLVERS),
    SoftmaxRegressionClassifier(class_weight="balanced"),
]
OTHER_CONFIGURATIONS = [
    SoftmaxRegressionClassifier(solver=LBFGS(memory=5)),
    SoftmaxRegressionClassifier(loss=CrossEntropy(label_smoothing=0.1)),
    *(SoftmaxRegressionClassifier(loss=loss) for loss in LOSSES if loss not in ("cosine", "cross_entropy", "hinge")),
    # Checks compare optima to seven digits: nearly straight lines leave that to the last bits of the objective.
    SoftmaxRegressionClassifier(loss=HingeLoss(smoothing=1.0)),
    # The second fit begins where the first ended: both have to be at the optimum for checks that compare the two.
    SoftmaxRegressionClassifier(warm_start=True, tol=1e-8),
]
# The checks' tables are small: a tenth of some has fewer rows than there are classes, and half of it has not.
EARLY_STOPPING = [
    SoftmaxRegressionClassifier(solver=solver, early_stopping=True, validation_fraction=0.5, random_state=0)
    for solver in ("auto", "lbfgs")
]
# As in scikit-learn's list of what is expected to fail of its own estimators that set rows aside.
SPLIT = "a row that is repeated may be split between training and validation, as no weight can be"
EXPECTED_TO_FAIL = {
    "check_sample_weight_equivalence": SPLIT,  # its name before scikit-learn 1.7
    "check_sample_weight_equivalence_on_dense_data": SPLIT,
    "check_sample_weight_equivalence_on_sparse_data": SPLIT,
}
STOCHASTIC = [  # the checks' tables are one minibatch: rows repeated are rows of more weight
    SoftmaxRegressionClassifier(solver=SGD(learning_rate=0.01), max_iter=100, tol=None),  # on noisy, unscaled columns
    SoftmaxRegressionClassifier(
        solver=Adam(learning_rate=0.01, average=True, schedule="invscaling", init_scale=0.01), max_iter=100, tol=None
    ),
]
# Checks of scikit-learn's own estimators that it does not ask of others.
INTERNAL_CHECKS = ["check_param_validation", "check_dataframe_column_names_consistency", "check_inplace_ensure_writeable"]

REPORTING = [*BATCH_SOLVERS, "sgd"]
ENDED = {"sgd": {"max_iter": 9, "tol": None}}  # without a warning

needs_callbacks = pytest.mark.skipif(find_spec("sklearn.callback") is None, reason="scikit-learn < 1.9 has no callbacks")


@pytest.fixture
def data():
    X, y = load_iris(return_X_y=True)
    return X[::3], y[::3], np.random.RandomState(0).uniform(0.2, 2.0, size=50)


def parametrize_with_checks(*estimators, expected_to_fail=None):
    # A list where scikit-learn's function of this name once passed a generator, which pytest no longer takes.
    pairs = [pair for estimator in estimators for pair in estimator_checks.estimator_checks_generator(estimator)]
    parameters = []
    for estimator, check in pairs:
        reason = (expected_to_fail or {}).get(check.func.__name__)
        marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
        parameters.append(pytest.param(estimator, check, id=f"{estimator}-{check.func.__name__}", marks=marks))
    return pytest.mark.parametrize(("estimator", "check"), parameters)


@parametrize_with_checks(*CONFIGURATIONS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(*OTHER_CONFIGURATIONS)
def test_scikit_learn_checks_of_other_configurations(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(*EARLY_STOPPING, expected_to_fail=EXPECTED_TO_FAIL)
def test_scikit_learn_checks_with_early_stopping(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*failed to converge:sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(*STOCHASTIC)
def test_scikit_learn_checks_of_minibatches(estimator, check):
    check(estimator)


OTHER_PATH = dict.fromkeys(EXPECTED_TO_FAIL, "steps after rows that are repeated are others than after rows of more weight")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*failed to converge:sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(SoftmaxRegressionClassifier(solver="saga"), expected_to_fail=OTHER_PATH)
def test_scikit_learn_checks_of_saga(estimator, check):
    check(estimator)


# The checks' own data are separable, which without a penalty is what the warning is for; all else has to hold. One solver,
# as there is no minimum for two of them to agree on where weights or repetitions make "auto" choose differently.
@pytest.mark.filterwarnings("ignore:The classes are perfectly separable:sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(SoftmaxRegressionClassifier(C=np.inf, solver="newton-cholesky"))
def test_scikit_learn_checks_without_penalty(estimator, check):
    check(estimator)


@parametrize_with_checks(SoftmaxRegressionClassifier(loss="cosine", tol=1e-6))
def test_scikit_learn_checks_of_cosines(estimator, check):
    if check.func.__name__ == "check_class_weight_classifiers":
        # Without an intercept no weight of a class makes it the answer everywhere.
        with pytest.raises(AssertionError):
            check(estimator)
        return
    check(estimator)


@pytest.mark.parametrize("estimator", [*CONFIGURATIONS, *OTHER_CONFIGURATIONS, *STOCHASTIC], ids=repr)
@pytest.mark.parametrize("name", INTERNAL_CHECKS)
def test_checks_of_scikit_learns_own_estimators(name, estimator):
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)


def test_tags():
    tags = get_tags(SoftmaxRegressionClassifier())
    assert (tags.estimator_type, tags.input_tags.sparse, tags.target_tags.required) == ("classifier", True, True)
    assert (tags.classifier_tags.multi_class, tags.classifier_tags.multi_label, tags.non_deterministic) == (True, False, False)


def test_html_links_to_nothing_that_is_not_there(data):
    html = SoftmaxRegressionClassifier().fit(*data)._repr_html_()
    assert "SoftmaxRegressionClassifier" in html
    assert "sksoftmax.readthedocs" not in html
    assert "href" not in html.split("</style>")[-1]


@pytest.mark.parametrize("estimator", [*CONFIGURATIONS, *OTHER_CONFIGURATIONS], ids=repr)
def test_pickling_keeps_predictions_and_parameters(estimator, data):
    X, y, weight = data
    clf = clone(estimator).fit(X, y, weight)
    copy = pickle.loads(pickle.dumps(clf))
    assert copy.get_params() == clf.get_params()
    assert_array_equal(copy.decision_function(X), clf.decision_function(X))
    assert copy.solution_.history == clf.solution_.history


def test_cloning_copies_loss_and_solver_and_fitting_leaves_them(data):
    loss, solver = CrossEntropy(label_smoothing=0.1), LBFGS(memory=5)
    clf = SoftmaxRegressionClassifier(loss=loss, solver=solver).fit(*data)
    copy = clone(clf)
    assert (copy.get_params()["loss__label_smoothing"], copy.get_params()["solver__memory"]) == (0.1, 5)
    copy.set_params(loss__label_smoothing=0.2, solver__memory=7)
    assert clf.loss is loss
    assert clf.solver is solver
    assert (loss, solver) == (CrossEntropy(label_smoothing=0.1), LBFGS(memory=5))


def test_search_over_parameters_of_loss_and_solver(data):
    X, y, _ = data
    clf = SoftmaxRegressionClassifier(loss=CrossEntropy(), solver=LBFGS())
    grid = {"loss__label_smoothing": [0.0, 0.4], "solver__memory": [1, 10]}
    search = GridSearchCV(clf, grid, cv=3, scoring="neg_log_loss", error_score="raise").fit(X, y)
    scores = search.cv_results_["mean_test_score"].reshape(2, 2)
    assert search.best_params_["loss__label_smoothing"] == 0.0
    assert np.all(scores[0] > scores[1])
    best = clone(clf).set_params(**search.best_params_).fit(X, y)
    assert_array_equal(search.best_estimator_.coef_, best.coef_)


def test_pipeline_that_puts_out_pandas(data):
    pd = pytest.importorskip("pandas")
    X, y, _ = data
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    plain = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier()).fit(X, y)
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier()).set_output(transform="pandas").fit(frame, y)
    assert list(pipeline[-1].feature_names_in_) == ["a", "b", "c", "d"]
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        put_out = getattr(pipeline, method)(frame)
        assert type(put_out) is np.ndarray
        assert_allclose(put_out, getattr(plain, method)(X), rtol=1e-12)


@pytest.mark.parametrize("requested", [True, False])
def test_pipeline_routes_sample_weight(data, requested):
    X, y, weight = data
    with config_context(enable_metadata_routing=True):
        clf = SoftmaxRegressionClassifier()
        clf.set_fit_request(sample_weight=requested).set_score_request(sample_weight=requested)
        scaler = StandardScaler().set_fit_request(sample_weight=not requested)  # someone has to want the weights
        pipeline = Pipeline([("scaler", scaler), ("clf", clf)]).fit(X, y, sample_weight=weight)
        expected = SoftmaxRegressionClassifier().fit(pipeline[:-1].transform(X), y, weight if requested else None)
        assert_array_equal(pipeline[-1].coef_, expected.coef_)
        if requested:
            assert pipeline.score(X, y, sample_weight=weight) == accuracy_score(y, pipeline.predict(X), sample_weight=weight)


def test_search_routes_sample_weight(data):
    X, y, weight = data
    cv = StratifiedKFold(3)
    with config_context(enable_metadata_routing=True):
        clf = SoftmaxRegressionClassifier(C=0.01).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(clf, {"C": [0.01, 1.0]}, cv=cv, error_score="raise").fit(X, y, sample_weight=weight)
        assert search.score(X, y, sample_weight=weight) == accuracy_score(y, search.predict(X), sample_weight=weight)
    expected = SoftmaxRegressionClassifier(**search.best_params_).fit(X, y, weight)
    assert_array_equal(search.best_estimator_.coef_, expected.coef_)
    for fold, (train, test) in enumerate(cv.split(X, y)):
        fitted = SoftmaxRegressionClassifier(C=0.01).fit(X[train], y[train], weight[train])
        expected_score = accuracy_score(y[test], fitted.predict(X[test]), sample_weight=weight[test])
        assert search.cv_results_[f"split{fold}_test_score"][0] == pytest.approx(expected_score, rel=1e-12)


@pytest.mark.parametrize("solver", REPORTING)
def test_verbose_prints_a_line_an_iteration(solver, data, capsys):
    X, y, _ = data
    clf = SoftmaxRegressionClassifier(solver=solver, verbose=1, **ENDED.get(solver, {})).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"iteration {i + 1}" for i in range(clf.n_iter_[0])]
    assert all("objective" in line and "gradient norm" in line for line in lines)
    clf.set_params(verbose=0).fit(X, y)
    assert capsys.readouterr().out == ""


class Recorder:
    """A callback that keeps the estimators it is given, and may ask to stop at the end of some iteration."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.open, self.averaged_params, self.torn_down = [], [], 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.torn_down += 1

    def on_fit_task_begin(self, estimator, context, *, fitted_estimator=None):
        self.open.append((context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        assert self.open.pop() == (context.task_name, context.task_id)
        if context.task_name == "fit" or fitted_estimator is None:  # None: begun, and never run
            return False
        self.averaged_params.append(fitted_estimator)
        return len(self.averaged_params) == self.stop_after


@needs_callbacks
@pytest.mark.filterwarnings("ignore:.*converge after [0-9]+ iterations:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("solver", REPORTING)
def test_callbacks_get_an_estimator_as_if_the_fit_had_ended_there(solver, n_classes, data):
    X, y, _ = data
    y, recorder = np.minimum(y, n_classes - 1), Recorder()
    clf = SoftmaxRegressionClassifier(solver=solver, max_iter=6, random_state=0).set_callbacks(recorder).fit(X, y)
    assert recorder.open == []
    assert recorder.torn_down == 1
    assert len(recorder.averaged_params) == clf.n_iter_[0] > 1
    for i, reached in enumerate(recorder.averaged_params):
        expected = SoftmaxRegressionClassifier(solver=solver, max_iter=i + 1, random_state=0).fit(X, y)
        assert_array_equal(reached.coef_, expected.coef_)
        assert_array_equal(reached.predict_proba(X), expected.predict_proba(X))
    assert_array_equal(recorder.averaged_params[-1].coef_, clf.coef_)


@needs_callbacks
@pytest.mark.parametrize("solver", REPORTING)
def test_a_callback_stops_the_fit_without_a_warning(solver, data):
    X, y, _ = data
    recorder = Recorder(stop_after=2)
    clf = SoftmaxRegressionClassifier(solver=solver).set_callbacks(recorder).fit(X, y)
    assert clf.n_iter_ == 2
    assert not clf.converged_
    assert "stopped by a callback" in clf.solution_.message
    assert_array_equal(clf.coef_, recorder.averaged_params[-1].coef_)
    assert recorder.open == []


@needs_callbacks
def test_a_callback_stops_the_fit_that_fell_back_to_lbfgs():
    X = np.random.RandomState(0).normal(size=(10, 20))  # more columns than rows, hardly a penalty: a singular Hessian
    clf = SoftmaxRegressionClassifier(solver="newton-cholesky", C=1e30)
    clf.set_callbacks(Recorder(stop_after=2)).fit(X, np.arange(10) % 2)
    assert "fell back" in clf.solution_.message
    assert clf.n_iter_ == 2
    assert not clf.converged_


@needs_callbacks
@pytest.mark.parametrize("solver", REPORTING)
def test_scoring_monitor_logs_every_iteration(solver, data):
    from sklearn.callback import ScoringMonitor

    X, y, weight = data
    monitor = ScoringMonitor(scoring="neg_log_loss")
    clf = (
        SoftmaxRegressionClassifier(solver=solver, **ENDED.get(solver, {}))
        .set_callbacks(monitor)
        .fit(X, y, sample_weight=weight)
    )
    scores = [row["neg_log_loss"] for row in monitor.get_logs().data if row["task_name"] != "fit"]
    assert len(scores) == clf.n_iter_[0]
    assert scores[-1] == pytest.approx(-log_loss(y, clf.predict_proba(X), sample_weight=weight), rel=1e-12)
    assert scores[-1] > scores[0]


@needs_callbacks
def test_scoring_monitor_inside_a_search_over_a_pipeline(data):
    from sklearn.callback import ScoringMonitor

    X, y, _ = data
    monitor = ScoringMonitor(scoring="accuracy")
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier(solver="lbfgs").set_callbacks(monitor))
    grid = {"softmaxregressionclassifier__C": [0.1, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    rows = [row for log in monitor.get_logs(select="all") for row in log.data]
    assert sum(row["task_name"] == "fit" for row in rows) == 2 * 2 + 1  # candidates times folds, and the final fit
    assert len(rows) > 2 * 2 + 1 + search.best_estimator_[-1].n_iter_[0]
    assert all(0 <= row["accuracy"] <= 1 for row in rows)


@needs_callbacks
@pytest.mark.parametrize("inside", ["alone", "pipeline", "search"])
def test_progress_bar_reaches_its_end(inside, data, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # rich cuts lines to the width of the terminal
    pytest.importorskip("rich", reason="scikit-learn's ProgressBar draws with rich")
    from sklearn.callback import ProgressBar

    X, y, _ = data
    clf = SoftmaxRegressionClassifier(solver="lbfgs")
    search = GridSearchCV(clf, {"C": [0.1, 1.0]}, cv=2, error_score="raise")
    estimator = {"alone": clf, "pipeline": make_pipeline(StandardScaler(), clf), "search": search}[inside]
    estimator.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
    out = capsys.readouterr().out
    assert "SoftmaxRegressionClassifier - fit" in out
    assert "100%" in out
    assert not re.search(r"\b[0-9]{1,2}%", out)


# The fork is joblib's own; no thread of ours outlives a fit.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("backend", [pytest.param("loky", marks=pytest.mark.slow), "threading", "multiprocessing"])
def test_every_joblib_backend_gives_the_same(backend, data):
    X, y, _ = data
    search = GridSearchCV(SoftmaxRegressionClassifier(), {"C": [0.1, 1.0]}, cv=2, scoring="neg_log_loss", error_score="raise")
    search.fit(X, y)
    validated = cross_validate(search.best_estimator_, X, y, cv=2, error_score="raise")
    with joblib.parallel_config(backend=backend, n_jobs=2):
        parallel = clone(search).fit(X, y)
        validated_there = cross_validate(search.best_estimator_, X, y, cv=2, error_score="raise")
    assert_array_equal(parallel.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])
    assert_array_equal(parallel.best_estimator_.coef_, search.best_estimator_.coef_)
    assert_array_equal(validated_there["test_score"], validated["test_score"])
