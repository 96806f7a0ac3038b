"""The automatic choice: no harm, what is simple where it is enough, what is flexible where rows ask for it."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.base import clone

from sksoftmax.calibration import (
    AutoCalibration,
    BiasCorrectedTemperatureScaling,
    Calibrator,
    StructuredMatrixScaling,
    StructuredVectorScaling,
    TemperatureScaling,
)
from sksoftmax.calibration._selection import folds, one_standard_error_rule, out_of_fold_losses, row_losses, subset
from sksoftmax.data.targets import make_targets as join_targets
from sksoftmax.losses import Targets


def planted(distortion, n_rows, n_classes=5, seed=0):
    rng = np.random.default_rng(seed)
    true = 2 * rng.normal(size=(n_rows, n_classes))
    y = (true + rng.gumbel(size=true.shape)).argmax(axis=1)
    draw = np.random.default_rng(1)
    given = {
        "none": lambda: true,
        "temperature": lambda: 3 * true,
        "bias": lambda: 2 * (true + draw.normal(size=n_classes)),
        "matrix": lambda: 2 * true @ (np.eye(n_classes) + 0.3 * draw.normal(size=(n_classes, n_classes))),
    }[distortion]()
    return given, y


def cross_entropy(log_proba, y):
    return -np.mean(log_proba[np.arange(len(y)), y])


@pytest.mark.parametrize("distortion", ["none", "temperature", "bias", "matrix"])
def test_what_is_planted_is_found(distortion):
    logits, y = planted(distortion, 2000)
    calibrator = AutoCalibration().fit(logits, y)
    found = calibrator.method_
    assert found.startswith({"bias": "structured-vector", "matrix": "structured-matrix"}.get(distortion, distortion))
    assert set(calibrator.cross_entropies_) >= {"none", "temperature", found}
    assert isinstance(calibrator.calibrator_, Calibrator)
    np.testing.assert_array_equal(calibrator.transform(logits), calibrator.calibrator_.transform(logits))


@pytest.mark.parametrize("distortion", ["none", "temperature", "bias", "matrix"])
@pytest.mark.parametrize("n_rows", [200, 500])
def test_no_harm_on_new_rows(distortion, n_rows):
    test, test_y = planted(distortion, 20_000, seed=99)
    before, after = cross_entropy(log_softmax(test, axis=1), test_y), []
    for seed in range(5):
        calibrator = AutoCalibration().fit(*planted(distortion, n_rows, seed=seed))
        after.append(cross_entropy(calibrator.predict_log_proba(test), test_y))
    assert np.mean(after) <= 1.005 * before


def test_few_rows_of_a_needed_matrix_get_one():
    """Fourteen rows a class: the ridge is enough to hold a matrix."""
    logits, y = planted("matrix", 140, n_classes=10)
    test, test_y = planted("matrix", 5000, n_classes=10, seed=9)
    calibrator = AutoCalibration().fit(logits, y)
    assert calibrator.method_.startswith("structured-matrix")
    temperature = cross_entropy(TemperatureScaling().fit(logits, y).predict_log_proba(test), test_y)
    assert cross_entropy(calibrator.predict_log_proba(test), test_y) < 0.97 * temperature


def test_platt_is_among_the_candidates_for_two_classes():
    assert "platt" in AutoCalibration().fit(*planted("none", 60, n_classes=2)).cross_entropies_
    assert "platt" not in AutoCalibration().fit(*planted("none", 60, n_classes=3)).cross_entropies_


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_losses_of_millions_do_not_speak_for_no_calibration(n_classes, seed):
    """As of naive Bayes: a standard error of such losses is as large as their mean, and hides it."""
    rng = np.random.default_rng(seed)
    logits, y = planted("none", 300, n_classes=n_classes, seed=seed)
    test, test_y = planted("none", 5000, n_classes=n_classes, seed=99)
    boast, others = (np.exp(6 * rng.standard_normal((len(z), 1))) * 100 for z in (logits, test))
    calibrator = AutoCalibration().fit(logits * boast, y)
    assert calibrator.cross_entropies_["none"] > 1000
    assert calibrator.method_ != "none"
    assert cross_entropy(calibrator.predict_log_proba(test * others), test_y) < np.log(n_classes)


@pytest.mark.filterwarnings("ignore:Temperature scaling:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_rows", [2, 3, 6])
def test_as_few_rows_as_there_can_be(n_rows):
    logits, y = np.eye(3)[np.arange(n_rows) % 3] + 0.1, np.array([0, 1, 0, 0, 1, 2])[:n_rows]
    proba = AutoCalibration().fit(logits, y, classes=[0, 1, 2]).predict_proba(logits)
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def make_targets(labels, weight):
    return Targets(3, np.asarray(weight) / np.sum(weight), labels=np.asarray(labels, dtype=np.int32))


def test_folds_are_of_one_size_and_leave_rows_without_weight():
    weight = np.ones(43)
    weight[::7] = 0
    fold = folds(weight)
    assert (fold[::7] == -1).all()
    assert sorted(np.bincount(fold[fold >= 0])) == [7, 7, 7, 7, 8]
    np.testing.assert_array_equal(folds(weight), fold)
    assert set(folds(np.ones(2))) == {0, 1}


def test_folds_do_not_tell_how_often_a_sample_has_its_classes():
    """Logits that are right, and two rows a class: only folds that share classes out would speak for a bias."""
    logits, y = planted("none", 80, n_classes=40)
    calibrator = AutoCalibration().fit(logits, y, classes=np.arange(40))
    assert calibrator.method_ in ("none", "temperature")
    targets = Targets(40, np.full(80, 1 / 80), labels=y.astype(np.int32))
    losses = out_of_fold_losses([BiasCorrectedTemperatureScaling()], logits, targets, 80)
    assert losses.mean() > calibrator.cross_entropies_["none"]


@pytest.mark.parametrize("kind", ["labels", "rows"])
def test_losses_out_of_folds_are_those_of_a_loop_by_hand(kind):
    """The inner fits know the weight of their own rows, which ridges and mixtures depend on."""
    logits, y = planted("bias", 60, n_classes=3)
    weight = np.random.default_rng(3).integers(0, 4, size=60).astype(float)
    soft = 0.9 * np.eye(3)[y] + 0.1 / 3
    truth = y if kind == "labels" else soft
    targets, total = join_targets(
        np.arange(3), weight.copy(), None, **({"labels": y.astype(np.int32)} if kind == "labels" else {"proba": soft})
    )
    candidates = [StructuredMatrixScaling(), StructuredVectorScaling(strength=10), TemperatureScaling()]
    losses = out_of_fold_losses(candidates, logits, targets, total)
    fold = folds(weight)
    expected = np.zeros((3, 60))
    for k, candidate in enumerate(candidates):
        for held_out in range(5):
            inside, outside = (fold >= 0) & (fold != held_out), fold == held_out
            fitted = clone(candidate).fit(logits[inside], truth[inside], weight[inside], classes=np.arange(3))
            log_proba = fitted.predict_log_proba(logits[outside])
            share = np.eye(3)[y[outside]] if kind == "labels" else soft[outside]
            expected[k, outside] = -(share * log_proba).sum(axis=1)
    np.testing.assert_allclose(losses, expected, rtol=1e-9, atol=1e-12)


def test_subsets_keep_shares():
    targets, share = subset(make_targets([0, 1, 2, 1], [1, 2, 3, 4]), np.array([1, 3]))
    np.testing.assert_allclose(targets.weight, [1 / 3, 2 / 3])
    assert share == pytest.approx(0.6)
    logits = np.random.default_rng(0).normal(size=(2, 3))
    np.testing.assert_allclose(row_losses(logits, targets), -log_softmax(logits, axis=1)[:, 1])


def test_the_rule_of_one_standard_error():
    """Rows' losses differ by far more than candidates' do: only the differences within a row tell candidates apart."""
    rows, weight = 10 * np.random.default_rng(0).normal(size=1000), np.full(1000, 1e-3)
    noise = np.tile([1.0, -1.0], 500)  # a standard error of 0.0316
    best, alike, worse = rows, rows + noise + 0.03, rows + noise + 0.04
    assert one_standard_error_rule(np.array([alike, worse, best]), weight, 0) == 0
    assert one_standard_error_rule(np.array([worse, alike, best]), weight, 0) == 1
    assert one_standard_error_rule(np.array([worse, best, alike]), weight, 2) == 2
    assert one_standard_error_rule(np.array([best, alike, worse]), weight, 0) == 0
    assert one_standard_error_rule(np.array([best, worse, worse]), weight, 2) == 0
    assert one_standard_error_rule(np.array([alike, worse, best]), weight, 0, [0.5, 1.5, 0.5]) == 1


def test_cross_entropies_are_weighted_means():
    logits, y = planted("none", 90, n_classes=3)
    weight = np.random.default_rng(0).integers(0, 3, size=90).astype(float)
    expected = np.average(-log_softmax(logits, axis=1)[np.arange(90), y], weights=weight)
    assert AutoCalibration().fit(logits, y, weight).cross_entropies_["none"] == pytest.approx(expected, rel=1e-12)


def test_rows_without_weight_are_as_if_left_out_of_the_choice():
    """Whatever they say: as many again, of logits that are far too large."""
    logits, y = planted("bias", 200)
    junk, others = np.vstack([logits, 50 * logits]), np.concatenate([y, (y + 1) % 5])
    weight = np.repeat([1.0, 0.0], 200)
    plain = AutoCalibration().fit(logits, y)
    weighted = AutoCalibration().fit(junk, others, sample_weight=weight)
    assert weighted.method_ == plain.method_
    for name, value in plain.cross_entropies_.items():
        assert weighted.cross_entropies_[name] == pytest.approx(value, rel=1e-6)
