"""Geometry of the displays: nothing covers or leaves what it should not, at any number of classes and length of names."""

from functools import partial
from itertools import pairwise

import matplotlib
import numpy as np
import pytest

from sksoftmax.metrics import ScoreDecomposition
from sksoftmax.plots import (
    CoefficientDisplay,
    LearningCurve,
    MisclassifiedDisplay,
    ReliabilityDisplay,
    RiskCoverageDisplay,
    ScoreDecompositionDisplay,
    SimplexDisplay,
)

matplotlib.use("Agg")
LONG = "a class whose name is far longer than the panel that it heads"


@pytest.fixture(autouse=True)
def plt():
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def box(artist):
    return artist.get_window_extent()


def overlap(one, other):
    """Return whether two artists share more than a pixel."""
    a, b = box(one), box(other)
    width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    return width > 1 and height > 1


def texts_of(figure):
    """Return the texts that are drawn: of the figure, of legends, titles, labels, and of ticks within the limits."""
    texts = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    texts += [text for text in (figure._suptitle, figure._supxlabel, figure._supylabel) if text is not None]
    for ax in figure.axes:
        texts += [*ax.texts, ax.title, *(ax.get_legend().get_texts() if ax.get_legend() else ())]
        for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
            low, high = sorted(axis.get_view_interval())
            texts += [axis.label, *(t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high)]
    return {text for text in texts if text.get_visible() and text.get_text().strip()}


def assert_texts_are_apart_and_inside(figure):
    """No text of the figure leaves it, and no two cover each other."""
    figure.draw_without_rendering()
    texts = list(texts_of(figure))
    boxes = np.array([box(text).extents for text in texts])
    low, high = boxes[:, :2], boxes[:, 2:]
    inside = np.all((figure.bbox.min - 1 <= low) & (high <= figure.bbox.max + 1), axis=1)
    assert inside.all(), [text for text, is_inside in zip(texts, inside, strict=True) if not is_inside]
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    covering = np.argwhere(np.triu(np.all(shared > 1, axis=2), 1))
    assert not len(covering), [(texts[i], texts[j]) for i, j in covering]


def predictions(n_classes, n_rows=400, sharpness=2.0):
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.full(n_classes, 0.6), size=n_rows)
    y = (np.cumsum(proba, axis=1)[:, :-1] < rng.uniform(size=(n_rows, 1))).sum(axis=1)
    y[:n_classes] = np.arange(n_classes)
    sharp = proba**sharpness
    return y, sharp / sharp.sum(axis=1, keepdims=True)


# --------------------------------------------------------------------------------------------------------------------
# reliability


@pytest.mark.parametrize(("n_classes", "n_models"), [(2, 1), (3, 2), (10, 2), (30, 1)])
def test_class_wise_reliability_has_room(n_classes, n_models):
    y, proba = predictions(n_classes)
    labels = np.array([f"{LONG}, {k}" for k in range(n_classes)])
    options = {"labels": labels, "kind": "class_wise", "n_resamples": 3, "random_state": 0}
    display = ReliabilityDisplay.from_predictions(labels[y], proba, name="one", **options)
    if n_models == 2:
        display = ReliabilityDisplay.from_predictions(labels[y], proba, name="two", **options, ax=display.ax_)
    assert_texts_are_apart_and_inside(display.figure_)
    assert max(display.figure_.get_size_inches()) <= 12
    sides = np.array([box(ax).size for ax in display.ax_]) / display.figure_.dpi
    assert sides.min() > {2: 2.5, 3: 2.3, 10: 1.3, 30: 0.9}[n_classes]
    assert not any(overlap(display.legend_, ax) for ax in display.ax_)


