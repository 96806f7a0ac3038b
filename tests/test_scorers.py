"""Scorers in searches and cross-validation: folds without a class, weights, soft targets, two classes, any classifier."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import GridSearchCV, KFold, PredefinedSplit, cross_val_score, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.fixes import parse_version

from sksoftmax import SoftmaxRegressionClassifier, scorers
from sksoftmax.metrics import METRICS
from sksoftmax.scorers import FLOOR, SCORERS, make_expected_cost, make_scorer, make_top_k_accuracy

ROWS = pytest.mark.parametrize("name", SCORERS)
SKLEARN = parse_version(sklearn.__version__)


class Told(ClassifierMixin, BaseEstimator):
    """Predicts the probabilities that are its features, of the classes that it saw, in proportion."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        proba = np.asarray(X)[:, self.classes_]
        return proba / proba.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


# The first four rows train. Of the last three, none is of class 2 in the one problem; none of the first four in the other.
X_TOLD = np.array([[0.4, 0.3, 0.3]] * 4 + [[0.7, 0.2, 0.1], [0.2, 0.3, 0.5], [0.25, 0.6, 0.15]])
LACKS_IN_TEST = np.array([0, 1, 2, 2, 0, 1, 0])
LACKS_IN_TRAIN = np.array([0, 1, 0, 1, 0, 1, 2])
FOLD = PredefinedSplit([-1] * 4 + [0] * 3)


def two(*row):
    """Drop the third class from a row, and keep the proportions of the others."""
    return np.array(row[:2]) / sum(row[:2])


# What each scorer must give, written out by hand: test fold without class 2, training folds without it.
P = [two(0.7, 0.2), two(0.2, 0.3), two(0.25, 0.6)]
BY_HAND = {
    "neg_log_loss": (
        scorers.neg_cross_entropy,
        (np.log(0.7) + np.log(0.3) + np.log(0.25)) / 3,
        (np.log(P[0][0]) + np.log(P[1][1]) + np.log(FLOOR)) / 3,
    ),
    "neg_brier_score": (
        scorers.neg_brier_score,
        -(0.3**2 + 0.2**2 + 0.1**2 + 0.2**2 + 0.7**2 + 0.5**2 + 0.75**2 + 0.6**2 + 0.15**2) / 3,
        -(2 * P[0][1] ** 2 + 2 * P[1][0] ** 2 + P[2][0] ** 2 + P[2][1] ** 2 + 1) / 3,
    ),
    "d2_log_loss_score": (
        scorers.d2_cross_entropy,
        1 - (np.log(0.7) + np.log(0.3) + np.log(0.25)) / (2 * np.log(2 / 3) + np.log(1 / 3)),
        1 - (np.log(P[0][0]) + np.log(P[1][1]) + np.log(FLOOR)) / (3 * np.log(1 / 3)),
    ),
    # Rows 5 and 6: the label is first, second; row 7: class 0 is second. A class never seen comes third.
    "top_k_accuracy": (make_top_k_accuracy(k=2), 1.0, 2 / 3),
    # Class 0 in the first problem: 0.7 and 0.25 against 0.2; class 1: 0.3 against 0.2 and 0.6. In the second class 0: 7/9
    # against 2/5 and 5/17; class 1: 3/5 against 2/9 and 12/17; class 2 has zeros throughout.
    "roc_auc_ovr": (scorers.roc_auc_ovr, (1 + 0.5) / 2, (1 + 0.5 + 0.5) / 3),
}


@pytest.mark.parametrize("peer", BY_HAND)
@pytest.mark.parametrize("lacking", ["test", "train"])
def test_a_fold_without_a_class_gets_its_figure_where_scikit_learn_has_none(peer, lacking):
    ours, in_test, in_train = BY_HAND[peer]
    y = LACKS_IN_TEST if lacking == "test" else LACKS_IN_TRAIN
    (given,) = cross_val_score(Told(), X_TOLD, y, cv=FOLD, scoring=ours, error_score="raise")
    np.testing.assert_allclose(given, in_test if lacking == "test" else in_train, rtol=1e-12)
    if peer not in get_scorer_names():  # older ones have fewer
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (theirs,) = cross_val_score(Told(), X_TOLD, y, cv=FOLD, scoring=get_scorer(peer), error_score=np.nan)
    assert np.isnan(theirs)


