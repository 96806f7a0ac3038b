"""The automatic choice: no harm, what is simple where it is enough, what is flexible where rows ask for it."""

import numpy as np
import pytest
from scipy.special import log_softmax

from sksoftmax.calibration import AutoCalibration, Calibrator
from sksoftmax.calibration._selection import folds, row_losses, simplest, subset
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
    assert found.startswith({"bias": "bias-corrected", "matrix": "structured-matrix"}.get(distortion, distortion))
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


def test_few_rows_a_class_leave_matrices_out():
    few, many = planted("none", 74), planted("none", 75)
    assert "structured-matrix, strength=1" not in AutoCalibration().fit(*few).cross_entropies_
    assert "structured-matrix, strength=1" in AutoCalibration().fit(*many).cross_entropies_


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
    before = calibrator.cross_entropies_["none"]
    assert calibrator.cross_entropies_["bias-corrected-temperature"] > before


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
    assert simplest(np.array([alike, worse, best]), weight, 0) == 0
    assert simplest(np.array([worse, alike, best]), weight, 0) == 1
    assert simplest(np.array([worse, best, alike]), weight, 2) == 2
    assert simplest(np.array([best, alike, worse]), weight, 0) == 0
    assert simplest(np.array([best, worse, worse]), weight, 2) == 0
    assert simplest(np.array([alike, worse, best]), weight, 0, [0.5, 1.5, 0.5]) == 1