@pytest.mark.parametrize("sharpness", [0.4, 3.0])
def test_the_legend_of_an_own_figure_covers_no_bar(sharpness):
    y, proba = predictions(4, sharpness=sharpness)
    display = ReliabilityDisplay.from_predictions(y, proba, n_resamples=3, name="SoftmaxRegressionClassifier")
    display = ReliabilityDisplay.from_predictions(y, proba, n_resamples=3, name="another", ax=display.ax_)
    assert_texts_are_apart_and_inside(display.figure_)
    assert not any(overlap(display.legend_, ax) for ax in display.ax_)


@pytest.mark.parametrize(("layout", "side"), [(None, 11), ("constrained", 7.5)])
def test_a_grid_of_given_axes_keeps_its_texts_apart(plt, layout, side):
    figure, grid = plt.subplots(2, 2, figsize=(side, side), layout=layout)
    for ax, sharpness in zip(grid.flat, (0.4, 1.0, 2.0, 3.0), strict=True):
        y, proba = predictions(4, sharpness=sharpness)
        display = ReliabilityDisplay.from_predictions(y, proba, n_resamples=3, ax=ax, name="10 neighbours")
        figure.draw_without_rendering()
        legend = box(display.legend_)
        assert box(ax).x0 <= legend.x0
        assert legend.x1 <= box(ax).x1
        points = ax.transData.transform(np.column_stack(display.points_[0].get_data()))
        assert not any(legend.contains(*point) for point in points)
    assert_texts_are_apart_and_inside(figure)


# --------------------------------------------------------------------------------------------------------------------
# risk and coverage, decompositions


@pytest.mark.parametrize("n_models", [1, 2, 10])
def test_bars_and_their_texts_are_inside(n_models):
    parts = {f"{LONG} {i}": ScoreDecomposition(1.0 + 0.1 * i, 0.2, 0.8 + 0.1 * i) for i in range(n_models)}
    display = ScoreDecompositionDisplay(parts).plot()
    assert_texts_are_apart_and_inside(display.figure_)
    assert max(display.figure_.get_size_inches()) <= 12
    assert not overlap(display.legend_, display.ax_)
    for text in display.texts_:
        assert box(text).x1 <= box(display.ax_).x1


def test_grids_of_decompositions_and_risks_keep_their_texts_apart(plt):
    figure, grid = plt.subplots(2, 2, layout="constrained")
    y, proba = predictions(4)
    parts = {"softmax": ScoreDecomposition(1.0, 0.2, 0.8), "naive Bayes": ScoreDecomposition(0.7, -0.1, 0.8)}
    for above, below in grid.T:
        ScoreDecompositionDisplay(parts).plot(ax=above)
        for name in ("softmax", "naive Bayes"):
            RiskCoverageDisplay.from_predictions(y, proba, name=name, ax=below)
    assert_texts_are_apart_and_inside(figure)


# --------------------------------------------------------------------------------------------------------------------
# coefficients


@pytest.mark.parametrize(("n_classes", "image_shape"), [(1, None), (3, None), (10, None), (100, None), (40, (8, 8))])
def test_coefficients_fit_a_screen(n_classes, image_shape):
    rng = np.random.default_rng(0)
    display = CoefficientDisplay(
        coef=rng.normal(size=(n_classes, 64)),
        titles=[f"{LONG} {k}" for k in range(n_classes)],
        feature_names=[f"a feature whose name is long as well, no. {j}" for j in range(64)],
        image_shape=image_shape,
    ).plot()
    assert_texts_are_apart_and_inside(display.figure_)
    assert max(display.figure_.get_size_inches()) <= 12
    assert min(box(display.ax_[0]).size) / display.figure_.dpi > (0.5 if image_shape else 1.2)


# --------------------------------------------------------------------------------------------------------------------
# triangles