@ROWS
@pytest.mark.parametrize("y", [LACKS_IN_TEST, LACKS_IN_TRAIN], ids=["test", "train"])
def test_every_scorer_is_finite_on_such_folds(name, y):
    assert np.isfinite(cross_val_score(Told(), X_TOLD, y, cv=FOLD, scoring=SCORERS[name], error_score="raise")).all()


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(150, 4))
    labels = (X @ rng.normal(size=(4, 3)) + rng.gumbel(size=(150, 3))).argmax(axis=1)
    return X, np.array(["ape", "bee", "cow"])[labels], rng.integers(0, 3, size=150).astype(float)


@ROWS
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_scorer_is_its_metric_with_the_sign_of_greater_is_better(problem, name, n_classes):
    X, y, weight = problem
    kept = y != "cow" if n_classes == 2 else np.full(len(y), True)
    X, y, weight = X[kept], y[kept], weight[kept]
    clf = SoftmaxRegressionClassifier().fit(X, y)
    scorer = SCORERS[name]
    metric = next(metric for key, metric in METRICS.items() if scorers.scorer_name(key) == name)
    expected = metric.function(y, clf.predict_proba(X), sample_weight=weight) * (1 if metric.greater_is_better else -1)
    np.testing.assert_allclose(scorer(clf, X, y, sample_weight=weight), expected, rtol=1e-9)
    repeated = np.repeat(np.arange(len(y)), weight.astype(int))
    np.testing.assert_allclose(scorer(clf, X[repeated], y[repeated]), expected, rtol=1e-9)


@ROWS
def test_scorers_can_be_copied_stored_and_read(name):
    scorer = getattr(scorers, name)
    assert scorer is SCORERS[name]
    assert name in dir(scorers)
    assert repr(scorer) == f"sksoftmax.scorers.{name}"
    X, y = X_TOLD, LACKS_IN_TEST
    clf = Told().fit(X, y)
    for again in (pickle.loads(pickle.dumps(scorer)), copy.deepcopy(scorer), clone(scorer, safe=False)):
        assert repr(again) == repr(scorer)
        assert again(clf, X, y) == scorer(clf, X, y)


def test_names_are_those_that_scikit_learn_would_give():
    assert {
        "neg_cross_entropy",
        "neg_brier_score",
        "neg_expected_calibration_error",
        "balanced_accuracy",
        "d2_cross_entropy",
        "top_k_accuracy",
        "roc_auc_ovr",
    } <= set(SCORERS)


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        GaussianNB(),
        RandomForestClassifier(n_estimators=5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5),
        KNeighborsClassifier(),
        make_pipeline(StandardScaler(), SoftmaxRegressionClassifier()),
        GridSearchCV(SoftmaxRegressionClassifier(), {"C": [0.1, 1]}, cv=2, scoring=scorers.neg_cross_entropy),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_any_classifier_and_several_scorers_at_once(problem, estimator):
    X, y, _ = problem
    results = cross_validate(estimator, X, y, cv=KFold(3), scoring=SCORERS, error_score="raise", return_estimator=True)
    for (_, test), fitted, *given in zip(
        KFold(3).split(X), results["estimator"], *(results[f"test_{name}"] for name in SCORERS), strict=True
    ):
        for name, value in zip(SCORERS, given, strict=True):
            assert np.isfinite(value)
            np.testing.assert_allclose(value, SCORERS[name](fitted, X[test], y[test]))
        true = fitted.predict_proba(X[test])[np.arange(len(test)), np.searchsorted(fitted.classes_, y[test])]
        np.testing.assert_allclose(-given[0], np.mean(-np.log(np.maximum(true, FLOOR))), rtol=1e-6)


