"""Parts add up to the whole, and each part is what it says."""

import math

import numpy as np
import pytest

from sksoftmax.calibration import CALIBRATORS, TemperatureScaling
from sksoftmax.functional import softmax
from sksoftmax.metrics import METRICS, brier_score_loss, cross_entropy_loss, decompose_brier_score, decompose_score

SCORES = ["cross_entropy_loss", "brier_score_loss", "spherical_score"]


def make_calibrated(rng, n_rows=1500, n_classes=4):
    logits = rng.normal(scale=1.5, size=(n_rows, n_classes))
    return logits, (logits + rng.gumbel(size=logits.shape)).argmax(axis=1), rng.integers(0, 3, size=n_rows).astype(float)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("calibrator", [name for name, cls in CALIBRATORS.items() if not cls.two_classes_only])
def test_calibration_and_refinement_add_up(rng, score, calibrator):
    logits, y, weight = make_calibrated(rng, n_rows=300)
    proba = softmax(2 * logits)
    parts = decompose_score(y, proba, score=score, calibrator=calibrator, sample_weight=weight)
    np.testing.assert_allclose(parts.total, METRICS[score].function(y, proba, sample_weight=weight), rtol=1e-9)
    if np.isinf(parts.refinement):  # steps that give zero to a class that then occurs
        assert (score, calibrator) == ("cross_entropy_loss", "isotonic")
        return
    np.testing.assert_allclose(parts.calibration + parts.refinement, parts.total, rtol=1e-12)
    if calibrator == "temperature":  # what is wrong is the temperature
        assert (parts.calibration < 0) == METRICS[score].greater_is_better


@pytest.mark.parametrize("score", SCORES)
def test_a_wrong_temperature_is_calibration_and_nothing_else(rng, score):
    logits, y, _ = make_calibrated(rng)
    sharp = decompose_score(y, softmax(3 * logits), score=score)
    honest = decompose_score(y, softmax(logits), score=score)
    assert abs(honest.calibration) < 0.005
    assert abs(sharp.calibration) > 0.02
    np.testing.assert_allclose(sharp.refinement, honest.refinement, rtol=1e-3)
    from_logits = decompose_score(y, 3 * logits, score=score, from_logits=True, calibrator=TemperatureScaling())
    np.testing.assert_allclose([from_logits.total, from_logits.refinement], [sharp.total, sharp.refinement], rtol=1e-6)


def test_soft_targets_missing_classes_and_zeros(rng):
    logits, y, weight = make_calibrated(rng, n_rows=200)
    target = 0.8 * np.eye(4)[y] + 0.05
    soft = decompose_score(target, softmax(2 * logits), sample_weight=weight)
    np.testing.assert_allclose(soft.total, cross_entropy_loss(target, softmax(2 * logits), sample_weight=weight))
    names = np.array(["a", "b", "c", "d", "z"])
    wider = np.column_stack([softmax(logits), np.zeros(len(y))])
    parts = decompose_score(names[y], wider, labels=names)
    np.testing.assert_allclose(parts.total, decompose_score(y, softmax(logits)).total, rtol=1e-12)
    assert np.isfinite(parts.refinement)


def test_bad_options_are_named(rng):
    logits, y, _ = make_calibrated(rng, n_rows=30)
    with pytest.raises(ValueError, match=r"score must be one of 'cross_entropy_loss'.*got 'accuracy'"):
        decompose_score(y, softmax(logits), labels=range(4), score="accuracy")
    with pytest.raises(ValueError, match="calibrator must be one of"):
        decompose_score(y, softmax(logits), labels=range(4), calibrator="magic")
    with pytest.raises(ValueError, match="n_splits=31"):
        decompose_score(y, softmax(logits), labels=range(4), n_splits=31)
    with pytest.raises(ValueError, match="n_bins must be at least 1"):
        decompose_brier_score(y, softmax(logits), labels=range(4), n_bins=0)


def reference_parts(target, proba, weight, n_bins):
    """Sums over bins and rows, in the notation of Stephenson et al.: within-bin variance and covariance apart."""
    total = math.fsum(weight)
    reliability = resolution = uncertainty = variance = covariance = 0.0
    for k in range(proba.shape[1]):
        bins = {}
        for i, p in enumerate(proba[:, k]):
            bins.setdefault(min(int(p * n_bins), n_bins - 1), []).append(i)
        base = math.fsum(w * t for w, t in zip(weight, target[:, k], strict=True)) / total
        uncertainty += base * (1 - base)
        for rows in bins.values():
            m = math.fsum(weight[i] for i in rows)
            if m == 0:
                continue
            p_bar = math.fsum(weight[i] * proba[i, k] for i in rows) / m
            t_bar = math.fsum(weight[i] * target[i, k] for i in rows) / m
            reliability += m / total * (p_bar - t_bar) ** 2
            resolution += m / total * (t_bar - base) ** 2
            variance += math.fsum(weight[i] * (proba[i, k] - p_bar) ** 2 for i in rows) / total
            covariance += math.fsum(weight[i] * (proba[i, k] - p_bar) * (target[i, k] - t_bar) for i in rows) / total
    return reliability, resolution, uncertainty, variance - 2 * covariance


@pytest.mark.parametrize("n_bins", [1, 4, 10])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("kind", ["labels", "rows"])
def test_reliability_resolution_and_uncertainty_add_up_to_the_brier_score(rng, n_bins, n_classes, kind):
    logits, y, weight = make_calibrated(rng, n_rows=200, n_classes=n_classes)
    proba = softmax(2 * logits)
    target = np.eye(n_classes)[y] if kind == "labels" else rng.dirichlet(np.ones(n_classes), size=200)
    parts = decompose_brier_score(y if kind == "labels" else target, proba, n_bins=n_bins, sample_weight=weight)
    whole = brier_score_loss(y if kind == "labels" else target, proba, sample_weight=weight)
    np.testing.assert_allclose(parts.total, whole, rtol=1e-11)
    half = 0.5 if n_classes == 2 else 1
    expected = half * np.array(reference_parts(target, proba, weight, n_bins))
    given = [parts.reliability, parts.resolution, parts.uncertainty, parts.within_bins]
    np.testing.assert_allclose(given, expected, rtol=1e-9, atol=1e-12)


def test_predictions_of_a_few_values_have_the_classical_three_parts(rng):
    proba = np.array([[0.15, 0.85], [0.45, 0.55], [0.95, 0.05]])[rng.integers(0, 3, size=400)]
    y = (rng.uniform(size=400) < proba[:, 1]).astype(int)
    parts = decompose_brier_score(y, proba)
    assert abs(parts.within_bins) < 1e-15
    np.testing.assert_allclose(parts.reliability - parts.resolution + parts.uncertainty, brier_score_loss(y, proba), rtol=1e-12)
    assert parts.reliability < 0.01
    prior = np.tile(np.bincount(y) / 400, (400, 1))
    constant = decompose_brier_score(y, prior)
    np.testing.assert_allclose([constant.reliability, constant.resolution], 0, atol=1e-15)
    np.testing.assert_allclose(constant.uncertainty, brier_score_loss(y, prior))
