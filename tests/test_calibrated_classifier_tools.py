"""Calibrated classifiers among scikit-learn's tools: its checks, searches, pipelines, metadata routing."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils._metadata_requests import _MetadataRequester

from sksoftmax import CalibratedClassifier, SoftmaxRegressionClassifier, TemperatureScalingCalibrator
from sksoftmax.calibration import CALIBRATORS, PriorCorrection, TemperatureScaling

CONFIGURATIONS = [
    CalibratedClassifier(GaussianNB(), cv=2),
    CalibratedClassifier(GaussianNB(), PriorCorrection(), cv=2, ensemble=False),
    CalibratedClassifier(DecisionTreeClassifier(max_depth=2, random_state=0), response_method="predict_proba", cv=2),
    CalibratedClassifier(RidgeClassifier(), TemperatureScaling(), cv=2, ensemble=False),
    TemperatureScalingCalibrator(SoftmaxRegressionClassifier(), cv=2),
]
INTERNAL_CHECKS = ["check_param_validation", "check_dataframe_column_names_consistency", "check_inplace_ensure_writeable"]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [50, 40, 30])
    return rng.normal(size=(120, 3)) + np.eye(3)[y] * 1.5, y, rng.uniform(0.2, 2, size=120)


def parametrize_with_checks(*estimators):
    pairs = [pair for estimator in estimators for pair in estimator_checks.estimator_checks_generator(estimator)]
    return pytest.mark.parametrize(("estimator", "check"), pairs, ids=[f"{e}-{check.func.__name__}" for e, check in pairs])


# The checks' own data are separable, or tell nothing, and few: that is said, and must not be an error.
@pytest.mark.filterwarnings("ignore:Temperature scaling:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:The least populated class in y:UserWarning")
@pytest.mark.filterwarnings("ignore:.* do not take part in the calibration:UserWarning")
@pytest.mark.slow
@parametrize_with_checks(*CONFIGURATIONS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:Temperature scaling:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", CONFIGURATIONS, ids=repr)
@pytest.mark.parametrize("name", INTERNAL_CHECKS)
def test_checks_of_scikit_learns_own_estimators(name, estimator):
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)


def test_tags_are_those_of_the_classifier():
    assert get_tags(CalibratedClassifier()).input_tags.sparse
    assert not get_tags(CalibratedClassifier(LinearDiscriminantAnalysis())).input_tags.sparse
    assert get_tags(TemperatureScalingCalibrator()).estimator_type == "classifier"


# -- parameters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calibrator", ["temperature", TemperatureScaling()], ids=["name", "object"])
def test_parameters_of_a_calibrator_by_name_or_object(calibrator):
    clf = CalibratedClassifier(GaussianNB(), calibrator)
    assert clf.set_params(calibrator__input="proba", estimator__var_smoothing=0.5) is clf
    assert clf.get_params()["calibrator__input"] == "proba"
    assert clf.get_params()["estimator__var_smoothing"] == 0.5
    clf.set_params(calibrator="temperature")
    assert clf.calibrator == "temperature"
    assert "calibrator__input" not in clone(clf).get_params()
    clf.set_params(calibrator="temperature", calibrator__input="proba")
    assert clf.calibrator.input == "proba"
    with pytest.raises(ValueError, match="Invalid parameter 'bias' for estimator TemperatureScaling"):
        CalibratedClassifier().set_params(calibrator__bias=1)


def test_search_over_estimator_calibrator_and_their_parameters(data):
    X, y, _ = data
    grid = {
        "calibratedclassifier__calibrator": ["temperature", PriorCorrection({0: 1.0, 1: 9.0, 2: 1.0})],
        "calibratedclassifier__estimator__kneighborsclassifier__n_neighbors": [3, 15],
        "calibratedclassifier__ensemble": [True, False],
    }
    inner = make_pipeline(StandardScaler(), KNeighborsClassifier())
    pipeline = make_pipeline(StandardScaler(), CalibratedClassifier(inner, cv=3))
    search = GridSearchCV(pipeline, grid, cv=3, scoring="neg_log_loss", error_score="raise").fit(X, y)
    assert search.best_params_["calibratedclassifier__calibrator"] == "temperature"
    assert search.best_params_["calibratedclassifier__estimator__kneighborsclassifier__n_neighbors"] == 15
    best = clone(pipeline).set_params(**search.best_params_).fit(X, y)
    assert_array_equal(search.predict_proba(X), best.predict_proba(X))


@pytest.mark.filterwarnings("ignore:Temperature scaling:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", CALIBRATORS)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("ensemble", [True, False])
def test_every_calibrator_of_the_table(ensemble, n_classes, name, data):
    X, y, weight = data
    if n_classes == 3 and CALIBRATORS[name].two_classes_only:
        pytest.skip("for two classes")
    X, y, weight = X[y < n_classes], y[y < n_classes], weight[y < n_classes]
    for estimator in (LogisticRegression(), GaussianNB()):  # one logit, or two, for two classes
        clf = CalibratedClassifier(estimator, name, cv=2, ensemble=ensemble).fit(X, y, sample_weight=weight)
        proba = clf.predict_proba(X)
        assert proba.shape == (len(y), n_classes)
        np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-9)
        assert clf.decision_function(X).shape == ((len(y),) if n_classes == 2 else (len(y), 3))
        assert clf.score(X, y) > 0.5


# -- metadata ------------------------------------------------------------------------------------------------------------


class Told(ClassifierMixin, BaseEstimator):
    """A classifier that keeps what its fit was given."""

    def fit(self, X, y, sample_weight=None, other=None):
        self.classes_ = np.unique(y)
        self.sample_weight_, self.other_ = sample_weight, other
        return self

    def decision_function(self, X):
        return X


class ToldCalibrator(TemperatureScaling):
    def fit(self, logits, y, sample_weight=None, *, classes=None):
        self.sample_weight_ = sample_weight
        return super().fit(logits, y, sample_weight, classes=classes)


def test_without_routing_everything_goes_to_the_classifier(data):
    X, y, weight = data
    other = np.arange(120)
    clf = CalibratedClassifier(Told(), ToldCalibrator(), cv=2, ensemble=False).fit(X, y, weight, other=other)
    assert_array_equal(clf.estimator_.sample_weight_, weight)
    assert_array_equal(clf.estimator_.other_, other)
    assert_array_equal(clf.calibrator_.sample_weight_, weight)
    folds = CalibratedClassifier(Told(), ToldCalibrator(), cv=2).fit(X, y, weight, other=list(other))
    for model, rest in zip(folds.calibrated_classifiers_, reversed(folds.calibrated_classifiers_), strict=True):
        assert_array_equal(model.estimator.sample_weight_, rest.calibrator.sample_weight_)
        assert_array_equal(model.estimator.sample_weight_, weight[model.estimator.other_])


@pytest.mark.parametrize("by_estimator", [True, False])
@pytest.mark.parametrize("by_calibrator", [True, False])
def test_routing_gives_weights_to_who_requests_them(by_calibrator, by_estimator, data):
    X, y, weight = data
    with config_context(enable_metadata_routing=True):
        estimator = Told().set_fit_request(sample_weight=by_estimator, other="name")
        calibrator = ToldCalibrator().set_fit_request(sample_weight=by_calibrator)
        clf = CalibratedClassifier(estimator, calibrator, cv=2, ensemble=False).fit(X, y, sample_weight=weight, name="given")
    for fitted, requested in ((clf.estimator_, by_estimator), (clf.calibrator_, by_calibrator)):
        assert_array_equal(fitted.sample_weight_, weight if requested else None)
    assert clf.estimator_.other_ == "given"


def test_routing_asks_for_a_decision(data):
    X, y, weight = data
    with config_context(enable_metadata_routing=True):
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            CalibratedClassifier(Told()).fit(X, y, sample_weight=weight)
        told = Told().set_fit_request(sample_weight=True)
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            CalibratedClassifier(told, TemperatureScaling()).fit(X, y, sample_weight=weight)
        with pytest.raises(TypeError, match="unexpected"):
            CalibratedClassifier(told).fit(X, y, something=1)
        CalibratedClassifier(told, cv=2).fit(X, y, sample_weight=weight)
    # Defaults that nobody can ask want the weights.
    with config_context(enable_metadata_routing=True):
        routed = TemperatureScalingCalibrator(cv=2).fit(X, y, sample_weight=weight)
    assert routed.temperature_ == TemperatureScalingCalibrator(cv=2).fit(X, y, sample_weight=weight).temperature_


def test_routing_gives_groups_to_the_splitter(data):
    X, y, _ = data
    groups = np.arange(120) % 5
    with config_context(enable_metadata_routing=True):
        clf = TemperatureScalingCalibrator(GaussianNB(), cv=GroupKFold(3)).fit(X, y, groups=groups)
    splits = list(GroupKFold(3).split(X, y, groups))
    assert clf.temperature_ == TemperatureScalingCalibrator(GaussianNB(), cv=splits).fit(X, y).temperature_


class WeightedSplits(_MetadataRequester):
    """A splitter that wants weights."""

    def __init__(self):
        self.set_split_request(sample_weight=True)

    def get_n_splits(self, X=None, y=None, groups=None):
        return 2

    def split(self, X, y=None, sample_weight=None):
        light = sample_weight < np.median(sample_weight)
        return iter([(np.flatnonzero(light), np.flatnonzero(~light)), (np.flatnonzero(~light), np.flatnonzero(light))])


def test_routing_through_a_pipeline_and_a_search(data):
    X, y, weight = data
    with config_context(enable_metadata_routing=True):
        estimator = GaussianNB().set_fit_request(sample_weight=True)
        calibrated = CalibratedClassifier(estimator, cv=WeightedSplits(), ensemble=False).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), calibrated)
        grid = {"calibratedclassifier__estimator__var_smoothing": [1e-9, 1e-1]}
        scoring = get_scorer("neg_log_loss").set_score_request(sample_weight=False)
        search = GridSearchCV(pipeline, grid, cv=2, scoring=scoring, error_score="raise").fit(X, y, sample_weight=weight)
        splits = list(WeightedSplits().split(X, y, weight))
    scaled = search.best_estimator_[0].transform(X)
    expected = GaussianNB(**search.best_estimator_[1].estimator.get_params())
    expected = CalibratedClassifier(expected, cv=splits, ensemble=False).fit(scaled, y, weight)
    assert_array_equal(search.predict_proba(X), expected.predict_proba(scaled))


def test_an_estimator_that_is_a_pipeline_of_other_things(data):
    X, y, _ = data
    pipeline = make_pipeline(StandardScaler(), LinearSVC(random_state=0))
    assert cross_val_score(CalibratedClassifier(pipeline), X, y, cv=3, scoring="neg_log_loss", error_score="raise").min() > -1.0
