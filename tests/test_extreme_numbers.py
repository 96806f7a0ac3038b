"""Numbers at the edge of float64: weights, penalties, probabilities and labels there give what they mean, or a clear error."""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score

import reference_metrics as reference
from sksoftmax import CalibratedClassifier, SoftmaxRegressionClassifier, metrics
from sksoftmax.calibration import CALIBRATORS
from sksoftmax.functional import cross_entropy, cross_entropy_gradient, log_softmax, logsumexp, softmax
from sksoftmax.metrics import METRICS

X, Y = load_iris(return_X_y=True)
X, Y = X[::3], Y[::3]
Y = np.where(np.arange(len(Y)) % 7 == 3, (Y + 1) % 3, Y)  # no class is separable
CLF = SoftmaxRegressionClassifier().fit(X, Y)
PROBA = CLF.predict_proba(X)
LOGITS = np.log(PROBA)
SOFT = np.full((len(Y), 3), 0.1) + 0.7 * np.eye(3)[Y]
WEIGHT = np.arange(len(Y)) % 4.0  # zeros too

# -- weights ---------------------------------------------------------------------------------------------------------

WEIGHTED = {
    **{name: lambda w, f=metric.function: f(Y, PROBA, sample_weight=w) for name, metric in METRICS.items()},
    "soft accuracy_score": lambda w: metrics.accuracy_score(SOFT, Y, sample_weight=w),
    "decompose_brier_score": lambda w: metrics.decompose_brier_score(Y, PROBA, sample_weight=w),
    "reliability_curve": lambda w: metrics.reliability_curve(Y, PROBA, sample_weight=w).prob_true,
    "smooth_reliability_curve": lambda w: metrics.smooth_reliability_curve(Y, PROBA, sample_weight=w).prob_true,
    "calibration_test": lambda w: metrics.calibration_test(Y, PROBA, sample_weight=w, n_resamples=9, random_state=0).pvalue,
    "bootstrap": lambda w: (
        metrics.bootstrap(
            metrics.accuracy_score, Y, PROBA, sample_weight=w, n_resamples=9, random_state=0
        ).bootstrap_distribution
    ),
    "cross_entropy": lambda w: cross_entropy(LOGITS, Y, sample_weight=w),
    "cross_entropy_gradient": lambda w: cross_entropy_gradient(LOGITS, Y, sample_weight=w),
    "score": lambda w: CLF.score(X, Y, w),
    "score on probabilities": lambda w: CLF.score(X, SOFT, w),
    "calibrated score": lambda w: CalibratedClassifier(CLF, cv="prefit").fit(X, Y).score(X, Y, w),
    "calibrated fit": lambda w: CalibratedClassifier(CLF, cv="prefit").fit(X, Y, w).cross_entropy_after_,
    "fit": lambda w: SoftmaxRegressionClassifier(C=np.inf, tol=1e-2).fit(X, Y, w).coef_,
    "fit to probabilities": lambda w: SoftmaxRegressionClassifier(C=np.inf).fit(X, SOFT, w).coef_,
    "sgd": lambda w: SoftmaxRegressionClassifier(C=np.inf, solver="sgd", max_iter=3, tol=None).fit(X, Y, w).converged_,
    "balanced": lambda w: SoftmaxRegressionClassifier(C=np.inf, class_weight="balanced").fit(X, SOFT, w).coef_,
    "early stopping": lambda w: (
        SoftmaxRegressionClassifier(C=np.inf, early_stopping=True, random_state=0).fit(X, SOFT, w).coef_
    ),
    "validation": lambda w: (
        SoftmaxRegressionClassifier().fit(X, SOFT, X_val=X, y_val=Y, sample_weight_val=w).solution_.history[-1][4:]
    ),
}


@pytest.mark.parametrize("scale", [2.0**1020, 2.0**-1074], ids=["huge", "subnormal"])
@pytest.mark.parametrize("name", WEIGHTED)
def test_only_proportions_of_weights_count(name, scale):
    """To the last bit, since the scale is a power of two."""
    np.testing.assert_array_equal(WEIGHTED[name](scale * WEIGHT), WEIGHTED[name](WEIGHT))


