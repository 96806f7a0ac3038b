"""Bad input: every message says what was wrong, where, and what is allowed."""

import inspect

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError

from sksoftmax import CalibratedClassifier, SoftmaxRegressionClassifier, TemperatureScalingCalibrator
from sksoftmax.losses import CrossEntropy
from sksoftmax.solvers import SOLVERS

X = np.arange(12.0).reshape(6, 2) % 5
Y = np.array([0, 1, 2, 0, 1, 2])
SOFT = np.full((6, 3), 1 / 3)


def changed(array, index, value):
    array = np.array(array, dtype=float)
    array[index] = value
    return array


DATA = [
    (changed(X, (1, 0), np.nan), Y, None, "Input X contains NaN"),
    (changed(X, (1, 0), np.inf), Y, None, "Input X contains infinity"),
    (sparse.csr_array(changed(X, (1, 0), np.nan)), Y, None, "Input X contains NaN"),
    ([["a", "b"]] * 6, Y, None, "could not convert string to float"),
    (np.empty((0, 2)), np.empty(0), None, r"Found array with 0 sample\(s\)"),
    (np.empty((6, 0)), Y, None, r"Found array with 0 feature\(s\)"),
    (X[:, 0], Y, None, "Expected 2D array, got 1D array"),
    (X, Y[:5], None, "Found input variables with inconsistent numbers of samples: 6 in X, 5 in y"),
    (X, None, None, "requires y to be passed"),
    (X, np.zeros(6), None, r"at least two classes, got only one class: 0.0\."),
    (X, np.linspace(0, 1, 6), None, "Unknown label type: continuous"),
    (X, changed(Y, 2, np.nan), None, "Input y contains NaN in row 2"),
    (X, changed(SOFT, (3, 1), 0.5), None, r"row 3 sums to 1.16667"),
    (X, changed(SOFT, 2, [1.5, -0.5, 0.0]), None, r"row 2 holds \[1.5, -0.5, 0.0\]"),
    (X, changed(SOFT, (4, 0), np.nan), None, r"row 4 holds \[nan, "),
    (X, SOFT[:5], None, "inconsistent numbers of samples: 6 in X, 5 in y"),
    (X, SOFT.astype(str), None, "y must be real numbers, got dtype <U"),
    (X, sparse.csr_array(SOFT), None, "y is sparse"),
    (X, Y, changed(np.ones(6), 2, np.nan), "sample_weight must be finite and non-negative, got nan in row 2"),
    (X, Y, changed(np.ones(6), 2, np.inf), "sample_weight must be finite and non-negative, got inf in row 2"),
    (X, Y, changed(np.ones(6), 2, -1), "sample_weight must be finite and non-negative, got -1.0 in row 2"),
    (X, Y, np.zeros(6), "(?i)sample.weight.*zero"),
    (X, Y, np.ones(5), r"sample_weight must have shape \(6,\), got \(5,\)"),
    (X, Y, np.ones((6, 2)), r"sample_weight must have shape \(6,\), got \(6, 2\)"),
]


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize(("data", "y", "weight", "message"), DATA)
def test_bad_data_is_named(data, y, weight, message, fitted):
    clf = SoftmaxRegressionClassifier()
    if fitted:
        clf.fit(X, Y)
    before = dict(vars(clf))
    with pytest.raises(ValueError, match=message):
        clf.fit(data, y, sample_weight=weight)
    # Nothing half-fitted, nothing lost.
    assert vars(clf).keys() == before.keys()
    assert all(value is before[name] for name, value in vars(clf).items())


@pytest.mark.parametrize("names", [["a", "b", "c"], None])
def test_a_failed_fit_keeps_width_and_names_of_the_last(names):
    clf = SoftmaxRegressionClassifier().fit(pd.DataFrame(X, columns=["a", "b"]), Y)
    wide = np.column_stack([X, X[:, 0]])
    with pytest.raises(ValueError, match="only one class"):
        clf.fit(wide if names is None else pd.DataFrame(wide, columns=names), np.zeros(6))
    assert clf.n_features_in_ == 2
    assert list(clf.feature_names_in_) == ["a", "b"]
    clf.predict(pd.DataFrame(X, columns=["a", "b"]))