@pytest.mark.parametrize("n_axes", [1, 4])
def test_names_of_triangles_are_inside(plt, n_axes):
    y, proba = predictions(3)
    names = [f"{LONG} {k}" for k in range(3)]
    axes = [None] if n_axes == 1 else plt.subplots(2, 2)[1].flat
    for ax in axes:
        display = SimplexDisplay.from_predictions(y, proba, name="SoftmaxRegressionClassifier", class_names=names, ax=ax)
    assert_texts_are_apart_and_inside(display.figure_)
    assert (display.legend_ is None) == (n_axes == 4)


# --------------------------------------------------------------------------------------------------------------------
# default axes


def reliability_of_classes(axes):
    y, proba = predictions(4)
    for name in ("one", "two"):
        ReliabilityDisplay.from_predictions(y, proba, kind="class_wise", n_resamples=0, name=name, ax=axes)


def coefficients(axes, image_shape=None):
    coef = np.random.default_rng(0).normal(size=(4, 4)) * [[1], [1], [10], [100]]
    names = [f"{LONG} {k}" for k in range(4)]
    CoefficientDisplay(coef=coef, titles=names, image_shape=image_shape).plot(ax=axes)


def mistakes(axes):
    y, proba = predictions(4)
    X = np.random.default_rng(0).normal(size=(len(y), 16))
    MisclassifiedDisplay.from_predictions(y, proba, X, image_shape=(4, 4), max_rows=4, ax=axes)


DRAWN = [reliability_of_classes, coefficients, partial(coefficients, image_shape=(2, 2)), mistakes]


@pytest.mark.parametrize("draw", DRAWN)
def test_panels_in_default_axes_keep_their_titles_apart(plt, draw):
    figure, axes = plt.subplots(2, 2)
    draw(axes)
    assert_texts_are_apart_and_inside(figure)
    for ax in axes.flat:
        assert not any(overlap(ax.title, other) for other in axes.flat), ax.get_title()
    for ax in axes[0]:  # a number is read at the foot of the column
        below = axes[1, ax.get_subplotspec().colspan.start]
        assert ax.get_xlim() == below.get_xlim()


def test_numbers_below_narrow_bars_are_apart(plt):
    figure = plt.figure(figsize=(9, 5))
    left, _ = figure.subfigures(1, 2)
    coefficients(left.subplots(2, 2))
    figure.draw_without_rendering()
    for ax in left.axes[2:]:
        low, high = ax.get_xlim()
        numbers = [tick.label1 for tick in ax.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
        assert len(numbers) > 1
        assert not any(overlap(one, other) for one, other in pairwise(numbers))


# --------------------------------------------------------------------------------------------------------------------
# the course of a fit


def test_learning_curves_have_room(plt):
    rng = np.random.default_rng(0)
    curves = {name: rng.uniform(size=40) for name in ("objective", "validation_cross_entropy", "validation_accuracy")}
    display = LearningCurve(**curves, seconds=np.arange(40), best_iteration=20, name="SoftmaxRegressionClassifier")
    own = display.plot().ax_
    display.plot(ax=own, name="another")
    assert_texts_are_apart_and_inside(own[0].figure)
    assert not any(overlap(display.legend_, ax) for ax in own)
    figure, grid = plt.subplots(2, 2, layout="constrained")
    for column in grid.T:
        display.plot(ax=column)
        display.plot(ax=column, name="another")
    assert_texts_are_apart_and_inside(figure)


# --------------------------------------------------------------------------------------------------------------------
# mistakes


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("n_classes", [2, 30])
def test_mistakes_are_apart_and_inside(images, n_classes):
    y, proba = predictions(n_classes)
    X = np.random.default_rng(0).normal(size=(len(y), 16))
    names = [f"{LONG} {k}" for k in range(n_classes)]
    feature_names = [f"a feature with a long name {j}" for j in range(16)]
    shape = {"image_shape": (4, 4)} if images else {"feature_names": feature_names}
    display = MisclassifiedDisplay.from_predictions(y, proba, X, class_names=names, **shape)
    assert_texts_are_apart_and_inside(display.figure_)
    assert max(display.figure_.get_size_inches()) <= 12
