"""Bad input: every message says what was wrong, where, and what is allowed."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.utils._param_validation import InvalidParameterError

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.losses import CrossEntropy

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
    (X, Y[:5], None, r"inconsistent numbers of samples: \[6, 5\]"),
    (X, None, None, "requires y to be passed"),
    (X, np.zeros(6), None, "at least two classes, got only one class: .*0.0"),
    (X, np.linspace(0, 1, 6), None, "Unknown label type: continuous"),
    (X, changed(Y, 2, np.nan), None, "Input y contains NaN"),
    (X, changed(SOFT, (3, 1), 0.5), None, r"row 3 sums to 1.16667"),
    (X, changed(SOFT, 2, [1.5, -0.5, 0.0]), None, "row 2 holds the negative number -0.5"),
    (X, changed(SOFT, (4, 0), np.nan), None, "row 4 sums to nan"),
    (X, SOFT[:5], None, "inconsistent numbers of rows: 6 and 5"),
    (X, SOFT.astype(str), None, "must hold class probabilities, got dtype <U"),
    (X, sparse.csr_array(SOFT), None, "y is sparse"),
    (X, Y, changed(np.ones(6), 2, np.nan), "Input sample_weight contains NaN"),
    (X, Y, changed(np.ones(6), 2, np.inf), "Input sample_weight contains infinity"),
    (X, Y, changed(np.ones(6), 2, -1), "Negative values in data passed to `sample_weight`"),
    (X, Y, np.zeros(6), "(?i)sample.weight.*zero"),
    (X, Y, np.ones(5), r"sample_weight.shape == \(5,\), expected \(6,\)"),
    (X, Y, np.ones((6, 2)), "Sample weights must be 1D array or scalar|must be 1D"),
]


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize(("data", "y", "weight", "message"), DATA)
def test_bad_data_is_named(data, y, weight, message, fitted):
    message = message.replace("numbers of samples", "numbers? of samples")
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