PARAMETERS = [
    ({"C": 0}, r"'C' parameter .* must be a float in the range \(0.0, inf\]. Got 0"),
    ({"C": -1.0}, r"'C' parameter .* Got -1.0"),
    ({"C": "1"}, r"'C' parameter .* Got '1'"),
    ({"l1_ratio": 1.5}, r"'l1_ratio' parameter .* in the range \[0.0, 1.0\]. Got 1.5"),
    ({"loss": "huber"}, r"'loss' parameter .*'cross_entropy'.* Got 'huber'"),
    ({"loss": CrossEntropy}, r"'loss' parameter .* instance of .*Loss"),
    ({"solver": "liblinear"}, r"'solver' parameter (?=.*'auto')(?=.*'lbfgs')(?=.*'sgd')(?=.*'saga').* Got 'liblinear'"),
    ({"fit_intercept": "yes"}, "'fit_intercept' parameter"),
    ({"class_weight": "even"}, "'class_weight' parameter .*'balanced'.* Got 'even'"),
    ({"tol": -1}, r"'tol' parameter .* in the range \[0.0, inf\) or None. Got -1"),
    ({"max_iter": -1}, r"'max_iter' parameter .* Got -1"),
    ({"max_iter": 1.5}, "'max_iter' parameter .* Got 1.5"),
    ({"warm_start": None}, "'warm_start' parameter"),
]


@pytest.mark.parametrize(("params", "message"), PARAMETERS)
def test_bad_parameters_are_named(params, message):
    with pytest.raises(InvalidParameterError, match=message):
        SoftmaxRegressionClassifier(**params).fit(X, Y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"l1_ratio": 0.5}, "l1_ratio=0.5 is not implemented yet: only l1_ratio=0.0"),
        ({"loss": CrossEntropy(label_smoothing=1.5)}, r"label_smoothing must be in \[0, 1\), got 1.5"),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, "leave no weight on any row"),
        ({"class_weight": {0: -1}}, "class_weight must be finite and non-negative"),
        ({"class_weight": {5: 1.0}}, r"classes, \[0, 1, 2\], are not in class_weight"),
    ],
)
def test_what_does_not_go_together_is_named(params, message):
    with pytest.raises(ValueError, match=message):
        SoftmaxRegressionClassifier(**params).fit(X, Y)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function"])