@pytest.mark.parametrize("name", sorted(set(CALIBRATORS) - {"beta"}))
@pytest.mark.parametrize("scale", [2.0**1020, 2.0**-1074], ids=["huge", "subnormal"])
def test_calibrators_take_extreme_weights(name, scale):
    """Their priors are stronger or weaker beside them, but nothing is NaN, and no warning is given."""
    fitted = CALIBRATORS[name]().fit(LOGITS / 2, Y, scale * WEIGHT)
    assert np.isfinite(fitted.predict_proba(LOGITS)).all()


REFERENCES = {
    "cross_entropy_loss": reference.cross_entropy,
    "brier_score_loss": reference.brier,
    "spherical_score": reference.spherical,
    "accuracy_score": reference.accuracy,
    "perplexity_loss": reference.perplexity,
    "code_length_loss": reference.code_length,
}


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("name", METRICS)
def test_weights_of_four_hundred_decades_are_no_nan(name, order):
    weight = np.logspace(-200, 200, len(Y))[::order]
    figure = METRICS[name].function(Y, PROBA, sample_weight=weight)
    assert METRICS[name].range[0] <= figure <= METRICS[name].range[1]
    if name in REFERENCES:
        np.testing.assert_allclose(figure, REFERENCES[name](np.eye(3)[Y], PROBA, weight), rtol=1e-12)


def test_fits_to_weights_of_four_hundred_decades_are_finite():
    for params in ({}, {"class_weight": "balanced"}, {"solver": "sgd", "tol": None, "max_iter": 2}, {"C": np.inf, "tol": 1}):
        clf = SoftmaxRegressionClassifier(**params).fit(X, Y, np.logspace(-200, 200, len(Y)))
        assert np.isfinite(clf.coef_).all()


@pytest.mark.parametrize("scale", [1e307, 1e200, 1e-200, 1e-308])
def test_class_weights_may_be_extreme(scale):
    """C makes up for it, where the product is a number; whatever the order in which the three are multiplied."""
    expected = SoftmaxRegressionClassifier(C=np.inf, class_weight={0: 1, 1: 2, 2: 3}).fit(X, SOFT)
    clf = SoftmaxRegressionClassifier(C=np.inf, class_weight={0: scale, 1: 2 * scale, 2: 3 * scale})
    for factor in (1, scale):
        np.testing.assert_allclose(clf.fit(X, SOFT, np.full(len(X), factor)).coef_, expected.coef_, rtol=1e-6)


# -- the strength of the penalty -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("C", "weight"), [(1e-320, 1), (5e-324, 1), (1e-105, 1), (1, 5e-324), (1e-60, 1e-60), (1e-300, 1e307), (1e-200, 1e-200)]
)
@pytest.mark.parametrize("solver", ["auto", "lbfgs", "adam", "sgd", "saga"])
def test_a_penalty_beyond_all_numbers_is_named_as_the_cause(C, weight, solver):
    with pytest.raises(ValueError, match=f"C={C!r} times the sum of all weights, .*must be at least 1e-100"):
        SoftmaxRegressionClassifier(C=C, solver=solver).fit(X, Y, np.full(len(X), weight))


@pytest.mark.parametrize("loss", ["hinge", "cross_entropy"])
@pytest.mark.parametrize("C", [1e99, 1e150, 1e300, 1.7e308])
def test_a_penalty_that_is_nothing_is_none(loss, C):
    """Steps by its inverse led to numbers that overflow."""
    clf = SoftmaxRegressionClassifier(loss=loss, C=C).fit(X, Y)
    expected = SoftmaxRegressionClassifier(loss=loss, C=np.inf).fit(X, Y)
    assert clf.converged_
    np.testing.assert_array_equal(clf.coef_, expected.coef_)


def test_without_a_penalty_that_counts_separable_classes_are_named():
    with pytest.warns(match=r"without a penalty \(C=1e\+200\) .*Set a smaller C"):
        SoftmaxRegressionClassifier(C=1e200).fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize("scale", [1e307, 5e-324, 1e-305])
