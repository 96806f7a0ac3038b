"""TemperatureScaling: the exact optimum, data without one, sizes and threads; and what other implementations get wrong."""

import tracemalloc
import warnings
from decimal import Decimal, localcontext

import numpy as np
import pandas as pd
import pytest
import reference_calibration as reference
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.fixes import parse_version
from threadpoolctl import threadpool_limits

from sksoftmax.calibration import EnsembleTemperatureScaling, TemperatureScaling
from sksoftmax.calibration._inputs import BLOCK_ROWS
from sksoftmax.calibration._likelihood import SAMPLE_ROWS, SAMPLE_STEP, SEGMENT_SIZE, fit_temperature
from sksoftmax.calibration._mixing import mix_uniform
from sksoftmax.losses import Targets

NEEDS_TEMPERATURE = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.8"), reason="scikit-learn has no temperature scaling yet"
)


def sample(n_rows=200, n_classes=4, temperature=2.5, seed=0):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n_rows, n_classes))
    y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    if n_rows > 2 * n_classes:
        y[:n_classes] = np.arange(n_classes)
    return temperature * logits, y


def loss_of(calibrator, logits, y, weight=None):
    log_proba = calibrator.predict_log_proba(logits)
    return -np.average(log_proba[np.arange(len(y)), y], weights=weight)


# -- the optimum ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n_rows", "n_classes"), [(20, 2), (200, 3), (100, 8), (100, 17), (30, 300), (9000, 4)])
def test_the_optimum_is_the_references(n_rows, n_classes, dtype):
    logits, y = sample(n_rows, n_classes)
    logits = logits.astype(dtype)
    target, weight = np.eye(n_classes)[y], np.random.default_rng(1).uniform(size=n_rows)
    calibrator = TemperatureScaling().fit(logits, y, weight, classes=np.arange(n_classes))
    expected = reference.best_temperature(logits.astype(np.float64), target, weight)
    assert calibrator.temperature_ == pytest.approx(expected, rel=1e-10)
    loss = reference.mean_loss(logits / expected, target, weight)
    assert calibrator.log_likelihood_ == pytest.approx(-weight.sum() * loss, rel=1e-12 if dtype == np.float64 else 1e-7)
    assert calibrator.n_iter_ <= 8


@NEEDS_TEMPERATURE
@pytest.mark.parametrize(("n_rows", "n_classes"), [(300, 3), (2000, 10)])
def test_the_optimum_is_scikit_learns(n_rows, n_classes):
    from sklearn.calibration import _TemperatureScaling

    logits, y = sample(n_rows, n_classes)
    ours = TemperatureScaling().fit(logits, y).temperature_
    theirs = float(1 / _TemperatureScaling().fit(logits, y).beta_)
    target, weight = np.eye(n_classes)[y], np.ones(n_rows)
    least, other = (reference.mean_loss(logits / t, target, weight) for t in (ours, theirs))
    assert least == pytest.approx(other, rel=1e-10)
    assert least <= other + 1e-15
    assert ours == pytest.approx(theirs, rel=1e-6)  # a search by values alone finds no more digits than half of them


