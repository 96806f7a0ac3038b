"""CalibratedClassifier: what it fits to which rows, for any classifier, labels of any kind and folds of any shape."""

import pickle
from contextlib import nullcontext

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sksoftmax import CalibratedClassifier, SoftmaxRegressionClassifier, TemperatureScalingCalibrator
from sksoftmax.calibration import Calibrator, TemperatureScaling

LABELS = {
    "gapped": np.array([1, 2, 3]),
    "negative": np.array([-7, 0, 40]),
    "floats": np.array([0.0, 2.0, 5.0]),
    "strings": np.array(["a", "b", "c"]),
    "objects": np.array(["a", "b", "c"], dtype=object),
}
ENSEMBLE = pytest.mark.parametrize("ensemble", [True, False])


class Biases(Calibrator):
    """A calibrator with a bias for each class, so that tests have one that is not symmetric in the classes."""

    def _fit(self, logits, targets, total_weight):
        return {"bias_": np.bincount(targets.labels, targets.weight, targets.n_classes)}

    def _transform(self, logits):
        return (logits + self.bias_).astype(logits.dtype)


@pytest.fixture(scope="module")
def three():
    """Three classes that overlap, a fifth of them held out for predictions."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [60, 50, 40])
    X = rng.normal(size=(150, 4)) + np.eye(3, 4)[y] * 1.5
    return X, y


@pytest.fixture(scope="module")
def two(three):
    X, y = three
    return X, np.minimum(y, 1)


# -- what is fitted to what ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", ["two", "three"])
def test_one_calibrator_is_fitted_to_the_logits_of_rows_left_out(problem, request):
    X, y = request.getfixturevalue(problem)
    clf = CalibratedClassifier(LogisticRegression(), cv=4, ensemble=False).fit(X, y)
    logits = cross_val_predict(LogisticRegression(), X, y, cv=4, method="decision_function")
    expected, whole = TemperatureScaling().fit(logits, y), LogisticRegression().fit(X, y)
    assert clf.calibrator_.temperature_ == pytest.approx(expected.temperature_, rel=1e-12)
    assert_array_equal(clf.estimator_.coef_, whole.coef_)
    assert_allclose(clf.predict_proba(X), expected.predict_proba(whole.decision_function(X)), rtol=1e-12)
    assert_allclose(clf.decision_function(X), whole.decision_function(X) / clf.calibrator_.temperature_, rtol=1e-12)
    assert_array_equal(clf.predict(X), whole.predict(X))
    before = log_loss(y, cross_val_predict(LogisticRegression(), X, y, cv=4, method="predict_proba"))
    assert clf.cross_entropy_before_ == pytest.approx(before, rel=1e-12)
    assert clf.cross_entropy_after_ == pytest.approx(log_loss(y, expected.predict_proba(logits)), rel=1e-12)
    assert clf.cross_entropy_after_ == pytest.approx(-expected.log_likelihood_ / len(y), rel=1e-9)


@pytest.mark.parametrize("problem", ["two", "three"])
def test_an_ensemble_is_the_mean_of_the_folds_pairs(problem, request):
    X, y = request.getfixturevalue(problem)
    clf = CalibratedClassifier(LinearDiscriminantAnalysis(), cv=StratifiedKFold(3)).fit(X, y)
    probas, before, after = [], 0.0, 0.0
    for (train, test), model in zip(StratifiedKFold(3).split(X, y), clf.calibrated_classifiers_, strict=True):
        fitted = LinearDiscriminantAnalysis().fit(X[train], y[train])
        logits = fitted.decision_function(X[test])
        calibrator = TemperatureScaling().fit(logits, y[test])
        assert model.calibrator.temperature_ == pytest.approx(calibrator.temperature_, rel=1e-12)
        probas.append(calibrator.predict_proba(fitted.decision_function(X)))
        before += log_loss(y[test], fitted.predict_proba(X[test]), normalize=False) / len(y)
        after += log_loss(y[test], calibrator.predict_proba(logits), normalize=False) / len(y)
    mean = np.mean(probas, axis=0)
    assert_allclose(clf.predict_proba(X), mean, rtol=1e-12)
    assert_allclose(clf.predict_log_proba(X), np.log(mean), rtol=1e-12, atol=1e-14)
    logits = clf.decision_function(X)
    assert_allclose(logits, np.log(mean[:, 1] / mean[:, 0]) if problem == "two" else np.log(mean), rtol=1e-10, atol=1e-14)
    assert (clf.cross_entropy_before_, clf.cross_entropy_after_) == (pytest.approx(before), pytest.approx(after))
    assert not hasattr(clf, "calibrator_")
    assert not hasattr(clf, "estimator_")


def test_a_fitted_classifier_is_calibrated_as_it_is_and_said_so_in_two_ways(three):
    X, y = three
    fitted = GaussianNB().fit(X[::2], y[::2])
    before = pickle.dumps(fitted)
    prefit = CalibratedClassifier(fitted, cv="prefit").fit(X[1::2], y[1::2])
    frozen = CalibratedClassifier(FrozenEstimator(fitted)).fit(X[1::2], y[1::2])
    expected = TemperatureScaling().fit(fitted.predict_log_proba(X[1::2]), y[1::2])
    assert prefit.calibrator_.temperature_ == frozen.calibrator_.temperature_ == expected.temperature_
    assert prefit.estimator_ is fitted
    assert pickle.dumps(fitted) == before
    assert_array_equal(prefit.predict_proba(X), frozen.predict_proba(X))


def test_a_frozen_classifier_in_an_ensemble_gets_a_calibrator_a_fold(three):
    X, y = three
    frozen = FrozenEstimator(GaussianNB().fit(X[::2], y[::2]))
    clf = CalibratedClassifier(frozen, cv=3, ensemble=True).fit(X[1::2], y[1::2])
    assert len({model.calibrator.temperature_ for model in clf.calibrated_classifiers_}) == 3


def test_fit_leaves_what_it_was_given_and_fits_copies(three):
    estimator, calibrator = GaussianNB(), TemperatureScaling()
    clf = CalibratedClassifier(estimator, calibrator, cv=2).fit(*three)
    assert clf.estimator is estimator
    assert not hasattr(estimator, "classes_")
    assert not hasattr(calibrator, "temperature_")


def test_the_default_is_our_classifier_and_a_temperature_a_fold(three):
    clf = CalibratedClassifier().fit(*three)
    assert [type(model.estimator) for model in clf.calibrated_classifiers_] == [SoftmaxRegressionClassifier] * 5
    assert {type(model.calibrator) for model in clf.calibrated_classifiers_} == {TemperatureScaling}


def test_temperature_scaling_in_one_line(three):
    X, y = three
    clf = TemperatureScalingCalibrator(GaussianNB()).fit(X, y)
    same = CalibratedClassifier(GaussianNB(), "temperature", ensemble=False).fit(X, y)
    assert clf.temperature_ == same.calibrator_.temperature_ == clf.calibrator_.temperature_
    assert_array_equal(clf.predict_proba(X), same.predict_proba(X))
    assert list(clf.get_params(deep=False)) == ["cv", "estimator", "n_jobs", "response_method"]
    with pytest.raises(NotFittedError):
        _ = TemperatureScalingCalibrator().temperature_


def test_rows_tested_more_than_once_count_as_often(three):
    X, y = three
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    clf = CalibratedClassifier(GaussianNB(), cv=cv, ensemble=False).fit(X, y)
    tests = [(GaussianNB().fit(X[train], y[train]).predict_log_proba(X[test]), y[test]) for train, test in cv.split(X, y)]
    expected = TemperatureScaling().fit(*map(np.concatenate, zip(*tests, strict=True)))
    assert clf.calibrator_.temperature_ == pytest.approx(expected.temperature_, rel=1e-9)


def test_one_held_out_part_and_one_row_at_a_time(three):
    X, y = three
    part = np.where(np.arange(len(y)) % 3 == 0, 0, -1)
    clf = TemperatureScalingCalibrator(GaussianNB(), cv=PredefinedSplit(part)).fit(X, y)
    held_out = GaussianNB().fit(X[part < 0], y[part < 0]).predict_log_proba(X[part == 0])
    assert clf.temperature_ == pytest.approx(TemperatureScaling().fit(held_out, y[part == 0]).temperature_, rel=1e-9)
    left_out = cross_val_predict(GaussianNB(), X[::5], y[::5], cv=LeaveOneOut(), method="predict_log_proba")
    clf = TemperatureScalingCalibrator(GaussianNB(), cv=LeaveOneOut()).fit(X[::5], y[::5])
    assert clf.temperature_ == pytest.approx(TemperatureScaling().fit(left_out, y[::5]).temperature_, rel=1e-9)


@pytest.mark.filterwarnings("ignore:.*every row's class:sklearn.exceptions.ConvergenceWarning")
@ENSEMBLE
def test_calibration_lowers_the_cross_entropy_of_new_rows_where_it_is_needed(ensemble):
    X, y = load_digits(return_X_y=True)
    clf = CalibratedClassifier(MultinomialNB(), ensemble=ensemble).fit(X[:1000], y[:1000])
    raw = MultinomialNB().fit(X[:1000], y[:1000])
    assert log_loss(y[1000:], clf.predict_proba(X[1000:])) < 0.25 * log_loss(y[1000:], raw.predict_proba(X[1000:]))


# -- logits off any classifier -------------------------------------------------------------------------------------------


def test_every_method_that_gives_logits_gives_the_same_probabilities(three):
    X, y = three
    fits = {
        method: CalibratedClassifier(LogisticRegression(), cv=3, ensemble=False, response_method=method).fit(X, y)
        for method in ("auto", "decision_function", "predict_log_proba", "predict_proba")
    }
    for clf in fits.values():
        assert_allclose(clf.predict_proba(X), fits["auto"].predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize(
    ("estimator", "method"),
    [
        (LinearSVC(random_state=0), "decision_function"),
        (SVC(), "decision_function"),
        (LogisticRegression(), "decision_function"),
        (GaussianNB(), "predict_log_proba"),
        (RandomForestClassifier(n_estimators=5, random_state=0), "predict_log_proba"),
        (KNeighborsClassifier(), "predict_proba"),
        (make_pipeline(StandardScaler(), LinearSVC(random_state=0)), "decision_function"),
        (make_pipeline(StandardScaler(), KNeighborsClassifier()), "predict_proba"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
@pytest.mark.parametrize("problem", ["two", "three"])
def test_the_first_method_there_is_gives_the_logits(problem, estimator, method, request):
    X, y = request.getfixturevalue(problem)
    clf = CalibratedClassifier(estimator, cv=3).fit(X, y)
    assert {model.response_method for model in clf.calibrated_classifiers_} == {method}
    proba = clf.predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    assert np.isfinite(clf.predict_log_proba(X)).all()
    assert_array_equal(clf.predict(X), clf.classes_[proba.argmax(axis=1)])


def test_a_probability_of_zero_for_the_true_class_has_a_logit(three):
    X, y = three
    tree = DecisionTreeClassifier(random_state=0)
    assert (cross_val_predict(tree, X, y, cv=3, method="predict_proba")[np.arange(len(y)), y] == 0).any()
    log_proba, proba = (
        CalibratedClassifier(tree, cv=3, ensemble=False, response_method=method).fit(X, y)
        for method in ("predict_log_proba", "predict_proba")
    )
    assert np.isfinite([log_proba.cross_entropy_before_, log_proba.cross_entropy_after_]).all()
    assert log_proba.cross_entropy_after_ < 1.1
    assert_array_equal(log_proba.predict_proba(X), proba.predict_proba(X))


def test_zero_counts_as_a_third_of_the_least_and_stays_the_lowest_of_a_row():
    class Told(ClassifierMixin, BaseEstimator):
        classes_ = np.arange(3)

        def predict_proba(self, X):
            return X

    X = np.array([[0.6, 0.3, 0.1], [0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.2, 0.6, 0.2], [0.5, 0.2, 0.3]])
    clf = CalibratedClassifier(Told(), cv="prefit").fit(X, [0, 0, 1, 2, 1])
    new = np.array([[0.5, 0.5, 0.0], [0.98, 0.02, 0.0]])
    logits = clf.decision_function(new) * clf.calibrator_.temperature_
    assert_allclose(logits, np.log([[0.5, 0.5, 0.1 / 3], [0.98, 0.02, 0.02]]), rtol=1e-12)
    filled = np.where(X > 0, X, 0.1 / 3)
    expected = TemperatureScaling().fit(np.log(filled), [0, 0, 1, 2, 1])
    assert clf.calibrator_.temperature_ == pytest.approx(expected.temperature_, rel=1e-9)


@pytest.mark.parametrize(
    "cv", ["prefit", [(np.arange(5), np.arange(12)), (np.arange(5, 10), np.arange(12))]], ids=["prefit", "folds"]
)
def test_rows_without_weight_do_not_say_what_a_zero_counts_as(cv):
    class Told(ClassifierMixin, BaseEstimator):
        classes_ = np.arange(3)

        def fit(self, X, y):
            return self

        def predict_proba(self, X):
            return X

    X = np.array([[0.6, 0.3, 0.1], [0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.2, 0.6, 0.2], [0.5, 0.2, 0.3]])
    X, y = np.vstack([X, X, [[1 - 1e-9, 1e-9, 0.0], [1e-9, 0.0, 1 - 1e-9]]]), np.array([0, 0, 1, 2, 1] * 2 + [1, 0])
    weight = np.where(np.arange(12) < 10, 1.0, 0.0)
    with pytest.warns(UserWarning, match="the weights are used for the calibration only") if cv != "prefit" else nullcontext():
        clf = CalibratedClassifier(Told(), cv=cv).fit(X, y, sample_weight=weight)
    assert [model.zero for model in clf.calibrated_classifiers_] == pytest.approx(
        [np.log(0.1 / 3)] * (1 if cv == "prefit" else 2)
    )


@pytest.mark.parametrize("estimator", [KNeighborsClassifier(10), RandomForestClassifier(20, random_state=0)], ids=repr)
def test_zeros_of_forests_and_neighbours_do_not_decide_the_fit(estimator):
    X, y = load_digits(return_X_y=True)
    X, y, X_test, y_test = X[:900], y[:900], X[900:], y[900:]
    clf = TemperatureScalingCalibrator(estimator, cv=3).fit(X, y)
    rare = np.log(np.finfo(float).eps)  # what scikit-learn takes for the logarithm of zero
    with np.errstate(divide="ignore"):
        logits = np.maximum(np.log(cross_val_predict(estimator, X, y, cv=3, method="predict_proba")), rare)
        new = np.maximum(np.log(estimator.fit(X, y).predict_proba(X_test)), rare)
    other = TemperatureScaling().fit(logits, y).predict_proba(new)
    assert log_loss(y_test, clf.predict_proba(X_test)) < 1.005 * log_loss(y_test, other)
    if isinstance(estimator, KNeighborsClassifier):
        assert log_loss(y_test, clf.predict_proba(X_test)) < 0.8 * log_loss(y_test, other)


def test_columns_that_are_not_the_classes_are_an_error(three):
    X, y = three
    X, y = np.vstack([X, X[:40] + 3]), np.append(y, np.full(40, 3))
    with pytest.raises(ValueError, match=r"SVC.decision_function must give a column for each of the 4 classes, got shape"):
        CalibratedClassifier(SVC(decision_function_shape="ovo")).fit(X, y)


def test_what_the_classifier_lacks_is_an_error(three):
    with pytest.raises(AttributeError, match="GaussianNB has no decision_function"):
        CalibratedClassifier(GaussianNB(), response_method="decision_function").fit(*three)
    with pytest.raises(ValueError, match="The 'estimator' parameter of CalibratedClassifier"):
        CalibratedClassifier(StandardScaler()).fit(*three)


@pytest.mark.parametrize("method", ["decision_function", "predict_proba", "predict_log_proba", "predict"])
@pytest.mark.parametrize("estimator", [LinearSVC(random_state=0), GaussianNB(), KNeighborsClassifier()], ids=repr)
@pytest.mark.parametrize("problem", ["two", "three"])
@ENSEMBLE
def test_a_rows_prediction_does_not_depend_on_the_other_rows(ensemble, problem, estimator, method, request):
    """Values of one batch may look like probabilities, those of another may not: nothing is guessed from them."""
    X, y = request.getfixturevalue(problem)
    clf = CalibratedClassifier(estimator, cv=3, ensemble=ensemble).fit(X, y)
    predict = getattr(clf, method)
    batch = np.vstack([X[:5], 100 * X[5:10], 0 * X[10:12]])
    one_at_a_time = np.concatenate([predict(row[None]) for row in batch])
    if method == "predict":
        assert_array_equal(predict(batch), one_at_a_time)
    else:  # the classifiers' own products of matrices are not the same to the last bit
        assert_allclose(predict(batch), one_at_a_time, rtol=1e-9, atol=1e-300)


class RulesOut(TemperatureScaling):
    """A calibrator that gives probability zero to what is unlikely."""

    def _transform(self, logits):
        scaled = super()._transform(logits)
        return np.where(scaled < scaled.max(axis=1, keepdims=True) - 5, -np.inf, scaled)


@pytest.mark.parametrize("problem", ["two", "three"])
@ENSEMBLE
def test_probabilities_of_zero_leave_decision_values_finite_and_in_order(ensemble, problem, request):
    X, y = request.getfixturevalue(problem)
    clf = CalibratedClassifier(GaussianNB(), RulesOut(), cv=3, ensemble=ensemble).fit(X, y)
    proba, logits = clf.predict_proba(10 * X), clf.decision_function(10 * X)
    assert (proba == 0).any()
    assert np.isfinite(logits).all()
    column = proba[:, 1] if problem == "two" else proba[0]
    assert_array_equal(np.argsort(logits if problem == "two" else logits[0], kind="stable"), np.argsort(column, kind="stable"))
    assert_array_equal(clf.predict(10 * X), proba.argmax(axis=1))


# -- labels --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LABELS)
@ENSEMBLE
def test_labels_of_any_kind_give_the_same_temperature(ensemble, kind, three):
    X, y = three
    plain = CalibratedClassifier(GaussianNB(), cv=3, ensemble=ensemble).fit(X, y)
    named = clone(plain).fit(X, LABELS[kind][y])
    assert_array_equal(named.predict_proba(X), plain.predict_proba(X))
    assert_array_equal(named.classes_, LABELS[kind])
    assert_array_equal(named.predict(X), LABELS[kind][plain.predict(X)])
    assert named.classes_.dtype == LABELS[kind].dtype
    temperatures = [[model.calibrator.temperature_ for model in clf.calibrated_classifiers_] for clf in (plain, named)]
    assert temperatures[0] == temperatures[1]


def test_booleans(two):
    X, y = two
    clf = CalibratedClassifier(GaussianNB()).fit(X, y.astype(bool))
    assert_array_equal(clf.classes_, [False, True])
    assert_array_equal(clf.predict_proba(X), CalibratedClassifier(GaussianNB()).fit(X, y).predict_proba(X))


@ENSEMBLE
@pytest.mark.parametrize("cv", [3, "prefit"])
def test_series_with_another_index(cv, ensemble, three):
    pd = pytest.importorskip("pandas")
    X, y = three
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(len(y)) * 7 + 1000)
    series = pd.Series(LABELS["strings"][y], index=np.arange(len(y))[::-1] - 50)
    estimator = GaussianNB().fit(frame, LABELS["strings"][y])
    clf = CalibratedClassifier(estimator, cv=cv, ensemble=ensemble).fit(frame, series)
    plain = CalibratedClassifier(GaussianNB().fit(X, y), cv=cv, ensemble=ensemble).fit(X, y)
    assert_array_equal(clf.predict_proba(frame), plain.predict_proba(X))
    assert list(clf.feature_names_in_) == list("abcd")
    assert clf.n_features_in_ == 4
    with pytest.raises(ValueError, match="feature names should match"):
        clf.predict(frame.rename(columns={"a": "z"}))


def test_polars_frame_and_categories(three):
    pl, pd = pytest.importorskip("polars"), pytest.importorskip("pandas")
    X, y = three
    frame = pl.DataFrame({name: X[:, i] for i, name in enumerate("abcd")})
    clf = CalibratedClassifier(GaussianNB(), cv=3).fit(frame, pd.Series(LABELS["strings"][y], dtype="category"))
    assert_array_equal(clf.classes_, ["a", "b", "c"])
    assert_array_equal(clf.predict_proba(frame), CalibratedClassifier(GaussianNB(), cv=3).fit(X, y).predict_proba(X))


# -- classes that rows lack ----------------------------------------------------------------------------------------------


def test_a_class_that_calibration_rows_lack(three):
    X, y = three
    fitted = GaussianNB().fit(X, LABELS["strings"][y])
    rows = np.flatnonzero(y != 1)
    clf = CalibratedClassifier(fitted, cv="prefit").fit(X[rows], LABELS["strings"][y[rows]])
    assert_array_equal(clf.classes_, ["a", "b", "c"])
    assert clf.predict_proba(X).shape == (150, 3)
    assert_array_equal(clf.predict(X), fitted.predict(X))


def test_labels_that_a_fitted_classifier_does_not_know(three):
    X, y = three
    fitted = GaussianNB().fit(X[y < 2], y[y < 2])
    with pytest.raises(ValueError, match=r"y holds labels that are not among the classes \[0, 1\]: 2 in row"):
        CalibratedClassifier(fitted, cv="prefit").fit(X, y)


@pytest.mark.parametrize("estimator", [GaussianNB(), LogisticRegression(), KNeighborsClassifier(9)], ids=repr)
@ENSEMBLE
def test_folds_whose_training_rows_lack_a_class(ensemble, estimator):
    rng = np.random.default_rng(1)
    y = np.repeat([10, 20, 30, 40], [8, 12, 12, 8])
    X = rng.normal(size=(40, 3)) + y[:, None] / 12
    # Rows of class 10 are tested together and trained on elsewhere, and those of 40 too.
    cv = PredefinedSplit(np.where(y == 10, 0, np.where(y == 40, 2, np.arange(40) % 3)))
    with pytest.warns(UserWarning, match=r"16 row\(s\) do not take part in the calibration"):
        clf = CalibratedClassifier(estimator, cv=cv, ensemble=ensemble).fit(X, y)
    proba = clf.predict_proba(X)
    assert_array_equal(clf.classes_, [10, 20, 30, 40])
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    assert np.isfinite([clf.cross_entropy_before_, clf.cross_entropy_after_]).all()
    assert clf.cross_entropy_after_ <= clf.cross_entropy_before_
    if ensemble:
        first, second, third = (model.predict_proba(X) for model in clf.calibrated_classifiers_)
        assert not first[:, 0].any()
        assert not third[:, 3].any()
        assert second.min() > 0
    else:
        rows = np.flatnonzero((y == 20) | (y == 30))
        logits = np.empty((40, 4))

        def fill_zeros(proba, test):
            own = np.isin(y[test], np.unique(y[~np.isin(np.arange(40), test)]))  # rows that take part
            return np.log(np.where(proba > 0, proba, proba[own][proba[own] > 0].min() / 3))

        with np.errstate(divide="ignore"):
            for train, test in cv.split():
                fitted = clone(estimator).fit(X[train], y[train])
                told = clf.calibrated_classifiers_[0].response_method
                values = getattr(fitted, told)(X[test])
                logits[np.ix_(test, np.isin(clf.classes_, fitted.classes_))] = (
                    fill_zeros(values, test) if told == "predict_proba" else values
                )
                logits[np.ix_(test, ~np.isin(clf.classes_, fitted.classes_))] = -np.inf
        expected = TemperatureScaling().fit(logits[rows], y[rows], classes=clf.classes_)
        assert clf.calibrator_.temperature_ == pytest.approx(expected.temperature_, rel=1e-9)


def test_a_class_of_one_row(three):
    X, y = three
    X, y = np.vstack([X, [[9, 9, 9, 9]]]), np.append(y, 3)
    cv = KFold(5, shuffle=True, random_state=0)
    with pytest.warns(UserWarning, match=r"1 row\(s\) do not take part in the calibration"):
        clf = CalibratedClassifier(LogisticRegression(), cv=cv, ensemble=False).fit(X, y)
    assert clf.predict_proba(X).shape == (151, 4)


def test_folds_that_cannot_calibrate(three):
    X, y = three
    with pytest.raises(ValueError, match="DecisionTreeClassifier must know two classes or more, got classes_=array"):
        CalibratedClassifier(DecisionTreeClassifier(), cv=KFold(2)).fit(X[:110], y[:110] // 1 * (y[:110] > 0))
    apart = [(np.flatnonzero(y != 2), np.flatnonzero(y == 2))]
    with pytest.raises(ValueError, match=r"No test row of a fold is of one of the classes \[0 1\] in its training rows"):
        CalibratedClassifier(GaussianNB(), cv=apart).fit(X, y)


@ENSEMBLE
def test_separable_folds_give_a_finite_temperature_and_a_reason(ensemble):
    X, y = load_iris(return_X_y=True)
    X, y = X[:100], y[:100]
    with pytest.warns(ConvergenceWarning, match="every row's class has the largest logit"):
        clf = CalibratedClassifier(LogisticRegression(), cv=3, ensemble=ensemble).fit(X, y)
    temperatures = [model.calibrator.temperature_ for model in clf.calibrated_classifiers_]
    assert np.all(np.isfinite(temperatures))
    assert np.all(np.greater(temperatures, 0.01))
    assert 0 < clf.cross_entropy_after_ <= clf.cross_entropy_before_


# -- weights -------------------------------------------------------------------------------------------------------------


@ENSEMBLE
def test_weights_reach_the_classifier_the_calibrator_and_the_report(ensemble, three):
    X, y = three
    weight = np.random.default_rng(0).uniform(0.1, 3, size=len(y))
    clf = CalibratedClassifier(GaussianNB(), cv=3, ensemble=ensemble).fit(X, y, sample_weight=weight)
    logits, temperatures = np.empty((len(y), 3)), []
    for train, test in StratifiedKFold(3).split(X, y):
        logits[test] = GaussianNB().fit(X[train], y[train], weight[train]).predict_log_proba(X[test])
        temperatures.append(TemperatureScaling().fit(logits[test], y[test], weight[test]).temperature_)
    if not ensemble:
        temperatures = [TemperatureScaling().fit(logits, y, weight).temperature_]
        assert_array_equal(clf.estimator_.theta_, GaussianNB().fit(X, y, weight).theta_)
    assert_allclose([model.calibrator.temperature_ for model in clf.calibrated_classifiers_], temperatures, rtol=1e-9)
    assert clf.cross_entropy_before_ == pytest.approx(-np.average(logits[np.arange(len(y)), y], weights=weight), rel=1e-9)


def test_a_classifier_without_weights_is_told_of(three):
    X, y = three
    weight = np.linspace(0.5, 2, len(y))
    with pytest.warns(UserWarning, match="KNeighborsClassifier has no parameter sample_weight"):
        clf = CalibratedClassifier(KNeighborsClassifier(), ensemble=False).fit(X, y, weight)
    assert clf.calibrator_.temperature_ != TemperatureScalingCalibrator(KNeighborsClassifier()).fit(X, y).temperature_
    fitted = KNeighborsClassifier().fit(X, y)
    for prefit in (
        CalibratedClassifier(fitted, cv="prefit"),
        CalibratedClassifier(FrozenEstimator(fitted)),
        CalibratedClassifier(FrozenEstimator(fitted), ensemble=True, cv=2),
    ):
        prefit.fit(X, y, weight)  # nothing is fitted, nothing is said


# -- bad input, and fits that fail ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"calibrator": "sigmoid"}, "The 'calibrator' parameter of CalibratedClassifier"),
        ({"calibrator": TemperatureScaling(input="proba")}, "calibrator must take logits"),
        ({"cv": "split"}, "The 'cv' parameter of CalibratedClassifier"),
        ({"ensemble": "yes"}, "The 'ensemble' parameter of CalibratedClassifier"),
        ({"response_method": "predict"}, "The 'response_method' parameter of CalibratedClassifier"),
        ({"cv": "prefit"}, "GaussianNB has no classes_: it is not fitted"),
        ({"cv": 200}, "n_splits=200"),
    ],
)
def test_bad_parameters_leave_the_last_fit_whole(change, error, three):
    X, y = three
    clf = CalibratedClassifier(GaussianNB(), cv=3).fit(X, y)
    proba = clf.predict_proba(X)
    with pytest.raises(ValueError, match=error):
        clf.set_params(**change).fit(X, y)
    assert_array_equal(clf.predict_proba(X), proba)


@pytest.mark.parametrize(
    ("y", "weight", "error"),
    [
        (np.zeros(150), None, "y must hold at least two classes, got only one class"),
        (np.linspace(0, 1, 150), None, "Unknown label type"),
        (np.full((150, 3), 1 / 3), None, "y must be labels"),
        (np.arange(149) % 3, None, "inconsistent numbers of samples"),
        (None, None, "requires y to be passed"),
        (np.append(np.arange(149) % 3, np.nan), None, "y contains NaN"),
        (np.arange(150) % 3, -np.ones(150), "sample_weight must be finite and non-negative, got -1.0 in row 0"),
        (np.arange(150) % 3, np.ones(149), r"sample_weight must have shape \(150,\), got \(149,\)"),
        (np.arange(150) % 3, np.zeros(150), "zero"),
    ],
)
def test_bad_data(y, weight, error, three):
    X, labels = three
    with pytest.raises(ValueError, match=error):
        CalibratedClassifier(GaussianNB(), cv=3).fit(X, y, sample_weight=weight)
    if error in ("y must hold at least two classes, got only one class", "Unknown label type"):
        return  # a fitted classifier knows its classes
    with pytest.raises(ValueError, match=error):
        CalibratedClassifier(GaussianNB().fit(X, labels), cv="prefit").fit(X, y, sample_weight=weight)


def test_from_an_ensemble_to_a_single_pair_and_back(three):
    X, y = three
    clf = CalibratedClassifier(GaussianNB(), cv=3, ensemble=False).fit(X, y)
    assert clf.calibrator_ is clf.calibrated_classifiers_[0].calibrator
    clf.set_params(ensemble=True).fit(X, y)
    assert not hasattr(clf, "calibrator_")
    assert len(clf.calibrated_classifiers_) == 3


# -- containers, dtypes, processes ---------------------------------------------------------------------------------------


@ENSEMBLE
def test_sparse_rows(ensemble, three):
    X, y = three
    X = np.where(X > 0.5, X, 0)
    dense = CalibratedClassifier(ensemble=ensemble, cv=3).fit(X, y)
    for container in (sparse.csr_matrix, sparse.csr_array):
        clf = clone(dense).fit(container(X), y)
        assert_allclose(clf.predict_proba(container(X)), dense.predict_proba(X), rtol=1e-3)


@pytest.mark.parametrize("problem", ["two", "three"])
@ENSEMBLE
def test_float32_stays_float32(ensemble, problem, request):
    X, y = request.getfixturevalue(problem)
    double = CalibratedClassifier(cv=3, ensemble=ensemble).fit(X, y)
    single = clone(double).fit(X.astype(np.float32), y)
    for method in ("decision_function", "predict_proba", "predict_log_proba"):
        predicted = getattr(single, method)(X.astype(np.float32))
        assert predicted.dtype == np.float32
        assert_allclose(predicted, getattr(double, method)(X), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("calibrator", ["temperature", Biases()], ids=["temperature", "biases"])
@ENSEMBLE
def test_pickles_and_jobs(ensemble, calibrator, three):
    X, y = three
    clf = CalibratedClassifier(GaussianNB(), calibrator, ensemble=ensemble).fit(X, y)
    with joblib.parallel_config(backend="threading"):
        parallel = clone(clf).set_params(n_jobs=2).fit(X, y)
    for other in (pickle.loads(pickle.dumps(clf)), parallel):
        assert_array_equal(other.predict_proba(X), clf.predict_proba(X))
        assert other.cross_entropy_after_ == clf.cross_entropy_after_


@ENSEMBLE
def test_a_calibrator_that_is_not_symmetric_in_the_classes(ensemble, three):
    X, y = three
    clf = CalibratedClassifier(GaussianNB(), Biases(), cv=3, ensemble=ensemble).fit(X, y)
    names = clone(clf).fit(X, np.array(["c", "b", "a"])[y])  # the order of the classes turns round
    assert_allclose(names.predict_proba(X), clf.predict_proba(X)[:, ::-1], rtol=1e-9)


def test_precomputed_kernels(three):
    X, y = three
    kernel = X @ X.T
    clf = CalibratedClassifier(SVC(kernel="precomputed"), cv=3, ensemble=False).fit(kernel, y)
    expected = CalibratedClassifier(SVC(kernel="linear"), cv=3, ensemble=False).fit(X, y)
    assert_allclose(clf.predict_proba(kernel), expected.predict_proba(X), rtol=1e-3)


def test_binary_problem_of_tables_as_users_have_it():
    pd = pytest.importorskip("pandas")
    data = load_breast_cancer(as_frame=True)
    y = pd.Series(data.target_names[data.target], index=data.data.index[::-1])
    clf = TemperatureScalingCalibrator(make_pipeline(StandardScaler(), GaussianNB())).fit(data.data, y)
    assert clf.temperature_ > 2  # as the columns are far from independent
    assert clf.cross_entropy_after_ < 0.5 * clf.cross_entropy_before_
    assert clf.decision_function(data.data).shape == (569,)


def test_parameters_of_scikit_learns_calibration_are_told_where_they_are_set():
    with pytest.raises(TypeError, match=r"no parameter 'method': set calibrator='platt' for the method 'sigmoid'"):
        CalibratedClassifier(GaussianNB(), method="sigmoid")
    with pytest.raises(TypeError, match="no parameter 'base_estimator': set estimator"):
        CalibratedClassifier(base_estimator=GaussianNB())
    with pytest.raises(TypeError, match=r"no parameter 'method': take CalibratedClassifier\(calibrator=\.\.\.\)"):
        TemperatureScalingCalibrator(method="isotonic")
    assert set(CalibratedClassifier().get_params()) >= {"calibrator", "cv", "ensemble", "estimator"}
