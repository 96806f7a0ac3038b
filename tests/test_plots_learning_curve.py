"""LearningCurve: the artists hold the history, in as many panels as there is something to draw."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.plots import LearningCurve

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

NAMES = ["objective", "validation_cross_entropy", "validation_accuracy"]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:500], y[:500]


@pytest.fixture(scope="module")
def clf(digits):
    return SoftmaxRegressionClassifier(C=1e4, solver="lbfgs", early_stopping=True, random_state=0).fit(*digits)


def column(clf, name):
    name = {"objective": "value"}.get(name, name)
    return [getattr(iteration, name) for iteration in clf.solution_.history]


def legend_of(display):
    return [text.get_text().replace("\xa0", " ") for text in display.legend_.get_texts()]


@pytest.mark.parametrize("x", ["iteration", "seconds"])
def test_lines_are_the_history(x, clf):
    display = LearningCurve.from_estimator(clf, x=x)
    where = np.arange(1, clf.n_iter_[0] + 1) if x == "iteration" else column(clf, "seconds")
    assert list(display.lines_) == NAMES
    for name, line in display.lines_.items():
        assert_array_equal(line.get_xdata(), where)
        assert_array_equal(line.get_ydata(), column(clf, name))
    nats, accuracy = display.ax_
    assert display.lines_["validation_accuracy"].axes is accuracy
    assert display.lines_["objective"].axes is display.lines_["validation_cross_entropy"].axes is nats
    assert accuracy.get_xlabel() == x
    assert nats.get_ylabel() == "nats a row"
    assert nats.get_title() == ""
    assert display.figure_ is nats.figure


@pytest.mark.parametrize("x", ["iteration", "seconds"])
def test_the_iteration_that_was_kept_is_marked_in_each_panel(x, clf):
    display = LearningCurve.from_estimator(clf, x=x)
    kept = clf.best_iteration_ if x == "iteration" else column(clf, "seconds")[clf.best_iteration_ - 1]
    for ax in display.ax_:
        (mark,) = {line for line in ax.lines if len(line.get_xdata())} - set(display.lines_.values())
        assert_array_equal(mark.get_xdata(), [kept, kept])
    assert legend_of(display) == [
        f"SoftmaxRegressionClassifier (iteration {clf.best_iteration_} kept)",
        "training objective",
        "validation cross-entropy",
        "kept by early stopping",
    ]


def test_without_a_validation_set_there_is_one_panel(digits):
    display = LearningCurve.from_estimator(SoftmaxRegressionClassifier().fit(*digits))
    assert list(display.lines_) == ["objective"]
    assert len(display.ax_) == 1
    assert [line for line in display.ax_[0].lines if len(line.get_xdata())] == list(display.lines_.values())
    assert legend_of(display) == ["SoftmaxRegressionClassifier", "training objective"]


def test_without_early_stopping_nothing_is_marked(digits):
    X, y = digits
    display = LearningCurve.from_estimator(SoftmaxRegressionClassifier().fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:]))
    assert sum(len(line.get_xdata()) > 0 for ax in display.ax_ for line in ax.lines) == len(display.lines_) == 3
    assert "kept by early stopping" not in legend_of(display)


def test_given_axes_and_styles_are_used(clf):
    figure, axes = plt.subplots(1, 2)
    display = LearningCurve.from_estimator(clf, ax=axes, curve_kwargs={"alpha": 0.5, "c": "black"})
    assert list(display.ax_) == list(axes)
    assert display.figure_ is figure
    assert {(line.get_alpha(), line.get_color()) for line in display.lines_.values()} == {(0.5, "black")}
    assert [ax.get_xlabel() for ax in axes] == ["iteration", "iteration"]
    single = display.plot(ax=plt.figure().add_subplot())
    assert single is display
    assert list(display.lines_) == NAMES[:2]
    with pytest.raises(ValueError, match="one or two axes"):
        display.plot(ax=plt.subplots(3)[1])


def test_two_fits_on_the_same_axes_differ_and_share_a_legend(clf, digits):
    first = LearningCurve.from_estimator(clf, name="one")
    plain = SoftmaxRegressionClassifier().fit(*digits)
    second = LearningCurve.from_estimator(plain, name="two", ax=first.ax_)
    assert second.legend_ is first.ax_[0].get_legend()
    assert second.ax_[0].get_title() == ""
    one = f"one (iteration {clf.best_iteration_} kept)"
    assert legend_of(second) == [one, "two", "training objective", "validation cross-entropy", "kept by early stopping"]
    colors = [{line.get_color() for line in display.lines_.values()} for display in (first, second)]
    markers = [{line.get_marker() for line in display.lines_.values()} for display in (first, second)]
    assert [len(each) for each in colors + markers] == [1, 1, 1, 1]
    assert colors[0] != colors[1]
    assert markers[0] != markers[1]
    assert {line.get_linestyle() for line in (first.lines_["objective"], second.lines_["objective"])} == {"--"}
    assert (
        first.lines_["validation_cross_entropy"].get_linestyle() == first.lines_["validation_accuracy"].get_linestyle() == "-"
    )


def test_a_logarithmic_axis_stays(clf):
    ax = plt.figure().add_subplot(xscale="log")
    assert LearningCurve.from_estimator(clf, ax=ax).ax_[0].get_xscale() == "log"


def test_a_pipeline_and_a_name(digits):
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier(early_stopping=True, random_state=0)).fit(*digits)
    display = LearningCurve.from_estimator(pipeline, name="scaled digits")
    assert display.name == "scaled digits"
    assert legend_of(display)[0].startswith("scaled digits (iteration ")
    assert legend_of(display.plot(name="another"))[0].startswith("another (iteration ")
    assert_array_equal(display.lines_["objective"].get_ydata(), column(pipeline[-1], "objective"))


def test_what_cannot_be_drawn_is_told(clf, digits):
    with pytest.raises(NotFittedError):
        LearningCurve.from_estimator(SoftmaxRegressionClassifier())
    with pytest.raises(ValueError, match="x must be 'iteration' or 'seconds', got 'epoch'"):
        LearningCurve.from_estimator(clf, x="epoch")
    with pytest.warns(ConvergenceWarning):
        none = SoftmaxRegressionClassifier(solver="newton-cg", max_iter=0).fit(*digits)
    with pytest.raises(ValueError, match="made no iteration"):
        LearningCurve.from_estimator(none)