def test_two_classes_are_platts_sigmoid_without_a_bias():
    logits, y = sample(n_classes=2)
    difference = logits[:, 1] - logits[:, 0]

    def loss(slope):
        return -np.mean(y * log_expit(slope * difference) + (1 - y) * log_expit(-slope * difference))

    slope = minimize_scalar(loss, bounds=(0.01, 10), options={"xatol": 1e-12}).x
    for given_logits in (logits, difference):
        calibrator = TemperatureScaling().fit(given_logits, y)
        assert 1 / calibrator.temperature_ == pytest.approx(slope, rel=1e-7)
        np.testing.assert_allclose(calibrator.predict_proba(given_logits)[:, 1], expit(slope * difference), rtol=1e-6)


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 20),
    st.floats(0.01, 100),
    st.floats(0, 3),
    st.sampled_from([np.float32, np.float64]),
)
def test_never_worse_than_doing_nothing(seed, n_classes, temperature, noise, dtype):
    """On the rows that it saw, whatever these are: too sure, too unsure, useless, separated."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(40, n_classes))
    y = (logits + noise * rng.gumbel(size=logits.shape)).argmax(axis=1)
    logits = (temperature * logits).astype(dtype)
    weight = rng.integers(0, 3, size=40) + 1e-3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        calibrator = TemperatureScaling().fit(logits, y, weight, classes=np.arange(n_classes))
        ensemble = EnsembleTemperatureScaling().fit(logits, y, weight, classes=np.arange(n_classes))
    assert 0 < calibrator.temperature_ < np.inf
    wide = logits.astype(np.float64)
    before = -np.average(log_softmax(wide, axis=1)[np.arange(40), y], weights=weight)
    after = loss_of(calibrator, wide, y, weight)
    mixed = calibrator.input_mixing_ / (1 - calibrator.input_mixing_)  # what mixing can cost a row
    assert after <= before + 1e-12 * abs(before) + mixed
    assert calibrator.log_likelihood_ == pytest.approx(-weight.sum() * after, rel=1e-9, abs=1e-12)
    assert loss_of(ensemble, wide, y, weight) <= after + 1e-10
    np.testing.assert_array_equal(calibrator.transform(logits).argmax(axis=1), logits.argmax(axis=1))


@pytest.mark.parametrize("factor", [1 / 3, 7, 1e-30, 1e30, 1e-200, 1e200, 1e306])
def test_scaling_logits_scales_the_temperature(factor):
    """softmax(c z / T) is the same for (c, c T): logits c times as large need a temperature c times as high."""
    logits, y = sample()
    once, scaled = TemperatureScaling().fit(logits, y), TemperatureScaling().fit(factor * logits, y)
    assert scaled.temperature_ == pytest.approx(factor * once.temperature_, rel=1e-12)
    np.testing.assert_allclose(scaled.predict_proba(factor * logits), once.predict_proba(logits), rtol=1e-11)


def test_logits_beyond_their_type_are_told_from_the_largest():
    logits = np.array([[1e300, 0.0, 1.0], [0.0, 1e300, 2.0], [1e300, 1e299, 0.0], [2.0, 0.0, 1.0]])
    with pytest.warns(ConvergenceWarning, match="largest logit"):
        calibrator = TemperatureScaling().fit(logits[[0, 1, 3, 3]], [0, 1, 0, 0], classes=[0, 1, 2])
    calibrator.temperature_, calibrator.input_mixing_ = 1e-20, 0.0
    np.testing.assert_array_equal(calibrator.transform(logits)[0], [0, -np.inf, -np.inf])
    np.testing.assert_array_equal(calibrator.predict_proba(logits)[:3], np.eye(3)[[0, 1, 0]])
    single = np.array([[3e38, -3e38, 0.0]], dtype=np.float32)
    calibrator.temperature_ = 1e-60
    np.testing.assert_array_equal(calibrator.predict_proba(single), np.eye(3)[:1])


def test_smoothed_targets_are_soft_targets():
    logits, y = sample()
    soft = 0.9 * np.eye(4)[y] + 0.1 / 4
    weight = np.full(len(y), 1 / len(y))
    smoothed = fit_temperature(logits, Targets(4, weight, labels=y.astype(np.int32)), len(y), smoothing=0.1)
    assert smoothed.temperature == pytest.approx(TemperatureScaling().fit(logits, soft).temperature_, rel=1e-12)
    assert smoothed.loss == pytest.approx(reference.mean_loss(logits / smoothed.temperature, np.eye(4)[y], weight), rel=1e-12)


# -- a little of the uniform distribution ---------------------------------------------------------------------------------


def naive_bayes(n_rows=300, n_classes=4, seed=0):
    """Logits of a model that counts each column a thousand times, and is wrong for some rows."""
    logits, y = sample(n_rows, n_classes, seed=seed)
    rng = np.random.default_rng(seed)
    return logits * np.exp(4 * rng.normal(size=(n_rows, 1))) * 1e3, y


def test_mixing_is_a_mixture_of_probabilities():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50, 5)) * np.logspace(-8, 3, 50)[:, None]
    logits[7, 2] = -np.inf
    proba = softmax(logits, axis=1)
    for share in (1e-6, 0.3):
        mixed = softmax(mix_uniform(logits, share), axis=1)
        possible = np.isfinite(logits)
        expected = np.where(possible, (1 - share) * proba + share / possible.sum(axis=1, keepdims=True), 0)
        np.testing.assert_allclose(mixed, expected, rtol=1e-12)
    with localcontext(prec=60):
        for tiny in (1e-17, 1e-9, 0.3, 2.0, 30.0):
            e = Decimal(-tiny).exp()
            odds = Decimal("1e-6") / (1 - Decimal("1e-6")) * (1 + e) / 2
            exact = float(((e + odds) / (1 + odds)).ln())
            assert mix_uniform(np.array([[0.0, -tiny]]), 1e-6)[0, 1] == pytest.approx(exact, rel=1e-9)
    assert mix_uniform(logits, 0.0) is logits
    with np.errstate(all="raise", under="ignore"):
        huge = mix_uniform(np.array([[1.7e308, -1.7e308], [1e300, 1.0]]), 1e-6)
    np.testing.assert_allclose(huge[:, 1], np.log(5e-7), rtol=1e-6)


def test_a_row_of_a_billion_nats_does_not_fix_the_temperature():
    logits, y = naive_bayes()
    test, test_y = naive_bayes(5000, seed=1)
    calibrator = TemperatureScaling().fit(logits, y)
    assert calibrator.input_mixing_ == 1e-6
    assert calibrator.temperature_ < 50
    mixed = np.log((1 - 1e-6) * softmax(logits, axis=1) + 1e-6 / 4)
    expected = reference.best_temperature(mixed, np.eye(4)[y], np.ones(len(y)))
    assert calibrator.temperature_ == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(calibrator.predict_proba(logits), softmax(mixed / expected, axis=1), rtol=1e-7, atol=1e-12)
    steps = np.logspace(0, 12, 200)
    alone = steps[np.argmin([reference.mean_loss(logits / step, np.eye(4)[y], np.ones(len(y))) for step in steps])]
    without = -np.mean(log_softmax(test / alone, axis=1)[np.arange(5000), test_y])
    assert loss_of(calibrator, test, test_y) < 0.9 * without


def test_decision_values_of_a_large_scale_keep_what_they_say():
    """Wrong for some rows by hundreds, as a linear model on raw columns is: but the gaps still tell how sure it is."""
    logits, y = sample(500, temperature=1000)
    calibrator = TemperatureScaling().fit(logits, y)
    assert calibrator.input_mixing_ == 0
    expected = reference.best_temperature(logits / 1000, np.eye(4)[y], np.ones(len(y))) * 1000
    assert calibrator.temperature_ == pytest.approx(expected, rel=1e-10)


def test_rows_that_are_certain_and_right_do_not_make_others_certain():
    logits, _ = sample(temperature=1000)
    with pytest.warns(ConvergenceWarning, match="largest logit"):
        calibrator = TemperatureScaling().fit(logits, logits.argmax(axis=1))
    assert calibrator.input_mixing_ == 1e-6
    assert calibrator.predict_log_proba(logits).min() > np.log(1e-7)


# -- data without an optimum ---------------------------------------------------------------------------------------------


def test_separated_rows_get_the_temperature_of_one_row_more():
    logits, _ = sample(temperature=10)
    y = logits.argmax(axis=1)
    with pytest.warns(ConvergenceWarning, match="every row's class has the largest logit.*temperature_ is set to"):
        calibrator = TemperatureScaling().fit(logits, y)
    smoothing = 1 / (len(y) + 1)
    soft = (1 - smoothing) * np.eye(4)[y] + smoothing / 4
    expected = min(reference.best_temperature(logits, soft, np.ones(len(y))), 1)
    assert calibrator.temperature_ == pytest.approx(expected, rel=1e-9)
    with pytest.warns(ConvergenceWarning):
        sharp = TemperatureScaling().fit(0.01 * logits, y)
    assert sharp.temperature_ < 0.1


def test_separated_rows_never_get_a_temperature_above_one():
    logits = np.array([[1000.0, 0.0], [0.0, 1000.0]])
    with pytest.warns(ConvergenceWarning):
        assert TemperatureScaling().fit(logits, [0, 1]).temperature_ == 1


def test_useless_logits_are_flattened():
    logits, _ = sample()
    with pytest.warns(ConvergenceWarning, match="no better than equal ones.*temperature_ is set to"):
        calibrator = TemperatureScaling().fit(logits, logits.argmin(axis=1))
    assert np.isfinite(calibrator.temperature_)
    proba = calibrator.predict_proba(logits)
    np.testing.assert_allclose(proba, 0.25, atol=1e-5)
    np.testing.assert_array_equal(proba.argmax(axis=1), logits.argmax(axis=1))
    with pytest.warns(ConvergenceWarning, match="no better than equal ones"):
        TemperatureScaling().fit(logits, np.full(logits.shape, 0.25))


def test_constant_logits_are_left_alone():
    y = np.arange(12) % 3
    with pytest.warns(ConvergenceWarning, match="all equal"):
        calibrator = TemperatureScaling().fit(np.full((12, 3), 5.0), y)
    assert calibrator.temperature_ == 1
    assert calibrator.log_likelihood_ == pytest.approx(-12 * np.log(3))


def test_a_class_that_is_the_only_possible_one_tells_nothing():
    logits, y = sample()
    some = slice(None, None, 5)
    certain = logits.copy()
    certain[some] = np.where(np.eye(4)[y[some]] > 0, certain[some], -np.inf)
    others = np.arange(len(y)) % 5 != 0
    expected = TemperatureScaling().fit(logits[others], y[others]).temperature_
    assert TemperatureScaling().fit(certain, y).temperature_ == pytest.approx(expected, rel=1e-12)


# -- many rows -----------------------------------------------------------------------------------------------------------


@pytest.mark.large
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n_rows", "n_classes"), [(60_000, 7), (700, 1000)])
def test_the_result_is_the_same_for_any_number_of_threads(n_rows, n_classes, dtype):
    assert n_rows * n_classes >= 4 * SEGMENT_SIZE
    logits, y = sample(n_rows, n_classes)
    logits = logits.astype(dtype)
    results = []
    for n_threads in (1, 2, 5):
        with threadpool_limits(n_threads):
            calibrator = TemperatureScaling().fit(logits, y, classes=np.arange(n_classes))
        results.append((calibrator.temperature_, calibrator.log_likelihood_, calibrator.n_iter_))
    assert len(set(results)) == 1


@pytest.mark.large
def test_a_sample_of_the_rows_gives_only_the_start():
    n_rows = 2 * SAMPLE_ROWS * SAMPLE_STEP
    logits, y = sample(n_rows)
    assert TemperatureScaling().fit(logits, y).n_iter_ <= 3
    misleading = logits.copy()
    misleading[::SAMPLE_STEP] *= 0.01  # the sample is of other rows altogether
    expected = reference.best_temperature(misleading, np.eye(4)[y], np.ones(n_rows))
    assert TemperatureScaling().fit(misleading, y).temperature_ == pytest.approx(expected, rel=1e-10)
    separated = logits.argmax(axis=1)[::SAMPLE_STEP]
    mixed = y.copy()
    mixed[::SAMPLE_STEP] = separated
    expected = reference.best_temperature(logits, np.eye(4)[mixed], np.ones(n_rows))
    assert TemperatureScaling().fit(logits, mixed).temperature_ == pytest.approx(expected, rel=1e-10)


@pytest.mark.large
def test_a_fit_copies_no_logits():
    n_rows, n_classes = 200_000, 10
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(n_rows, n_classes))
    logits[::1000, 3] = -np.inf  # not the true class: rows are looked at block by block
    y = np.arange(n_rows) % 3
    TemperatureScaling().fit(logits[:9000] + 0.5 * np.eye(n_classes)[y[:9000]], y[:9000], classes=np.arange(n_classes))
    logits[np.arange(n_rows), y] += 0.5
    tracemalloc.start()
    try:
        TemperatureScaling().fit(logits, y, classes=np.arange(n_classes))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    per_row = 5 * 8  # weights, labels, and the latter's order while they are sorted
    assert peak < per_row * n_rows + 20 * 8 * BLOCK_ROWS * n_classes < logits.nbytes


# -- what others get wrong -----------------------------------------------------------------------------------------------


def test_integer_labels_that_do_not_start_at_zero_are_not_silently_uniform():
    logits, y = sample(n_classes=3)
    plain, shifted = TemperatureScaling().fit(logits, y), TemperatureScaling().fit(logits, y + 1)
    assert shifted.temperature_ == plain.temperature_
    assert shifted.predict_proba(logits).max() > 0.9


def test_a_series_without_index_zero_is_as_good_as_any():
    logits, y = sample()
    series = pd.Series(y, index=np.arange(len(y)) + 1000)
    weight = pd.Series(np.ones(len(y)), index=series.index)
    expected = TemperatureScaling().fit(logits, y).temperature_
    assert TemperatureScaling().fit(logits, series, weight).temperature_ == expected


def test_logits_that_look_like_probabilities_are_logits():
    logits, y = sample()
    calibrator = TemperatureScaling().fit(logits, y)
    looks_like = np.array([[0.1, 0.2, 0.3, 0.4]])
    batch = np.vstack([looks_like, logits[:5]])
    alone, together = calibrator.predict_proba(looks_like), calibrator.predict_proba(batch)[:1]
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_allclose(alone, softmax(looks_like / calibrator.temperature_, axis=1), rtol=1e-12)


def test_a_class_absent_from_the_rows_keeps_its_column():
    logits, y = sample(n_classes=3)
    kept = y != 1
    calibrator = TemperatureScaling().fit(logits[kept], y[kept], classes=[0, 1, 2])
    target = np.eye(3)[y[kept]]
    assert calibrator.temperature_ == pytest.approx(
        reference.best_temperature(logits[kept], target, np.ones(kept.sum())), rel=1e-10
    )
    assert calibrator.predict_proba(logits).shape == (len(y), 3)


def test_the_loss_of_the_popular_implementation_is_not_the_least():
    """Fifty steps of gradient descent at rate 0.01 from 1.5, as widely copied, stop far above the optimum."""
    logits, y = sample(temperature=10)
    target, weight = np.eye(4)[y], np.ones(len(y))
    temperature = 1.5
    for _ in range(50):
        proba = softmax(logits / temperature, axis=1)
        temperature -= 0.01 * np.mean(((target - proba) * logits).sum(axis=1)) / temperature**2
    stopped = reference.mean_loss(logits / temperature, target, weight)
    ours = loss_of(TemperatureScaling().fit(logits, y), logits, y)
    assert ours < stopped - 0.1