def test_partial_fit_names_weights_that_it_cannot_add_up(scale):
    clf = SoftmaxRegressionClassifier(C=np.inf, solver="sgd").partial_fit(X, Y, classes=[0, 1, 2])
    before = dict(vars(clf))
    with pytest.raises(ValueError, match=r"sample_weight must sum to at least 1e-300 .* at most 1e\+300"):
        clf.partial_fit(X, Y, sample_weight=np.full(len(X), scale))
    assert vars(clf) == before


# -- what is no number -----------------------------------------------------------------------------------------------

COMPLEX, DATES = np.ones(len(Y)) + 1j, np.arange(1, len(Y) + 1).astype("M8[s]")
TAKES_WEIGHT = {
    "metric": lambda w: metrics.accuracy_score(Y, Y, sample_weight=w),
    "proper score": lambda w: metrics.brier_score_loss(Y, PROBA, sample_weight=w),
    "cross_entropy": lambda w: cross_entropy(LOGITS, Y, sample_weight=w),
    "fit": lambda w: CLF.fit(X, Y, w),
    "score": lambda w: CLF.score(X, Y, w),
    "score on probabilities": lambda w: CLF.score(X, SOFT, w),
    "calibrator": lambda w: CALIBRATORS["temperature"]().fit(LOGITS, Y, w),
    "validation": lambda w: SoftmaxRegressionClassifier().fit(X, Y, X_val=X, y_val=Y, sample_weight_val=w),
}


@pytest.mark.parametrize("weight", [COMPLEX, DATES, DATES - DATES[0], COMPLEX.astype(object), COMPLEX.astype(str)])
@pytest.mark.parametrize("name", TAKES_WEIGHT)
def test_weights_are_real_numbers(name, weight):
    with pytest.raises(ValueError, match=r"sample_weight(_val)?.*must be real numbers"):
        TAKES_WEIGHT[name](weight)


@pytest.mark.parametrize(
    "convert", [lambda a: a + 1j, lambda a: a.astype("M8[s]"), lambda a: a.astype("m8[s]"), np.array2string]
)
@pytest.mark.parametrize("function", [softmax, log_softmax, lambda z: cross_entropy(z, Y)])
def test_logits_are_real_numbers(function, convert):
    with pytest.raises(ValueError, match="logits must be real numbers, got dtype"):
        function(convert(LOGITS))


