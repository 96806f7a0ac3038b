"""Prior correction: class weights taken back in closed form, on real data against the fit without weights."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from sksoftmax import CalibratedClassifier, SoftmaxRegressionClassifier
from sksoftmax.calibration import PriorCorrection, TemperatureScaling


def rare_tumours():
    X, y = load_breast_cancer(return_X_y=True)
    kept = np.flatnonzero((y == 1) | (np.arange(len(y)) % 4 == 0))
    return X[kept][:, :2], y[kept]


def eights_from_a_fourth_of_the_image():
    X, y = load_digits(return_X_y=True)
    return X[:, 16:32], np.where(y == 8, "eight", "other")


def three_digits_of_which_one_is_common():
    X, y = load_digits(return_X_y=True)
    kept = np.flatnonzero((y == 8) | np.isin(y, [1, 2]) & (np.arange(len(y)) % 4 == 0))
    return X[kept][:, 24:32], y[kept]


@pytest.mark.parametrize("problem", [rare_tumours, eights_from_a_fourth_of_the_image, three_digits_of_which_one_is_common])
def test_probabilities_distorted_by_class_weights_are_made_right(problem):
    X, y = problem()
    plain = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier(C=0.1))
    weighted = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier(C=0.1, class_weight="balanced"))
    # The correction learns nothing but how frequent the classes are, so that it may see the rows of the classifier's fit.
    losses, means = np.zeros(3), []
    for train, test in StratifiedKFold(4, shuffle=True, random_state=0).split(X, y):
        corrected = CalibratedClassifier(weighted.fit(X[train], y[train]), PriorCorrection("balanced"), cv="prefit")
        fitted = [plain.fit(X[train], y[train]), weighted, corrected.fit(X[train], y[train])]
        losses += [log_loss(y[test], clf.predict_proba(X[test])) / 4 for clf in fitted]
        means.append(corrected.predict_proba(X[test]).mean(axis=0))
    assert losses[1] > 1.2 * losses[0]
    assert losses[2] < 1.03 * losses[0]
    assert_allclose(np.mean(means, axis=0), np.unique(y, return_counts=True)[1] / len(y), atol=0.03)


def test_exact_where_the_classifier_can_have_any_logits():
    """A table of two binary columns and their product: the counts in its cells are fitted whatever the weights."""
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 4, size=2000)
    X, y = np.eye(4)[cells], (rng.uniform(size=2000) < np.array([0.05, 0.1, 0.3, 0.2])[cells]).astype(int)
    class_weight = {0: 0.5, 1: 7.0}
    clf = LogisticRegression(C=np.inf, class_weight=class_weight, tol=1e-10).fit(X, y)
    corrected = CalibratedClassifier(clf, PriorCorrection(class_weight), cv="prefit").fit(X, y)
    frequencies = [y[cells == cell].mean() for cell in range(4)]
    assert_allclose(corrected.predict_proba(np.eye(4))[:, 1], frequencies, rtol=1e-4)


@pytest.mark.parametrize("weighted", [True, False])
def test_balanced_weights_are_those_of_scikit_learn(weighted):
    rng = np.random.default_rng(0)
    y = np.array(["a", "b", "b", "c", "c", "c", "c"])
    logits, weight = rng.normal(size=(7, 3)), rng.integers(1, 4, size=7)
    sample_weight, repeats = (weight, weight) if weighted else (None, np.ones(7, int))
    correction = PriorCorrection().fit(logits, y, sample_weight)
    expected = compute_class_weight("balanced", classes=np.array(["a", "b", "c"]), y=np.repeat(y, repeats))
    assert_allclose(np.exp(correction.log_weight_), expected, rtol=1e-12)
    assert_allclose(correction.transform(logits), logits - np.log(expected), rtol=1e-12)
    soft = PriorCorrection().fit(logits, np.eye(3)[[0, 1, 1, 2, 2, 2, 2]], sample_weight)
    assert_allclose(soft.log_weight_, correction.log_weight_, rtol=1e-12)


def test_one_logit_two_logits_and_probabilities_are_corrected_alike():
    y = np.array([0, 1, 1, 1])
    logit = np.array([-1.0, 2.0, 0.5, 3.0])
    both = np.column_stack([np.zeros(4), logit])
    proba = np.exp(both) / np.exp(both).sum(axis=1, keepdims=True)
    one, two = PriorCorrection({0: 3, 1: 1}).fit(logit, y), PriorCorrection({0: 3, 1: 1}).fit(both, y)
    assert_allclose(one.transform(logit), logit + np.log(3), rtol=1e-12)
    assert_allclose(two.predict_proba(both), one.predict_proba(logit), rtol=1e-12)
    of_proba = PriorCorrection({0: 3, 1: 1}, input="proba").fit(proba, y)
    assert_allclose(of_proba.predict_proba(proba), one.predict_proba(logit), rtol=1e-12)
    assert one.transform(logit.astype(np.float32)).dtype == np.float32


def test_names_and_classes_without_a_name():
    logits = np.zeros((3, 3))
    correction = PriorCorrection({"b": 2.0, "a": 1.0, "c": 1.0}).fit(logits, ["a", "b", "c"])
    assert_allclose(correction.predict_proba(logits[:1]), [[0.4, 0.2, 0.4]], rtol=1e-12)
    turned = PriorCorrection({"b": 2.0, "a": 1.0, "c": 1.0}).fit(logits, ["a", "b", "c"], classes=["b", "c", "a"])
    assert_array_equal(turned.log_weight_, [np.log(2), 0, 0])


@pytest.mark.parametrize(
    ("class_weight", "error"),
    [
        ({0: 0.0, 1: 1.0, 2: 1.0}, "gives class .*0.* no weight"),
        ({0: -1.0, 1: 1.0, 2: 1.0}, "class_weight must be finite and non-negative"),
        ("balanced", "gives class .*2.* no weight"),
        ("auto", "The 'class_weight' parameter of PriorCorrection"),
        (None, "The 'class_weight' parameter of PriorCorrection"),
    ],
)
def test_weights_that_cannot_be_taken_back_leave_the_last_fit_whole(class_weight, error):
    logits = np.zeros((4, 3))
    correction = PriorCorrection().fit(logits[:3], [0, 1, 2])
    before = correction.log_weight_
    with pytest.raises(ValueError, match=error):
        correction.set_params(class_weight=class_weight).fit(logits, [0, 1, 1, 0], classes=[0, 1, 2])
    assert correction.log_weight_ is before
    assert not hasattr(correction, "_mass")


def test_nothing_is_learnt_from_the_outcomes():
    rng = np.random.default_rng(0)
    y = np.arange(50) % 3
    logits = rng.normal(size=(50, 3)) + np.eye(3)[y]
    assert_array_equal(PriorCorrection().fit(logits, y).log_weight_, PriorCorrection().fit(5 * logits, y).log_weight_)
    assert TemperatureScaling().fit(logits, y).temperature_ != TemperatureScaling().fit(5 * logits, y).temperature_
