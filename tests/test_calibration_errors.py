"""Calibration errors against their formulas, scikit-learn's curve, and what is known of calibrated predictions."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

import reference
import reference_calibration_errors as slowly
from sksoftmax.kernels import calibration_errors as kernels
from sksoftmax.metrics import (
    calibration_test,
    consistency_bars,
    expected_calibration_error,
    reliability_curve,
    smooth_calibration_error,
    smooth_reliability_curve,
)
from sksoftmax.metrics._events import make_events

KINDS = ["top_label", "class_wise"]
STRATEGIES = ["uniform", "quantile"]
ERRORS = [
    *({"kind": k, "strategy": s, "norm": n} for k in KINDS for s in STRATEGIES for n in ("l1", "l2", "max")),
    *({"kind": k, "strategy": s, "norm": "l2", "debiased": True} for k in KINDS for s in STRATEGIES),
]


def name(options):
    return "-".join(map(str, options.values()))


@pytest.fixture
def make_predictions(rng):
    """Return a function that makes calibrated predictions with the labels drawn from them, or sharper ones."""

    def make(n_rows=200, n_classes=4, sharpness=1.0, dtype=np.float64):
        logits = rng.normal(scale=1.5, size=(n_rows, n_classes))
        proba, told = (np.array([reference.softmax(s * z) for z in logits]) for s in (1.0, sharpness))
        labels = (np.cumsum(proba, axis=1) < rng.uniform(size=(n_rows, 1))).sum(axis=1)
        labels[:n_classes] = np.arange(n_classes)
        return labels, told.astype(dtype), rng.uniform(0.2, 2.0, size=n_rows)

    return make


# --------------------------------------------------------------------------------------------------------------------
# over bins


@pytest.mark.parametrize("options", ERRORS, ids=name)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_expected_calibration_error_is_its_formula(make_predictions, options, dtype):
    y, proba, weight = make_predictions(sharpness=1.7, dtype=dtype)
    target = reference.one_hot(y, 4)
    for w in (np.ones(len(y)), weight):
        expected = slowly.expected_calibration_error(proba.astype(np.float64), target, w, n_bins=7, **{"norm": "l1", **options})
        got = expected_calibration_error(y, proba, sample_weight=w, n_bins=7, **options)
        assert got == pytest.approx(expected, abs=1e-12)
        assert isinstance(got, float)


@pytest.mark.parametrize("options", ERRORS, ids=name)
def test_soft_targets(make_predictions, rng, options):
    _, proba, weight = make_predictions(sharpness=1.7)
    soft = rng.dirichlet(np.ones(4), size=len(proba))
    expected = slowly.expected_calibration_error(proba, soft, weight, n_bins=7, **options)
    assert expected_calibration_error(soft, proba, sample_weight=weight, n_bins=7, **options) == pytest.approx(
        expected, abs=1e-12
    )
    one_hot = reference.one_hot(proba.argmax(axis=1), 4)
    as_labels = expected_calibration_error(proba.argmax(axis=1), proba, labels=range(4), **options)
    assert expected_calibration_error(one_hot, proba, **options) == pytest.approx(as_labels, abs=1e-12)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_curve_agrees_with_scikit_learn(rng, strategy):
    p = rng.uniform(size=600)
    y = (rng.uniform(size=600) < p**2).astype(int)
    prob_true, prob_pred = calibration_curve(y, p, n_bins=10, strategy=strategy)
    curve = reliability_curve(y, np.column_stack([1 - p, p]), kind="class_wise", strategy=strategy, n_bins=10)
    np.testing.assert_allclose(curve.prob_true[1], prob_true, atol=1e-12)
    np.testing.assert_allclose(curve.prob_pred[1], prob_pred, atol=1e-12)
    np.testing.assert_allclose(curve.mass.sum(axis=1), 1)


def test_bins_include_their_upper_ends():
    """Multiples of a tenth, which are no floating-point numbers, go where scikit-learn puts them."""
    p = np.arange(11) / 10
    curve = reliability_curve(np.arange(11) % 2, np.column_stack([1 - p, p]), kind="class_wise", n_bins=10)
    np.testing.assert_allclose(curve.mass[1] * 11, [2, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    assert curve.edges.shape == (2, 11)


def test_equal_predictions_share_a_quantile_bin(rng):
    """However they are cut, they can only be in one; the bins that they would have filled are empty."""
    y = rng.integers(2, size=50)
    curve = reliability_curve(y, np.full((50, 2), 0.5), kind="class_wise", strategy="quantile", n_bins=5)
    np.testing.assert_allclose(curve.mass[1], [1, 0, 0, 0, 0])
    assert curve.prob_true[1, 0] == pytest.approx(y.mean())
    assert np.isnan(curve.prob_true[1, 1:]).all()


@pytest.mark.parametrize("options", ERRORS, ids=name)
def test_known_values(options):
    y = np.repeat([0, 1, 2], [10, 30, 60])
    right = np.eye(3)[y]
    assert expected_calibration_error(y, right, **options) == 0
    wrong = np.eye(3)[(y + 1) % 3]
    all_wrong = expected_calibration_error(y, wrong, **options)
    if options["kind"] == "top_label":
        assert all_wrong == pytest.approx(1)
    frequencies = np.tile([0.1, 0.3, 0.6], (100, 1))
    assert expected_calibration_error(y, frequencies, **options) == pytest.approx(0, abs=1e-7)  # a root of rounding errors


def test_uniform_predictions():
    y = np.repeat([0, 1, 2, 3], [10, 20, 30, 40])
    uniform = np.full((100, 4), 0.25)
    assert expected_calibration_error(y, uniform) == pytest.approx(0.15)  # the first class counts as predicted
    assert expected_calibration_error(y, uniform, kind="class_wise") == pytest.approx((0.15 + 0.05 + 0.05 + 0.15) / 4)


@pytest.mark.parametrize("error", [*ERRORS[:12], None], ids=lambda options: "smooth" if options is None else name(options))
def test_weights_are_repetition(make_predictions, rng, error):
    y, proba, _ = make_predictions(sharpness=1.5)
    counts = rng.integers(0, 4, size=len(y))
    repeated = np.repeat(np.arange(len(y)), counts)
    options = {"labels": range(4), **(error or {})}
    function = smooth_calibration_error if error is None else expected_calibration_error
    weighted = function(y, proba, sample_weight=counts * 0.1, **options)
    assert weighted == pytest.approx(function(y[repeated], proba[repeated], **options), abs=1e-7 if error is None else 1e-12)


def test_debiased_takes_weights_as_importance(make_predictions):
    """Twice the weight throughout is nothing new, while rows that stand there twice count as independent."""
    y, proba, _ = make_predictions(sharpness=1.5)
    options = {"norm": "l2", "debiased": True}
    once = expected_calibration_error(y, proba, **options)
    assert expected_calibration_error(y, proba, sample_weight=np.full(len(y), 2.0), **options) == pytest.approx(once, abs=1e-12)
    assert expected_calibration_error(np.tile(y, 2), np.tile(proba, (2, 1)), **options) > once


def test_debiased_is_unbiased_where_predictions_are_constant(rng):
    """The squared error of four groups of 12 rows, over 4,000 draws, against its true value."""
    promised, true = np.array([0.55, 0.65, 0.75, 0.85]), np.array([0.5, 0.7, 0.6, 0.85])
    p = np.repeat(promised, 12)
    proba = np.column_stack([1 - p, p])
    squares = {True: [], False: []}
    for _ in range(4000):
        y = (rng.uniform(size=48) < np.repeat(true, 12)).astype(int)
        for debiased, found in squares.items():
            error = expected_calibration_error(y, proba, labels=[0, 1], n_bins=10, norm="l2", debiased=debiased)
            found.append(error**2)
    wanted = np.mean((promised - true) ** 2)
    spread = np.std(squares[False]) / np.sqrt(4000)
    # Clipping at zero leaves a small bias; without debiasing it is the mean of t (1 - t) / n.
    assert np.mean(squares[False]) - wanted == pytest.approx(np.mean(true * (1 - true)) / 12, abs=4 * spread)
    assert abs(np.mean(squares[True]) - wanted) < 0.2 * (np.mean(squares[False]) - wanted)


def test_plain_error_of_calibrated_predictions_falls_with_rows(make_predictions):
    errors = [expected_calibration_error(*make_predictions(n_rows=n)[:2], norm="l2") for n in (100, 1000, 10000)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2] > 0


def test_missing_classes_need_labels(make_predictions):
    y, proba, _ = make_predictions()
    present = y < 3
    with pytest.raises(ValueError, match="labels"):
        expected_calibration_error(y[present], proba[present])
    assert 0 < expected_calibration_error(y[present], proba[present], labels=range(4), kind="class_wise") < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "topclass"}, "kind must be one of 'class_wise', 'top_label', got 'topclass'"),
        ({"strategy": "kmeans"}, "strategy must be one of 'quantile', 'uniform', got 'kmeans'"),
        ({"norm": 1}, "norm must be one of 'l1', 'l2', 'max', got 1"),
        ({"n_bins": 0}, "n_bins must be an integer of at least 1, got 0"),
        ({"n_bins": 2.5}, "n_bins must be an integer of at least 1, got 2.5"),
        ({"debiased": True}, "debiased=True needs norm='l2', got norm='l1'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error([0, 1], [[0.5, 0.5], [0.5, 0.5]], **options)


# --------------------------------------------------------------------------------------------------------------------
# smooth


@pytest.mark.parametrize("kind", KINDS)
def test_smooth_calibration_error_is_its_formula(make_predictions, kind):
    y, proba, weight = make_predictions(n_rows=60, n_classes=3, sharpness=1.7)
    for w in (np.ones(len(y)), weight):
        expected = slowly.smooth_calibration_error(proba, reference.one_hot(y, 3), w, kind=kind)
        assert smooth_calibration_error(y, proba, sample_weight=w, kind=kind) == pytest.approx(expected, abs=1e-5)


def test_smooth_calibration_error_of_soft_targets(make_predictions, rng):
    _, proba, weight = make_predictions(n_rows=60, n_classes=3, sharpness=1.7)
    soft = rng.dirichlet(np.ones(3), size=60)
    expected = slowly.smooth_calibration_error(proba, soft, weight, kind="class_wise")
    assert smooth_calibration_error(soft, proba, sample_weight=weight, kind="class_wise") == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_smooth_known_values(dtype):
    y = np.repeat([0, 1, 2], [10, 30, 60])
    right, wrong = np.eye(3, dtype=dtype)[y], np.eye(3, dtype=dtype)[(y + 1) % 3]
    assert smooth_calibration_error(y, right) == pytest.approx(0, abs=1e-8)
    assert smooth_calibration_error(y, wrong) == pytest.approx(1, abs=1e-8)
    frequencies = np.tile(np.array([0.1, 0.3, 0.6], dtype=dtype), (100, 1))
    assert smooth_calibration_error(y, frequencies, kind="class_wise") == pytest.approx(0, abs=1e-7)
    uniform = np.full((100, 3), 1 / 3, dtype=dtype)
    assert smooth_calibration_error(y, uniform) == pytest.approx(1 / 3 - 0.1, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_smooth_curve_is_as_far_from_the_diagonal_as_the_error(make_predictions, kind):
    y, proba, _ = make_predictions(sharpness=2)
    curve = smooth_reliability_curve(y, proba, kind=kind)
    distance = np.nanmean(curve.density * np.abs(curve.prob_true - curve.proba), axis=1)
    np.testing.assert_allclose(distance, curve.bandwidth, rtol=1e-3)
    assert curve.bandwidth.mean() == pytest.approx(smooth_calibration_error(y, proba, kind=kind), abs=1e-6)
    np.testing.assert_allclose(curve.density.mean(axis=1), 1)


def test_smooth_curve_is_of_probabilities():
    """All right at .8, the residuals there spread to the end: .2 above it."""
    curve = smooth_reliability_curve(np.ones(50, dtype=int), np.tile([0.2, 0.8], (50, 1)), labels=[0, 1], kind="class_wise")
    seen = curve.prob_true[~np.isnan(curve.prob_true)]
    assert seen.min() == 0
    assert seen.max() == 1


def test_smooth_curve_follows_the_frequencies(rng):
    p = rng.uniform(size=20_000)
    y = (rng.uniform(size=len(p)) < p**2).astype(int)
    curve = smooth_reliability_curve(y, np.column_stack([1 - p, p]), kind="class_wise", bandwidth=0.03)
    inner = (curve.proba > 0.1) & (curve.proba < 0.9)
    np.testing.assert_allclose(curve.prob_true[1, inner], curve.proba[inner] ** 2, atol=0.04)
    with pytest.raises(ValueError, match="bandwidth must be positive and finite, got 0"):
        smooth_reliability_curve(y, np.column_stack([1 - p, p]), bandwidth=0)


def test_smooth_bad_kind():
    with pytest.raises(ValueError, match="kind must be one of"):
        smooth_calibration_error([0, 1], [[0.5, 0.5], [0.5, 0.5]], kind="marginal")


# --------------------------------------------------------------------------------------------------------------------
# beyond chance


def brier(y_true, y_proba, *, labels, sample_weight):
    squares = np.sum((reference.one_hot(y_true, len(labels)) - y_proba) ** 2, axis=1)
    return np.average(squares, weights=sample_weight)


CASES = [
    (expected_calibration_error, {}),
    (expected_calibration_error, {"kind": "class_wise", "strategy": "quantile"}),
    (expected_calibration_error, {"norm": "l2", "debiased": True}),
    (smooth_calibration_error, {}),
    (smooth_calibration_error, {"kind": "class_wise"}),
    (brier, {}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("error", "options"), CASES)
def test_calibration_test_has_its_level_and_its_power(make_predictions, error, options):
    """p-values of calibrated predictions are uniform: of 40 about half are below a half; those of boasts are small."""
    pvalues = []
    for seed in range(40):
        y, proba, weight = make_predictions(n_rows=80, n_classes=3)
        result = calibration_test(y, proba, error=error, sample_weight=weight, n_resamples=19, random_state=seed, **options)
        pvalues.append(result.pvalue)
    # 40 fair coins: 8 to 32 heads but for once in 20,000; at most 13 of 40 in a tenth but for once in 20,000.
    assert 8 <= np.sum(np.array(pvalues) <= 0.5) <= 32
    assert np.sum(np.array(pvalues) <= 0.1) <= 13
    y, boast, _ = make_predictions(n_rows=400, n_classes=3, sharpness=2.5)
    result = calibration_test(y, boast, error=error, n_resamples=199, random_state=0, **options)
    assert result.pvalue == 1 / 200
    assert result.statistic == pytest.approx(error(y, boast, labels=range(3), sample_weight=None, **options))
    assert result.expected == result.resampled.mean() < result.statistic
    assert result.resampled.shape == (199,)


@pytest.mark.parametrize(("error", "options"), CASES[:2])
def test_resampled_errors_are_those_of_drawn_labels(make_predictions, error, options):
    """The mean error of labels drawn here, row by row, is the expected one."""
    _, proba, weight = make_predictions(n_rows=100, n_classes=3)
    rng = np.random.default_rng(1)
    drawn = [np.array([rng.choice(3, p=p) for p in proba]) for _ in range(100)]
    errors = [error(y, proba, labels=range(3), sample_weight=weight, **options) for y in drawn]
    result = calibration_test(drawn[0], proba, labels=range(3), error=error, sample_weight=weight, random_state=2, **options)
    assert result.statistic == pytest.approx(errors[0], abs=1e-12)
    assert result.expected == pytest.approx(np.mean(errors), abs=4 * np.std(errors) / 10)
    assert np.std(result.resampled) == pytest.approx(np.std(errors), rel=0.3)


def test_calibration_test_is_repeatable(make_predictions):
    y, proba, _ = make_predictions()
    names = np.array(["ant", "bee", "cat", "dog"])
    first = calibration_test(y, proba, n_resamples=20, random_state=3)
    for labels, state in ((y, 3), (names[y], np.random.RandomState(3))):
        again = calibration_test(labels, proba, n_resamples=20, random_state=state)
        np.testing.assert_array_equal(again.resampled, first.resampled)
    own = [calibration_test(y, proba, n_resamples=20, random_state=np.random.default_rng(3)).resampled for _ in range(2)]
    np.testing.assert_array_equal(*own)


def test_sure_predictions_that_are_right_cannot_be_doubted():
    """Every draw gives what happened: the error is zero, and no draw's is smaller."""
    y = np.arange(9) % 3
    for error in (expected_calibration_error, smooth_calibration_error):
        result = calibration_test(y, np.eye(3)[y], error=error, n_resamples=19)
        assert (result.statistic, result.expected, result.pvalue) == (pytest.approx(0, abs=1e-8), pytest.approx(0, abs=1e-8), 1)