@pytest.mark.parametrize("estimator", [RidgeClassifier(), SVC()], ids=repr)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_decisions_and_ranks_need_no_probabilities(problem, estimator, n_classes):
    X, y, _ = problem
    kept = y != "cow" if n_classes == 2 else np.full(len(y), True)
    estimator = clone(estimator).fit(X[kept], y[kept])
    accuracy = estimator.score(X, y)
    assert scorers.accuracy(estimator, X, y) == pytest.approx(accuracy)
    assert make_top_k_accuracy(k=1)(estimator, X, y) == pytest.approx(accuracy, abs=0.05)
    assert scorers.balanced_accuracy(estimator, X, y) == pytest.approx(get_scorer("balanced_accuracy")(estimator, X, y))
    with pytest.raises(AttributeError, match="predict_proba"):
        scorers.neg_cross_entropy(estimator, X, y)


def test_log_probabilities_of_ours_are_exact_and_zeros_cost_the_floor(problem):
    X, y, _ = problem
    for dtype in (np.float32, np.float64):
        clf = SoftmaxRegressionClassifier(C=1e4).fit(X.astype(dtype), y)
        clf.coef_ *= 30
        log_proba = clf.predict_log_proba(X.astype(dtype)).astype(float)
        true = log_proba[np.arange(len(y)), np.searchsorted(clf.classes_, y)]
        assert true.min() < np.log(2.0**-52)
        np.testing.assert_allclose(scorers.neg_cross_entropy(clf, X.astype(dtype), y), true.mean(), rtol=1e-6)
        clipped = make_scorer("cross_entropy_loss", floor=2**-52)
        np.testing.assert_allclose(clipped(clf, X.astype(dtype), y), np.maximum(true, np.log(2.0**-52)).mean(), rtol=1e-6)
    clf = Told().fit(np.eye(3), [0, 1, 2])
    assert scorers.neg_cross_entropy(clf, np.eye(3), [0, 1, 0]) == pytest.approx(np.log(FLOOR) / 3)
    assert make_scorer("cross_entropy_loss", floor=0.0)(clf, np.eye(3), [0, 1, 0]) == -np.inf


def test_soft_targets(problem):
    X, y, weight = problem
    target = 0.9 * np.eye(3)[np.unique(y, return_inverse=True)[1]] + 0.1 / 3
    search = GridSearchCV(SoftmaxRegressionClassifier(), {"C": [0.01, 1]}, scoring=scorers.neg_cross_entropy, cv=KFold(3))
    search.fit(X, target)
    assert search.best_params_ == {"C": 1}
    log_proba = search.predict_log_proba(X)
    np.testing.assert_allclose(
        scorers.neg_cross_entropy(search, X, target, sample_weight=weight),
        np.average((target * log_proba).sum(axis=1), weights=weight),
    )


def weighted_by_hand(X, y, weight, C):
    """Mean over folds of minus the weighted cross-entropy, of fits with weights."""
    scores = []
    for train, test in KFold(3).split(X):
        clf = SoftmaxRegressionClassifier(C=C).fit(X[train], y[train], sample_weight=weight[train])
        true = clf.predict_log_proba(X[test])[np.arange(len(test)), np.searchsorted(clf.classes_, y[test])]
        scores.append(np.average(true, weights=weight[test]))
    return np.mean(scores)


@pytest.mark.parametrize("scoring", ["one", "several"])
def test_weights_arrive_under_metadata_routing_without_asking(problem, scoring):
    X, y, weight = problem
    one = scorers.neg_cross_entropy
    with sklearn.config_context(enable_metadata_routing=True):
        clf = SoftmaxRegressionClassifier().set_fit_request(sample_weight=True)
        chosen = one if scoring == "one" else {"score": one, "other": scorers.accuracy}
        search = GridSearchCV(clf, {"C": [0.3]}, scoring=chosen, cv=KFold(3), refit=False).fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(search.cv_results_["mean_test_score"], weighted_by_hand(X, y, weight, 0.3), rtol=1e-6)
        # Who does not want them says so.
        plain = copy.deepcopy(one).set_score_request(sample_weight=False)
        search = GridSearchCV(clf, {"C": [0.3]}, scoring=plain, cv=KFold(3), refit=False).fit(X, y, sample_weight=weight)
        assert abs(search.cv_results_["mean_test_score"][0] - weighted_by_hand(X, y, weight, 0.3)) > 1e-3


