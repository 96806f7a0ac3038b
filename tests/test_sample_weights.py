"""A weight of two is the row twice, a weight of zero the row left out: one law for all that takes predictions and weights."""

import inspect
from dataclasses import fields, is_dataclass

import matplotlib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from sksoftmax import metrics, plots, scorers
from sksoftmax.metrics import METRICS

matplotlib.use("Agg")
N_CLASSES = 4
DRAWS = {"n_resamples": 15, "random_state": 0}
# What a display holds that is drawn at random, row by row, or depends on how many rows there are beside their weights.
BY_ROW = {"bars", "test", "smooth", "decompositions"}


class Fixed(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose X are its probabilities."""

    def __init__(self):
        self.classes_ = np.arange(N_CLASSES)

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return X.argmax(axis=1)


def metric(name, **options):
    return lambda y, proba, **weight: (getattr(metrics, name)(y, proba, labels=range(N_CLASSES), **weight, **options), ())


def drawn(name, figures, **options):
    """A tool that draws rows or labels, or folds rows; only some of its figures are those of repeated rows."""

    def call(y, proba, **weight):
        result = getattr(metrics, name)(y, proba, labels=range(N_CLASSES), **weight, **options)
        return figures(result), result

    return call


def bootstrap(y, proba, **weight):
    result = metrics.bootstrap(metrics.brier_score_loss, y, proba, labels=range(N_CLASSES), **weight, **DRAWS)
    return result.statistic, result


def display(name, constructor, **options):
    def call(y, proba, **weight):
        make = getattr(getattr(plots, name), constructor)
        made = (
            make(Fixed(), proba, y, **weight, **options)
            if constructor == "from_estimator"
            else make(y, proba, **weight, **options)
        )
        held = {key: value for key, value in vars(made).items() if not key.endswith("_")}
        return {key: value for key, value in held.items() if key not in BY_ROW}, held

    return call


TOOLS = {
    **{name: metric(name) for name in METRICS},
    "accuracy_coverage_curve": metric("accuracy_coverage_curve"),
    "bootstrap": bootstrap,
    "calibration_test": drawn("calibration_test", lambda result: result.statistic, **DRAWS),
    "consistency_bars": drawn("consistency_bars", lambda result: (), **DRAWS),
    "decompose_brier_score": metric("decompose_brier_score"),
    "decompose_score_corp": metric("decompose_score_corp"),
    "decompose_score": drawn("decompose_score", lambda result: result.total, calibrator="temperature"),
    "precision_per_class": metric("precision_per_class"),
    "recall_per_class": metric("recall_per_class"),
    "reliability_curve": metric("reliability_curve"),
    "smooth_reliability_curve": metric("smooth_reliability_curve"),
}
VARIANTS = {
    "calibration_test of the smooth error": drawn(
        "calibration_test", lambda result: result.statistic, error=metrics.smooth_calibration_error, **DRAWS
    ),
    "calibration_test of a score": drawn(
        "calibration_test", lambda result: result.statistic, error=metrics.brier_score_loss, **DRAWS
    ),
    "reliability_curve in quantiles": metric("reliability_curve", strategy="quantile"),
    **{
        f"{name} by class": metric(name, kind="class_wise")
        for name in ("expected_calibration_error", "smooth_calibration_error", "reliability_curve", "smooth_reliability_curve")
    },
}
DISPLAYS = {
    "ReliabilityDisplay": DRAWS,
    "RiskCoverageDisplay": {},
    "ScoreDecompositionDisplay": {"calibrator": "temperature"},
}
WITHOUT_WEIGHTS = {"CoefficientDisplay", "LearningCurve", "MisclassifiedDisplay", "SimplexDisplay"}
CASES = {
    **TOOLS,
    **VARIANTS,
    **{
        f"scorer of {name}": lambda y, proba, scorer=scorer, **weight: (scorer(Fixed(), proba, y, **weight), ())
        for name, scorer in scorers.SCORERS.items()
    },
    **{
        f"{name}.{constructor}": display(name, constructor, **options)
        for name, options in DISPLAYS.items()
        for constructor in ("from_estimator", "from_predictions")
    },
}
EVERY = pytest.mark.parametrize("call", CASES.values(), ids=CASES)


def numbers(result):
    """All numbers that a result holds, in one array; NaN, of a bin without rows, is one too."""
    if is_dataclass(result):
        result = [getattr(result, field.name) for field in fields(result)]
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, (list, tuple)):
        return np.concatenate([np.empty(0), *map(numbers, result)])
    array = np.asarray(result)
    return array.ravel().astype(float) if array.dtype.kind in "fiub" else np.empty(0)


@pytest.fixture
def predictions(rng):
    """Return labels that the probabilities tell something about, and weights, a third of them zero."""
    proba = rng.dirichlet(np.ones(N_CLASSES), size=90).round(2) + 1e-3
    proba /= proba.sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(N_CLASSES, p=p) for p in proba])
    return labels, proba, rng.integers(0, 3, size=90).astype(float)


@pytest.fixture(autouse=True)
def _close():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def test_the_table_holds_all_that_takes_weights():
    takes_weight = {
        name
        for name in metrics.__all__
        if inspect.isfunction(getattr(metrics, name))
        and "sample_weight" in inspect.signature(getattr(metrics, name)).parameters
    }
    assert takes_weight == set(TOOLS)
    assert set(DISPLAYS) | WITHOUT_WEIGHTS == {name for name in plots.__all__ if inspect.isclass(getattr(plots, name))}
    for name in WITHOUT_WEIGHTS:
        for _, constructor in inspect.getmembers(getattr(plots, name), inspect.ismethod):
            assert "sample_weight" not in inspect.signature(constructor).parameters


@EVERY
def test_a_weight_is_the_number_of_times_that_a_row_stands_there(predictions, call):
    labels, proba, weight = predictions
    times = weight.astype(int)
    given, _ = call(labels, proba, sample_weight=weight)
    repeated, _ = call(np.repeat(labels, times), np.repeat(proba, times, axis=0))
    np.testing.assert_allclose(numbers(given), numbers(repeated), rtol=1e-10, atol=1e-12)


@EVERY
def test_what_rows_without_weight_say_changes_nothing(predictions, rng, call):
    labels, proba, weight = predictions
    nothing = weight == 0
    expected = call(labels, proba, sample_weight=weight)
    labels, proba = labels.copy(), proba.copy()
    labels[nothing] = (labels[nothing] + rng.integers(1, N_CLASSES, size=nothing.sum())) % N_CLASSES
    proba[nothing] = rng.dirichlet(np.full(N_CLASSES, 0.3), size=nothing.sum())
    np.testing.assert_allclose(numbers(call(labels, proba, sample_weight=weight)), numbers(expected), rtol=1e-10, atol=1e-12)


@EVERY
def test_only_the_proportions_of_weights_count(predictions, call):
    labels, proba, weight = predictions
    given = call(labels, proba, sample_weight=weight)
    assert len(numbers(given))
    for factor in (1e-3, 1024.0):
        scaled = call(labels, proba, sample_weight=factor * weight)
        np.testing.assert_allclose(numbers(scaled), numbers(given), rtol=1e-10, atol=1e-12)
    assert not np.array_equal(numbers(given), numbers(call(labels, proba)), equal_nan=True)
