"""Intervals: what they cover, what they agree with, and what pairing gains."""

import numpy as np
import pytest
import scipy.stats

import reference
from sksoftmax.metrics import bootstrap, expected_calibration_error, hoeffding_interval, wilson_interval


def accuracy(y_true, y_proba, *, labels, sample_weight):
    return np.average(np.asarray(labels)[np.argmax(y_proba, axis=1)] == y_true, weights=sample_weight)


@pytest.fixture
def predictions(rng):
    """Return labels, a good and a somewhat worse model's probabilities, and weights."""
    logits = rng.normal(scale=2, size=(300, 3))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    worse = logits + rng.normal(scale=0.7, size=logits.shape)
    good, bad = (np.array([reference.softmax(z) for z in scores]) for scores in (logits, worse))
    return labels, good, bad, rng.uniform(0.2, 2.0, size=300)


def test_bootstrap_agrees_with_scipy(predictions, rng):
    """Of accuracy, the mean of hits: the same interval and standard error, up to the chance of 2,000 draws each."""
    y, proba, _, _ = predictions
    hits = (proba.argmax(axis=1) == y).astype(float)
    ours = bootstrap(accuracy, y, proba, n_resamples=2000, random_state=0)
    scipys = scipy.stats.bootstrap(
        (hits,), np.mean, n_resamples=2000, method="percentile", random_state=np.random.RandomState(0)
    )
    assert ours.statistic == pytest.approx(hits.mean())
    np.testing.assert_allclose(ours.confidence_interval, scipys.confidence_interval, atol=0.006)
    assert ours.standard_error == pytest.approx(scipys.standard_error, rel=0.1)
    np.testing.assert_allclose(np.quantile(ours.bootstrap_distribution, [0.025, 0.975]), ours.confidence_interval)
    assert ours.standard_error == pytest.approx(np.std(ours.bootstrap_distribution, ddof=1))


def test_draws_are_weights(predictions):
    """The first value is the metric of the rows that the first draw repeats."""
    y, proba, _, weight = predictions
    result = bootstrap(expected_calibration_error, y, proba, sample_weight=weight, n_resamples=1, random_state=0, n_bins=5)
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    rows = np.random.default_rng(seed).integers(300, size=300, dtype=np.int32)
    options = {"labels": range(3), "n_bins": 5}
    drawn = expected_calibration_error(y[rows], proba[rows], sample_weight=weight[rows], **options)
    assert result.bootstrap_distribution[0] == pytest.approx(drawn, abs=1e-12)
    assert result.statistic == expected_calibration_error(y, proba, sample_weight=weight, **options)
    assert np.isnan(result.standard_error)


def test_pairing_narrows_the_interval(predictions):
    y, good, bad, _ = predictions
    paired = bootstrap(brier, y, good, bad, n_resamples=300, random_state=0)
    apart = [bootstrap(brier, y, proba, n_resamples=300, random_state=0) for proba in (good, bad)]
    assert paired.statistic == pytest.approx(apart[0].statistic - apart[1].statistic)
    np.testing.assert_allclose(
        paired.bootstrap_distribution, apart[0].bootstrap_distribution - apart[1].bootstrap_distribution, atol=1e-12
    )
    assert paired.standard_error < 0.7 * np.hypot(apart[0].standard_error, apart[1].standard_error)
    assert paired.confidence_interval.high < 0


def brier(y_true, y_proba, *, labels, sample_weight):
    return np.average(np.sum((reference.one_hot(y_true, len(labels)) - y_proba) ** 2, axis=1), weights=sample_weight)


def test_basic_interval_is_the_percentile_one_mirrored(predictions):
    y, proba, _, _ = predictions
    percentile, basic = (
        bootstrap(expected_calibration_error, y, proba, n_resamples=200, random_state=0, method=m)
        for m in ("percentile", "basic")
    )
    mirrored = 2 * basic.statistic - np.array(basic.confidence_interval)[::-1]
    np.testing.assert_allclose(mirrored, percentile.confidence_interval)
    # Drawing rows again makes a calibration error larger: the percentiles sit too high.
    assert percentile.bootstrap_distribution.mean() > percentile.statistic