def test_bad_data_to_predict_is_named(method):
    clf = SoftmaxRegressionClassifier().fit(X, Y)
    with pytest.raises(ValueError, match="X has 3 features, but SoftmaxRegressionClassifier is expecting 2 features"):
        getattr(clf, method)(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        getattr(clf, method)([[np.nan, 0.0]])


def test_score_names_bad_targets():
    clf = SoftmaxRegressionClassifier().fit(X, Y)
    with pytest.raises(ValueError, match="row 0 sums to 2"):
        clf.score(X, 2 * SOFT * 3 / 3)
    with pytest.raises(ValueError, match="inconsistent"):
        clf.score(X, Y[:3])


INSTEAD = [
    ("penalty", "set l1_ratio and C"),
    ("label_smoothing", r"set loss=CrossEntropy\(label_smoothing=...\) of sksoftmax.losses"),
    ("gamma", r"set loss=FocalLoss\(gamma=...\)"),
    ("batch_size", r"set solver=SGD\(batch_size=...\) \(or AdaGrad, Adam, RMSProp\) of sksoftmax.solvers"),
    ("learning_rate", r"set solver=SGD\(learning_rate=...\)"),
    ("power", r"set solver=SGD\(schedule=InverseScaling\(power=...\)\) of sksoftmax.solvers.schedules"),
    ("dual", "leave it out"),
    ("intercept_scaling", "leave it out"),
    ("multi_class", "OneVsRestClassifier"),
    ("alpha", "set C = 1"),
    ("epochs", "set max_iter"),
    ("warmstart", "perhaps 'warm_start' is meant"),
    ("c", "perhaps 'C' is meant"),
]


@pytest.mark.parametrize(("name", "message"), INSTEAD)
def test_parameters_of_other_places_say_where_they_are_set(name, message):
    with pytest.raises(TypeError, match=f"^SoftmaxRegressionClassifier has no parameter '{name}': .*{message}"):
        SoftmaxRegressionClassifier(**{name: 1})
    clf = SoftmaxRegressionClassifier(C=2)
    with pytest.raises(ValueError, match=f"^Invalid parameter '{name}' for estimator .*C=2.*: .*{message}"):
        clf.set_params(**{name: 1})


OF_CALIBRATION = [
    (CalibratedClassifier, "method", "set calibrator='platt' for the method 'sigmoid'"),
    (CalibratedClassifier, "base_estimator", r"set estimator\."),
    (CalibratedClassifier, "C", r"set estimator=SoftmaxRegressionClassifier\(C=...\)"),
    (CalibratedClassifier, "penalty", "its parameters are calibrator, cv|Valid parameters are"),
    (CalibratedClassifier, "ensembles", "perhaps 'ensemble' is meant"),
    (TemperatureScalingCalibrator, "base_estimator", r"set estimator\."),
    (TemperatureScalingCalibrator, "method", r"take CalibratedClassifier\(calibrator=...\)"),
    (TemperatureScalingCalibrator, "calibrator", r"take CalibratedClassifier\(calibrator=...\)"),
    (TemperatureScalingCalibrator, "ensemble", r"take CalibratedClassifier\(ensemble=...\)"),
]


@pytest.mark.parametrize(("cls", "name", "message"), OF_CALIBRATION)
def test_calibrated_classifiers_say_where_their_parameters_are_set(cls, name, message):
    with pytest.raises(TypeError, match=f"^{cls.__name__} has no parameter '{name}': .*({message})"):
        cls(**{name: 1})
    for given in (name, f"{name}__C"):
        with pytest.raises(ValueError, match=rf"^Invalid parameter '{name}\w*' for estimator {cls.__name__}.*({message})"):
            cls().set_params(**{given: 1})


def test_a_parameter_that_nobody_knows_gets_the_list_of_those_that_are():
    with pytest.raises(TypeError, match=r"no parameter 'zzz': its parameters are C, class_weight, .*, warm_start\."):
        SoftmaxRegressionClassifier(zzz=1)
    with pytest.raises(ValueError, match=r"Invalid parameter 'zzz' for estimator .*Valid parameters are: \['C', "):
        SoftmaxRegressionClassifier().set_params(zzz=1)


class Renamed(SoftmaxRegressionClassifier):
    pass


class Smoothed(SoftmaxRegressionClassifier):
    def __init__(self, label_smoothing=0.1, **params):
        super().__init__(**params)
        self.label_smoothing = label_smoothing


def test_subclasses_are_named_and_have_parameters_of_their_own():
    with pytest.raises(TypeError, match=r"^Renamed has no parameter 'penalty'"):
        Renamed(penalty="l2")
    assert Renamed(3.0).get_params() == SoftmaxRegressionClassifier(C=3.0).get_params()
    assert clone(Smoothed(label_smoothing=0.2)).label_smoothing == 0.2
    signature = inspect.signature(SoftmaxRegressionClassifier)
    assert list(signature.parameters)[:2] == ["C", "l1_ratio"]
    assert signature.parameters["C"].default == 1.0


def test_allowed_names_are_sorted_and_classes_public():
    names = ", ".join(map(repr, sorted(["auto", *SOLVERS])))
    with pytest.raises(InvalidParameterError, match=rf"{{{names}}} or an instance of 'sksoftmax.solvers.Solver'\. Got 'sag'"):
        SoftmaxRegressionClassifier(solver="sag").fit(X, Y)
    with pytest.raises(InvalidParameterError, match=r"{'cosine', .*, 'margin'} or an instance of 'sksoftmax.losses.Loss'"):
        SoftmaxRegressionClassifier(loss="log").fit(X, Y)
    calibrator = (
        r"{'auto', .*'platt' \(scikit-learn's 'sigmoid'\), .*, 'vector'} or an instance of 'sksoftmax.calibration.Calibrator'"
    )
    with pytest.raises(InvalidParameterError, match=calibrator):
        CalibratedClassifier(calibrator="sigmoid").fit(X, Y)


def test_methods_that_are_not_there_say_what_to_set():
    clf = SoftmaxRegressionClassifier().fit(X, Y)
    with pytest.raises(AttributeError, match=r"set solver to one of 'adagrad', .*SGD\(learning_rate=0.1\); got solver='auto'"):
        _ = clf.partial_fit
    with pytest.raises(AttributeError, match="HingeLoss has no probabilities: use predict or decision_function"):
        SoftmaxRegressionClassifier(loss="hinge").fit(X, Y).predict_proba(X)
    assert not hasattr(clf, "partial_fit")
    assert hasattr(clf.set_params(solver="sgd"), "partial_fit")


def test_n_jobs_is_taken_and_changes_nothing():
    plain = SoftmaxRegressionClassifier().fit(X, Y)
    np.testing.assert_array_equal(SoftmaxRegressionClassifier(n_jobs=-1).fit(X, Y).coef_, plain.coef_)
    with pytest.raises(InvalidParameterError, match="'n_jobs' parameter"):
        SoftmaxRegressionClassifier(n_jobs="all").fit(X, Y)
