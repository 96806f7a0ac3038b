"""Parts add up to the whole, and each part is what it says."""

import math

import numpy as np
import pytest
import reference_corp
from sklearn.model_selection import KFold

from sksoftmax.calibration import CALIBRATORS, TemperatureScaling
from sksoftmax.functional import softmax
from sksoftmax.metrics import (
    METRICS,
    brier_score_loss,
    cross_entropy_loss,
    decompose_brier_score,
    decompose_score,
    decompose_score_corp,
)

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


def test_a_given_calibrator_stays_as_it_is_and_folds_are_those_of_the_seed(rng):
    logits, y, _ = make_calibrated(rng, n_rows=60)
    calibrator = TemperatureScaling()
    before = dict(vars(calibrator))
    first, again, other = (
        decompose_score(y, softmax(logits), labels=range(4), calibrator=calibrator, random_state=seed) for seed in (0, 0, 1)
    )
    assert vars(calibrator) == before
    assert first == again != other


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


# -- CORP ----------------------------------------------------------------------------------------------------------------

CORP_SCORES = {"brier_score_loss": reference_corp.brier, "cross_entropy_loss": reference_corp.cross_entropy}
corp_scores = pytest.mark.parametrize("score", CORP_SCORES)


@corp_scores
@pytest.mark.parametrize("kind", ["labels", "rows"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_corp_is_the_slow_formula_and_adds_up(rng, score, kind, n_classes):
    logits, y, weight = make_calibrated(rng, n_rows=60, n_classes=n_classes)
    proba = softmax(3 * logits)
    proba[:20] = proba[20:40]  # ties
    target = np.eye(n_classes)[y] if kind == "labels" else rng.dirichlet(np.ones(n_classes), size=60)
    truth = y if kind == "labels" else target
    parts = decompose_score_corp(truth, proba, score=score, labels=range(n_classes), sample_weight=weight)
    events = {1: 1} if n_classes == 2 else {k: k for k in range(n_classes)}
    expected = np.array([reference_corp.parts(proba[:, k], target[:, k], weight, CORP_SCORES[score]) for k in events])
    own = [parts] if n_classes == 2 else [parts.by_class[k] for k in events]
    given = [[p.miscalibration, p.discrimination, p.uncertainty] for p in own]
    np.testing.assert_allclose(given, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose([parts.miscalibration, parts.discrimination, parts.uncertainty], expected.sum(axis=0), rtol=1e-9)
    for p in [parts, *own]:
        np.testing.assert_allclose(p.miscalibration - p.discrimination + p.uncertainty, p.total, rtol=1e-12)
    assert bool(parts.by_class) == (n_classes > 2)
    if score == "brier_score_loss" or n_classes == 2:
        whole = METRICS[score].function(truth, proba, sample_weight=weight, labels=range(n_classes))
        np.testing.assert_allclose(parts.total, whole, rtol=1e-9)


@corp_scores
def test_corp_of_what_is_known(rng, score):
    logits, y, _ = make_calibrated(rng, n_rows=3000, n_classes=2)
    honest, sharp = (decompose_score_corp(y, softmax(s * logits), score=score) for s in (1, 3))
    np.testing.assert_allclose(sharp.discrimination, honest.discrimination, rtol=1e-12)  # of the order alone
    assert 2 * honest.miscalibration < 0.02 < sharp.miscalibration
    constant = decompose_score_corp(y, np.full(3000, y.mean()), score=score)
    np.testing.assert_allclose([constant.miscalibration, constant.discrimination], 0, atol=1e-15)
    perfect = decompose_score_corp(y, y.astype(float), score=score)
    np.testing.assert_allclose([perfect.total, perfect.discrimination], [0, perfect.uncertainty], atol=1e-15)
    wrong = decompose_score_corp([0, 1, 1, 0], [0.0, 0.0, 1.0, 0.5], score=score)
    assert np.isinf(wrong.total) == np.isinf(wrong.miscalibration) == (score == "cross_entropy_loss")
    assert np.isfinite([wrong.discrimination, wrong.uncertainty]).all()


def test_corp_names_bad_options(rng):
    logits, y, _ = make_calibrated(rng, n_rows=60)
    with pytest.raises(
        ValueError, match=r"score must be one of 'brier_score_loss', 'cross_entropy_loss'; got 'spherical_score'"
    ):
        decompose_score_corp(y, softmax(logits), score="spherical_score")
    with pytest.raises(ValueError, match="y_proba must hold class probabilities"):
        decompose_score_corp(y, 2 * softmax(logits))


# -- zeros and weights ---------------------------------------------------------------------------------------------------


def forest_like(rng, n_rows=600, n_votes=20):
    """Shares of few votes for what is likely: many are zero, and a class with none comes true now and then."""
    logits, y, _ = make_calibrated(rng, n_rows=n_rows)
    proba = softmax(1.5 * logits)
    return np.array([rng.multinomial(n_votes, row) for row in proba]) / n_votes, y


@pytest.mark.parametrize("calibrator", ["temperature", "structured-matrix", "auto"])
def test_zeros_of_votes_do_not_make_recalibration_worse(rng, calibrator):
    """As a probability of 2e-16 each they would fix temperatures, and calibration would come out negative."""
    votes, y = forest_like(rng)
    for score, sign in (("brier_score_loss", 1), ("spherical_score", -1)):
        parts = decompose_score(y, votes, score=score, calibrator=calibrator)
        assert sign * parts.calibration > 0.002
    parts = decompose_score(y, votes, calibrator=calibrator)
    assert parts.total == parts.calibration == np.inf
    assert parts.refinement < 1.25


def test_refinement_is_relative_to_the_calibrators():
    """What one temperature can't mend, such as a bias, is refinement beside it; the default finds it."""
    rng = np.random.default_rng(0)
    logits, y, _ = make_calibrated(rng)
    biased = softmax(2 * (logits + np.array([2, 0, 0, -1])))
    honest = decompose_score(y, softmax(logits))
    one, default = decompose_score(y, biased, calibrator="temperature"), decompose_score(y, biased)
    assert one.total == default.total
    assert one.refinement > honest.refinement + 0.1
    assert default.refinement < honest.refinement + 0.02
    assert default == decompose_score(y, biased, calibrator="auto")


@pytest.mark.parametrize("calibrator", ["structured-matrix", "platt"])
def test_calibrators_of_folds_are_told_how_many_rows_there_are(rng, calibrator):
    """Ridges and smoothed targets fade with the rows: a calibrator fitted to weights that sum to one hardly moves."""
    logits, y, weight = make_calibrated(rng, n_rows=300)
    proba = softmax(2 * logits + np.array([2, 0, 0, -1]))
    for given in (None, weight + 0.5):
        w = np.ones(300) if given is None else given
        by_hand = np.empty(300)
        for fit, held_out in KFold(5, shuffle=True, random_state=0).split(proba):
            fitted = CALIBRATORS[calibrator](input="proba").fit(proba[fit], y[fit], w[fit])
            by_hand[held_out] = -fitted.predict_log_proba(proba[held_out])[np.arange(len(held_out)), y[held_out]]
        parts = decompose_score(y, proba, calibrator=calibrator, sample_weight=given)
        np.testing.assert_allclose(parts.refinement, np.average(by_hand, weights=w), rtol=1e-9)


def test_calibrators_of_folds_are_told_the_weights(rng):
    """Rows that weigh next to nothing, and say the contrary: without weights a temperature would be fitted to them."""
    logits, y, _ = make_calibrated(rng, n_rows=900)
    light = np.arange(900) % 3 > 0
    y[light] = logits[light].argmin(axis=1)
    weight = np.where(light, 1e-9, 1.0)
    weighted = decompose_score(y, softmax(3 * logits), calibrator="temperature", sample_weight=weight)
    heavy = decompose_score(y[~light], softmax(3 * logits[~light]), calibrator="temperature")
    np.testing.assert_allclose(weighted.refinement, heavy.refinement, rtol=0.01)