def test_classes_that_a_draw_misses_are_no_obstacle():
    """A single row of class 2 is missed by a third of the draws; names of classes reach the metric as they are."""
    y = np.array(["a"] * 10 + ["b"] * 10 + ["c"])
    proba = np.full((21, 3), 1 / 3)
    result = bootstrap(accuracy, y, proba, n_resamples=50, random_state=0)
    assert result.statistic == pytest.approx(10 / 21)
    assert np.isfinite(result.bootstrap_distribution).all()


def test_draws_that_meet_no_weight_are_drawn_again():
    weight = np.zeros(10)
    weight[3] = 1
    result = bootstrap(accuracy, [0, 1] * 5, np.full((10, 2), 0.5), sample_weight=weight, n_resamples=50, random_state=0)
    np.testing.assert_array_equal(result.bootstrap_distribution, 0)


def test_soft_targets(predictions):
    _, good, bad, _ = predictions

    def cross_entropy(y_true, y_proba, *, labels, sample_weight):
        return np.average(-np.sum(y_true * np.log(y_proba), axis=1), weights=sample_weight)

    assert bootstrap(cross_entropy, good, bad, good, n_resamples=50, random_state=0).confidence_interval.low > 0


def test_wilson_interval_is_scipys():
    for n_correct, n in ((0, 10), (3, 10), (10, 10), (9_321, 10_000)):
        for level in (0.5, 0.95, 0.999):
            expected = scipy.stats.binomtest(n_correct, n).proportion_ci(level, method="wilson")
            np.testing.assert_allclose(wilson_interval(n_correct, n, confidence_level=level), expected, atol=1e-12)


def test_hoeffding_interval_is_its_formula():
    """The probability of a deviation t is at most 2 exp(-2 n t²)."""
    low, high = hoeffding_interval(300, 500, confidence_level=0.9)
    assert 2 * np.exp(-2 * 500 * (high - 0.6) ** 2) == pytest.approx(0.1)
    assert low + high == pytest.approx(1.2)
    assert hoeffding_interval(0, 5) == (0, pytest.approx(np.sqrt(np.log(40) / 10)))


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_intervals_cover(rng, share):
    """Of an accuracy on 100 rows: Wilson's about as often as promised, Hoeffding's always at least that."""
    counts, times = np.unique(rng.binomial(100, share, size=20_000), return_counts=True)

    def coverage(interval):
        holds = [low <= share <= high for low, high in (interval(int(c), 100) for c in counts)]
        return np.average(holds, weights=times)

    assert 0.91 < coverage(wilson_interval) < 0.99
    assert coverage(hoeffding_interval) >= 0.95


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson_interval(11, 10), r"n_correct must be in \[0, n\], and n is 10; got 11"),
        (lambda: hoeffding_interval(-1, 10), r"n_correct must be in \[0, n\], and n is 10; got -1"),
        (lambda: wilson_interval(0, 0), "n must be a positive number of rows, got 0"),
        (lambda: wilson_interval(1, 2, confidence_level=95), r"confidence_level must be in \(0, 1\), got 95"),
        (lambda: bootstrap(accuracy, [0, 1], [[0.5, 0.5]] * 2, n_resamples=0), "n_resamples must be an integer"),
        (lambda: bootstrap(accuracy, [0, 1], [[0.5, 0.5]] * 2, method="bca"), "method must be one of 'basic', 'percentile'"),
        (lambda: bootstrap(accuracy, [0, 1], [[0.5, 0.5]] * 2, confidence_level=1), r"confidence_level must be in \(0, 1\)"),
        (lambda: bootstrap(accuracy, [0, 1], [[0.5, 0.5]] * 2, [[0.5, 0.6]] * 2), "row 0 sums to 1.1"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