def test_calibration_test_bad_input(make_predictions):
    y, proba, _ = make_predictions()
    with pytest.raises(ValueError, match="y_true must hold labels"):
        calibration_test(proba, proba)
    with pytest.raises(ValueError, match="n_resamples must be an integer of at least 1, got 0"):
        calibration_test(y, proba, n_resamples=0)


@pytest.mark.parametrize("kind", KINDS)
def test_consistency_bars_hold_calibrated_frequencies(make_predictions, kind):
    """Of bins of fresh calibrated predictions about the promised share, and of boasts far fewer."""
    inside = {}
    for sharpness in (1.0, 3.0):
        y, proba, weight = make_predictions(n_rows=3000, sharpness=sharpness)
        options = {"kind": kind, "sample_weight": weight, "n_bins": 10}
        curve = reliability_curve(y, proba, **options)
        low, high = consistency_bars(y, proba, confidence_level=0.95, random_state=0, **options)
        np.testing.assert_array_equal(np.isnan(low), curve.mass == 0)
        full = curve.mass > 0
        assert ((low <= curve.prob_pred + 0.05) & (curve.prob_pred - 0.05 <= high))[full].all()
        inside[sharpness] = ((low <= curve.prob_true) & (curve.prob_true <= high))[full].mean()
    assert inside[1.0] > 0.75 > inside[3.0]