@pytest.mark.skipif(parse_version("1.8") > SKLEARN, reason="searches of this scikit-learn pass no weights to scorers")
def test_weights_arrive_without_metadata_routing(problem):
    X, y, weight = problem
    clf = SoftmaxRegressionClassifier()
    for scoring in (scorers.neg_cross_entropy, {"score": scorers.neg_cross_entropy, "other": scorers.accuracy}):
        search = GridSearchCV(clf, {"C": [0.3]}, scoring=scoring, cv=KFold(3), refit=False).fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(search.cv_results_["mean_test_score"], weighted_by_hand(X, y, weight, 0.3), rtol=1e-6)


@pytest.mark.skipif(parse_version("1.9") > SKLEARN, reason="callbacks came with scikit-learn 1.9")
@pytest.mark.parametrize("several", [False, True])
def test_a_fit_is_monitored(problem, several):
    from sklearn.callback import ScoringMonitor

    X, y, _ = problem
    scoring = {"score": scorers.neg_cross_entropy, "top": make_top_k_accuracy(k=2)} if several else scorers.neg_cross_entropy
    monitor = ScoringMonitor(scoring=scoring)
    clf = SoftmaxRegressionClassifier(C=1e6).set_callbacks(monitor).fit(X, y)
    scores = [row["score"] for row in monitor.get_logs().data if "score" in row]
    assert scores[-1] > min(scores)
    np.testing.assert_allclose(scores[-1], scorers.neg_cross_entropy(clf, X, y), rtol=1e-6)


def test_options(problem):
    X, y, _ = problem
    clf = SoftmaxRegressionClassifier().fit(X, y)
    bits = make_scorer("cross_entropy_loss", unit="bits")
    np.testing.assert_allclose(bits(clf, X, y) * np.log(2), scorers.neg_cross_entropy(clf, X, y))
    assert repr(bits) == "sksoftmax.scorers.make_scorer('cross_entropy_loss', unit='bits')"
    assert repr(make_top_k_accuracy(k=3)) == "sksoftmax.scorers.make_scorer('top_k_accuracy_score', k=3)"
    assert make_top_k_accuracy(k=3)(clf, X, y) == 1
    cost = [[0, 1, 1], [5, 0, 1], [1, 1, 0]]
    expected = METRICS["expected_cost_loss"].function(y, clf.predict_proba(X), cost=cost)
    assert make_expected_cost(cost=cost)(clf, X, y) == -expected


def test_mistakes_are_named(problem):
    X, y, _ = problem
    clf = SoftmaxRegressionClassifier().fit(X, y)
    with pytest.raises(ValueError, match="METRICS has no 'log_loss'; it has accuracy_score, aurc_loss"):
        make_scorer("log_loss")
    with pytest.raises(ValueError, match="top_k_accuracy_score has no option 'n'; it has k"):
        make_scorer("top_k_accuracy_score", n=3)
    with pytest.raises(AttributeError, match="no attribute 'neg_log_loss'; scorers are"):
        scorers.neg_log_loss  # noqa: B018
    with pytest.raises(TypeError, match="needs a fitted classifier"):
        scorers.neg_cross_entropy(KNeighborsRegressor().fit(X, np.arange(len(X))), X, y)
    with pytest.raises(ValueError, match="y_true holds 'ape', but the classes_ of the estimator are numbers"):
        scorers.accuracy(SoftmaxRegressionClassifier().fit(X, np.arange(len(X)) % 2), X, y)
    with pytest.raises(ValueError, match="sample_weight must have shape"):
        scorers.accuracy(clf, X, y, sample_weight=[1.0])


def test_an_estimator_that_saw_one_class_only():
    clf = Told().fit(X_TOLD, np.zeros(7, dtype=int))
    assert scorers.neg_cross_entropy(clf, X_TOLD, np.zeros(7, dtype=int)) == 0
    assert scorers.accuracy(clf, X_TOLD, LACKS_IN_TEST) == 3 / 7
    np.testing.assert_allclose(scorers.neg_brier_score(clf, X_TOLD, LACKS_IN_TEST), -2 * 4 / 7)
