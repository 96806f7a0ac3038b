"""Reliability diagrams: what their artists hold, not their pixels."""

import matplotlib
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.metrics import calibration_test, reliability_curve, smooth_calibration_error
from sksoftmax.plots import ReliabilityDisplay

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def plt():
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


@pytest.fixture
def predictions(rng):
    """Return labels that are names, and probabilities that are too sure of themselves."""
    proba = rng.dirichlet(np.full(4, 0.6), size=2000)
    y = (np.cumsum(proba, axis=1) < rng.uniform(size=(2000, 1))).sum(axis=1)
    sharp = proba**2 / np.sum(proba**2, axis=1, keepdims=True)
    return np.array(["ant", "bee", "cat", "dog"])[y], sharp


def points(display, k):
    return np.column_stack(display.points_[k].get_data())


def test_top_label(predictions):
    y, proba = predictions
    display = ReliabilityDisplay.from_predictions(y, proba, n_bins=8, random_state=0, name="boastful")
    curve = reliability_curve(y, proba, n_bins=8)
    np.testing.assert_array_equal(points(display, 0), np.column_stack([curve.prob_pred[0], curve.prob_true[0]]))
    diagram, histogram = display.ax_
    np.testing.assert_allclose(display.histograms_[0].get_data().values, curve.mass[0])
    np.testing.assert_allclose(display.histograms_[0].get_data().edges, curve.edges[0])
    assert display.histograms_[0].axes is histogram
    assert display.figure_ is diagram.figure
    test = calibration_test(y, proba, error=smooth_calibration_error)
    told = f"boastful (smECE = {test.statistic:.3f}, p ≤ 0.005)"
    assert legend_texts(diagram) == [told, "calibrated", "90 % of calibrated models"]
    assert diagram.get_title() == ""


def legend_texts(ax):
    return [text.get_text().replace("\xa0", " ") for text in ax.get_legend().get_texts()]


def test_consistency_bars_hold_the_diagonal_and_not_the_points_of_boasts(predictions):
    display = ReliabilityDisplay.from_predictions(*predictions, random_state=0)
    (bars,) = display.bars_
    inside = []
    for (x, low), (_, high), _ in np.column_stack(bars.get_data()).reshape(-1, 3, 2):
        if np.isnan(x):  # an empty bin
            continue
        assert low - 0.1 <= x <= high + 0.1
        (y,) = (y for p, y in points(display, 0) if p == x)
        inside.append(low <= y <= high)
    assert len(inside) == np.sum(~np.isnan(points(display, 0)[:, 0]))
    assert np.mean(inside) < 0.5


def test_class_wise(predictions):
    y, proba = predictions
    display = ReliabilityDisplay.from_predictions(y, proba, kind="class_wise", strategy="quantile", n_bins=5, n_resamples=0)
    curve = reliability_curve(y, proba, kind="class_wise", strategy="quantile", n_bins=5)
    assert [ax.get_title() for ax in display.ax_] == ["ant", "bee", "cat", "dog"]
    for k, ax in enumerate(display.ax_):
        np.testing.assert_array_equal(points(display, k), np.column_stack([curve.prob_pred[k], curve.prob_true[k]]))
        np.testing.assert_allclose(display.histograms_[k].get_data().edges, curve.edges[k])
        assert display.histograms_[k].axes is ax
    assert display.bars_ == []  # no bars without draws
    assert display.test is None
    assert display.bars is None


def test_smooth_curve_is_drawn_where_there_are_rows(predictions):
    y, proba = predictions
    display = ReliabilityDisplay.from_predictions(y, proba, n_resamples=0)
    x, line = display.lines_[0].get_data()
    confidence = proba.max(axis=1)
    drawn = x[~np.isnan(line)]
    assert drawn.min() > confidence.min() - 0.1
    assert len(drawn) > len(x) / 2
    # Boasts: less often right than said, wherever there is much to see.
    assert np.mean(line[(x > 0.6) & (x < 0.95)] < x[(x > 0.6) & (x < 0.95)]) > 0.9


@pytest.mark.parametrize("model", [SoftmaxRegressionClassifier(C=0.1), LogisticRegression(C=0.1, max_iter=1000)])
def test_from_estimator(model):
    X, y = load_iris(return_X_y=True)
    display = ReliabilityDisplay.from_estimator(model.fit(X, y), X, y, n_resamples=20, random_state=0)
    same = ReliabilityDisplay.from_predictions(y, model.predict_proba(X), n_resamples=20, random_state=0)
    assert display.name == type(model).__name__
    np.testing.assert_array_equal(points(display, 0), points(same, 0))
    np.testing.assert_array_equal(display.test.resampled, same.test.resampled)


def test_given_axes(predictions, plt):
    y, proba = predictions
    figure, ax = plt.subplots()
    display = ReliabilityDisplay.from_predictions(y, proba, n_resamples=0, ax=ax)
    assert list(display.ax_) == [ax]
    assert display.figure_ is figure
    _, grid = plt.subplots(2, 2)
    display = ReliabilityDisplay.from_predictions(y, proba, kind="class_wise", n_resamples=0, ax=grid)
    assert list(display.ax_) == list(grid.ravel())
    with pytest.raises(ValueError, match="ax must be at least 4 axes, one a panel, got 1"):
        display.plot(ax=ax)
    with pytest.raises(ValueError, match="ax must be one or two axes, for the diagram and the histogram, got 4"):
        ReliabilityDisplay.from_predictions(y, proba, n_resamples=0, ax=grid)


@pytest.mark.parametrize("kind", ["top_label", "class_wise"])
def test_models_on_the_same_axes_differ_in_colour_and_share_a_legend(predictions, kind):
    y, proba = predictions
    options = {"kind": kind, "n_resamples": 0}
    first = ReliabilityDisplay.from_predictions(y, proba, name="one", **options)
    second = ReliabilityDisplay.from_predictions(
        y, proba**2 / np.sum(proba**2, axis=1)[:, None], name="two", **options, ax=first.ax_
    )
    third = ReliabilityDisplay.from_predictions(
        y, proba, name="three", **options, ax=first.ax_, curve_kwargs={"c": "k", "ms": 2.0}
    )
    for k in range(len(first.points_)):
        drawn = [(d.points_[k].get_color(), d.points_[k].get_marker()) for d in (first, second, third)]
        assert len({color for color, _ in drawn}) == len({marker for _, marker in drawn}) == 3
        assert {d.lines_[k].get_color() for d in (first, second, third)} == {color for color, _ in drawn}
    assert third.points_[0].get_color() == "k"
    assert third.points_[0].get_markersize() == 2.0
    legends = [*first.figure_.legends, *(ax.get_legend() for ax in first.ax_ if ax.get_legend())]
    assert legends == [third.legend_]
    assert [text.get_text() for text in third.legend_.get_texts()] == ["one", "two", "three", "calibrated"]
    assert first.ax_[0].get_title() == ("" if kind == "top_label" else "ant")


def test_bad_input(predictions):
    y, proba = predictions
    with pytest.raises(NotFittedError):
        ReliabilityDisplay.from_estimator(SoftmaxRegressionClassifier(), proba, y)
    many = np.eye(31)
    with pytest.raises(ValueError, match="at most 30, got 31 classes"):
        ReliabilityDisplay.from_predictions(np.arange(31), many, kind="class_wise")
    with pytest.raises(ValueError, match="kind must be one of"):
        ReliabilityDisplay.from_predictions(y, proba, kind="label")