def test_a_class_of_probability_zero_is_never_drawn():
    """The uniform number may be zero; at the end of a class's share the next one begins."""
    cumulative = np.tile([0.0, 0.5, 0.5, 1.0], (4, 1))
    labels = np.full(4, -1, dtype=np.int32)
    kernels.draw_labels(cumulative, np.array([0.0, np.nextafter(0.5, 0), 0.5, np.nextafter(1, 0)]), labels)
    np.testing.assert_array_equal(labels, [1, 1, 3, 3])


def test_draws_go_by_probabilities_added_in_double_precision():
    """Sums of a thousand classes in float32 would draw another class where a number falls between them and those in float64."""
    proba = np.random.default_rng(0).dirichlet(np.full(1000, 0.3), size=1).astype(np.float32)
    exact, rounded = np.cumsum(proba[0], dtype=np.float64), np.cumsum(proba[0])
    draw = make_events("class_wise", proba, np.ones(1), np.zeros(1, dtype=np.int32), None).sampler()
    apart = np.flatnonzero(np.abs(exact - rounded) > 1e-8)[:50]
    assert len(apart) == 50
    for total in (exact[apart] + rounded[apart]) / 2:
        (drawn,) = draw(SimpleNamespace(random=lambda n_rows, total=total: np.full(n_rows, total / exact[-1])))
        assert drawn == np.searchsorted(exact, total, side="right")