TAKES_PROBA = {
    "fit": lambda p: SoftmaxRegressionClassifier().fit(X, p).coef_,
    "score": lambda p: CLF.score(X, p),
    "y_val": lambda p: SoftmaxRegressionClassifier().fit(X, Y, X_val=X, y_val=p).solution_.history[-1][4:],
    "y_proba": lambda p: metrics.cross_entropy_loss(Y, p),
    "y_true": lambda p: metrics.cross_entropy_loss(p, PROBA),
    "y_pred": lambda p: metrics.accuracy_score(Y, p),
    "entropy": metrics.entropy,
    "kl_divergence": lambda p: metrics.kl_divergence(p, PROBA),
    "optimal_decisions": metrics.optimal_decisions,
    "cross_entropy": lambda p: cross_entropy(LOGITS, p),
    "calibrator": lambda p: CALIBRATORS["temperature"](input="proba").fit(p, np.roll(Y, 1)).temperature_,
    "logits": lambda p: metrics.cross_entropy_loss(Y, p, from_logits=True),
    "softmax": softmax,
}
TABLES = {
    "object": lambda p: p.astype(object),
    "nullable": lambda p: pd.DataFrame(p).astype("Float64"),
    "nullable float32": lambda p: pd.DataFrame(p).astype("Float32"),
    "mixed": lambda p: pd.DataFrame(p).astype({0: "Float64", 1: object}),
    "list": lambda p: p.tolist(),
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", TAKES_PROBA)
def test_probabilities_are_taken_from_tables_as_features_are(name, table):
    rtol = 1e-5 if "32" in table else 1e-12
    np.testing.assert_allclose(TAKES_PROBA[name](TABLES[table](SOFT)), TAKES_PROBA[name](SOFT), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("name", TAKES_PROBA)
def test_missing_probabilities_are_named(name):
    missing = pd.DataFrame(SOFT).astype("Float64")
    missing.iloc[2, 1] = pd.NA
    with pytest.raises(ValueError, match=r"must be (real numbers; of its objects one is none|finite)|holds .*nan|sums to nan"):
        TAKES_PROBA[name](missing)


# -- labels ----------------------------------------------------------------------------------------------------------

BIG = np.array([2**63, 2**63 + 1, 2**64 - 1], dtype=np.uint64)


def test_labels_of_64_bits_without_a_sign():
    assert metrics.accuracy_score(BIG[Y], BIG[Y]) == 1
    assert metrics.accuracy_score(BIG[Y], BIG[[1, 0, 2]][Y]) == pytest.approx(np.mean(Y == 2))
    for labels in (None, BIG):
        assert metrics.cross_entropy_loss(BIG[Y], PROBA, labels=labels) == metrics.cross_entropy_loss(Y, PROBA)
    # Beside signed ones, which NumPy would make floats of: 2^63 and 2^63 + 1 would be one label.
    decided = np.array([0, 2**63, 2**63 + 1], dtype=np.uint64)
    assert metrics.accuracy_score(np.array([0, 1, 2]), decided) == pytest.approx(1 / 3)
    assert metrics.accuracy_score(np.array([0, -1, 2]), decided) == pytest.approx(1 / 3)
    assert CLF.fit(X, BIG[Y]).score(X, BIG[Y]) == CLF.fit(X, Y).score(X, Y)


@pytest.mark.parametrize("call", [lambda y: metrics.accuracy_score(y, y), lambda y: metrics.cross_entropy_loss(y, PROBA)])
def test_fractions_are_no_labels(call):
    with pytest.raises(ValueError, match=r"y_true must hold labels .* got the fraction 0.5 in row 0"):
        call(Y + 0.5)


# -- probabilities ---------------------------------------------------------------------------------------------------


def test_divergences_where_probabilities_are_subnormal():
    least = 5e-324
    np.testing.assert_allclose(metrics.kl_divergence([[1.0, 0.0]], [[1e-323, 1.0]]), -np.log(1e-323), rtol=1e-14)
    np.testing.assert_allclose(metrics.kl_divergence([[1.0, 0.0]], [[1e-323, 1.0]]), 743.7469, rtol=1e-6)
    assert metrics.kl_divergence([[1.0, 0.0]], [[0.0, 1.0]]) == np.inf
    assert metrics.kl_divergence([[1.0, least]], [[1.0, least]]) == 0
    for dtype, least in ((np.float64, 5e-324), (np.float32, 1e-45)):
        rows, others = np.array([[1.0, least]], dtype), np.array([[1.0, 0.0]], dtype)
        np.testing.assert_allclose(metrics.jensen_shannon_divergence(rows, others), 0, atol=1e-40)


def test_the_area_of_two_classes_is_that_of_the_second_column():
    """Probabilities of the first one that round to one are equal, and would count one half."""
    rng = np.random.RandomState(0)
    y = rng.randint(2, size=200)
    second = np.exp(-40.0 + 20 * rng.normal(size=200) + 15 * y).clip(max=1)
    proba, weight = np.column_stack([1 - second, second]), rng.uniform(size=200)
    expected = roc_auc_score(y, second, sample_weight=weight)
    assert len(np.unique(proba[:, 0])) < 150 < len(np.unique(second))
    np.testing.assert_allclose(metrics.roc_auc_ovr_score(y, proba, sample_weight=weight), expected, rtol=1e-12)
    np.testing.assert_allclose(metrics.roc_auc_ovr_score(y, proba, sample_weight=weight, average=None), expected, rtol=1e-12)


# -- features --------------------------------------------------------------------------------------------------------

TAKES_X = {
    "fit": lambda X: SoftmaxRegressionClassifier().fit(X, Y),
    "fit to probabilities": lambda X: SoftmaxRegressionClassifier().fit(X, SOFT),
    "partial_fit": lambda X: SoftmaxRegressionClassifier(solver="sgd").partial_fit(X, Y, classes=[0, 1, 2]),
    "X_val": lambda X_val: SoftmaxRegressionClassifier().fit(as_float(X_val), Y, X_val=X_val, y_val=Y),
}


def as_float(other):
    """Return X in float32 if the other is."""
    return X.astype(np.float32) if getattr(other, "dtype", None) == np.float32 else X


@pytest.mark.parametrize("convert", [np.asarray, np.asfortranarray, sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize(("dtype", "value", "limit"), [(np.float64, 1e155, 1e150), (np.float32, -1e19, 1e18)])
@pytest.mark.parametrize("name", TAKES_X)
def test_columns_whose_squares_overflow_are_named(name, dtype, value, limit, convert):
    huge = X.astype(dtype)
    huge[7, 2] = value
    message = rf"{'X_val' if name == 'X_val' else 'X'} must not exceed {limit:g} in magnitude, as {np.dtype(dtype)}"
    with pytest.raises(ValueError, match=re.escape(message) + f".* got {re.escape(f'{value:.3g}')} in column 2"):
        TAKES_X[name](convert(huge))


def test_columns_whose_squares_overflow_are_named_by_their_names():
    frame = pd.DataFrame(X, columns=list("abcd")).assign(c=np.where(Y == 0, -1e200, 1.0))
    with pytest.raises(ValueError, match=r"got -1e\+200 in column 2 \('c'\)"):
        SoftmaxRegressionClassifier().fit(frame, Y)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton-cg", "block-lbfgs", "newton-cholesky", "adam"])
def test_columns_below_that_are_fitted_without_overflow(solver, dtype):
    scaled = (X / X.max(axis=0) * np.r_[1, 1e18 if dtype is np.float32 else 1e150, 1, 1]).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        clf = SoftmaxRegressionClassifier(solver=solver, max_iter=30).fit(scaled, Y)
    assert np.isfinite(clf.coef_).all()
    assert np.isfinite(clf.predict_log_proba(scaled)).all()


PREDICTED = [np.full(4, 1.7e308), 1.7e308 * np.array([1, -1, 1, -1]), np.array([1e308, 0, 0, 0]), np.array([1e200, 0, 1, 0])]


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered in scalar:RuntimeWarning")  # of plain Python
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("loss", ["cross_entropy", "hinge", "cosine"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_prediction_of_finite_rows_is_nan(loss, n_classes, convert, dtype):
    rows = n_classes > Y
    clf = SoftmaxRegressionClassifier(loss=loss).fit(X[rows].astype(dtype), Y[rows])
    largest = np.finfo(dtype).max
    extreme = np.clip(np.array([*PREDICTED, X[0]]), -largest, largest).astype(dtype)
    logits = clf.decision_function(convert(extreme))
    assert np.isfinite(logits).all()
    np.testing.assert_array_equal(logits[4:], clf.decision_function(convert(extreme[4:])))
    # As the same rows, divided by a number, have it in their order, but for the intercept, which is nothing beside them.
    if loss != "cosine":
        small = (extreme[:4].astype(float) / float(largest)) @ clf.coef_.T.astype(float)
        decided = small.argmax(axis=1) if n_classes > 2 else (small[:, 0] > 0).astype(int)
        np.testing.assert_array_equal(clf.predict(convert(extreme[:4])), decided)
    if loss != "hinge":
        np.testing.assert_allclose(clf.predict_proba(convert(extreme)).sum(axis=1), 1, rtol=1e-6)
        assert np.isfinite(clf.predict_log_proba(convert(extreme))).all()


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered in scalar:RuntimeWarning")  # of plain Python
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_softmax_of_the_largest_numbers(dtype):
    info = np.finfo(dtype)
    logits = np.array([[info.max, info.min, 0, -np.inf]], dtype)
    np.testing.assert_array_equal(softmax(logits), [[1, 0, 0, 0]])
    np.testing.assert_array_equal(log_softmax(logits), [[0, info.min, info.min, -np.inf]])
    assert logsumexp(logits) == info.max
    np.testing.assert_array_equal(cross_entropy_gradient(logits, [1]), [[1, -1, 0, 0]])


SHIFTED = {
    "dates": X.astype("M8[D]"),
    "durations": X.astype("m8[s]"),
    "frame of dates": pd.DataFrame(X.astype("M8[ns]")),
    "one date": pd.DataFrame(X, columns=list("abcd")).assign(d=pd.Timestamp("2020-01-01")),
    "time zone": pd.DataFrame(X, columns=list("abcd")).assign(d=pd.Timestamp("2020-01-01", tz="UTC")),
    "Polars": pl.DataFrame(X).with_columns(pl.lit(1).cast(pl.Date).alias("d")),
}


@pytest.mark.parametrize("method", [*TAKES_X, "predict"])
@pytest.mark.parametrize("kind", SHIFTED)
def test_dates_are_no_features(kind, method):
    where = " in column 'd'" if kind in ("one date", "time zone", "Polars") else ""
    with pytest.raises(ValueError, match=rf"X(_val)? must hold numbers, got dtype .*{where}"):
        (CLF.predict if method == "predict" else TAKES_X[method])(SHIFTED[kind])


# -- costs -----------------------------------------------------------------------------------------------------------

COST = pd.DataFrame([[0, 1, 0.5], [10, 0, 0.5]], index=["well", "ill"], columns=["home", "treat", "test"])


def test_costs_in_a_data_frame_are_read_by_its_labels():
    y, proba = np.array(["well", "ill", "ill", "well"]), np.array([[0.8, 0.2], [0.05, 0.95], [0.3, 0.7], [0.96, 0.04]])
    expected = metrics.expected_cost_loss(y, proba, cost=COST.to_numpy(), labels=["well", "ill"])
    assert metrics.expected_cost_loss(y, proba, cost=COST.to_numpy().tolist(), labels=["well", "ill"]) == expected
    for cost in (COST, COST.loc[["ill", "well"]]):
        assert metrics.expected_cost_loss(y, proba, cost=cost, labels=["well", "ill"]) == expected
        assert metrics.expected_cost_loss(y, proba[:, ::-1], cost=cost) == expected  # ill before well
        frame = pd.DataFrame(proba, columns=["well", "ill"])
        for columns in (["home", "treat", "test"], ["test", "treat", "home"]):
            decided = metrics.optimal_decisions(frame, cost[columns], labels=["home", "treat", "test"])
            np.testing.assert_array_equal(decided, ["test", "treat", "treat", "home"])
    numbered = pd.DataFrame(COST.to_numpy())  # without names
    assert metrics.expected_cost_loss(y, proba, cost=numbered, labels=["well", "ill"]) == expected
    np.testing.assert_array_equal(metrics.optimal_decisions(proba, numbered), metrics.optimal_decisions(proba, COST.to_numpy()))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda p: metrics.optimal_decisions(p, COST),
            r"cost has classes named \['well', 'ill'\] in its index, .* have no names",
        ),
        (lambda p: metrics.optimal_decisions(pd.DataFrame(p), COST), r"cost must have the classes \[0, 1\] in its index"),
        (
            lambda p: metrics.optimal_decisions(
                pd.DataFrame(p, columns=["well", "ill"]), COST, labels=["home", "treat", "ask"]
            ),
            r"cost must have the decisions \['home', 'treat', 'ask'\] in its columns, .*; got \['home', 'treat', 'test'\]",
        ),
        (
            lambda p: metrics.expected_cost_loss(["a", "b"], p, cost=COST),
            r"cost must have the classes \['a', 'b'\] in its index",
        ),
        (lambda p: metrics.expected_cost_loss([0, 1], p, cost=COST + 1j), "cost must be real numbers"),
    ],
)
def test_costs_of_other_classes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.array([[0.8, 0.2], [0.1, 0.9]]))
