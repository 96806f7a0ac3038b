"""Coefficients, mistakes, triangles and risk curves: what their artists hold, not their pixels."""

import inspect

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from scipy.sparse import csr_array
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier, plots
from sksoftmax.metrics import aurc_loss, optimal_decisions
from sksoftmax.plots import CoefficientDisplay, MisclassifiedDisplay, RiskCoverageDisplay, SimplexDisplay

matplotlib.use("Agg")
BLUE, VERMILION = to_rgba("#0072B2"), to_rgba("#D55E00")


@pytest.fixture(autouse=True)
def plt():
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return SoftmaxRegressionClassifier(C=0.01).fit(X[:600], y[:600]), X[600:], y[600:]


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return SoftmaxRegressionClassifier(C=0.01).fit(X, y), X, y


def title_texts(axes):
    return [ax.get_title() for ax in axes]


def names_of_bars(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


# --------------------------------------------------------------------------------------------------------------------
# coefficients


def test_coefficients_of_pixels_are_images_on_one_scale(digits):
    clf, _, _ = digits
    display = CoefficientDisplay.from_estimator(clf, image_shape=(8, 8))
    assert title_texts(display.ax_) == [str(k) for k in range(10)]
    for image, coef in zip(display.artists_, clf.coef_, strict=True):
        np.testing.assert_array_equal(image.get_array(), coef.reshape(8, 8))
        low, high = image.get_clim()
        assert low == -high
    assert len({image.get_clim() for image in display.artists_}) == 1
    assert 0.99 < np.mean(np.abs(clf.coef_) <= display.artists_[0].get_clim()[1]) < 1


def test_largest_coefficients_are_bars_with_names():
    X, y = load_wine(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier()).fit(X, y)
    display = CoefficientDisplay.from_estimator(model, n_features=4, class_names=["Barolo", "Grignolino", "Barbera"])
    assert title_texts(display.ax_) == ["Barolo", "Grignolino", "Barbera"]
    for ax, bars, coef in zip(display.ax_, display.artists_, model[-1].coef_, strict=True):
        largest = np.argsort(-np.abs(coef))[:4]
        assert names_of_bars(ax) == list(X.columns[largest])
        np.testing.assert_allclose([bar.get_width() for bar in bars], coef[largest])
        assert [bar.get_facecolor() for bar in bars] == [VERMILION if c > 0 else BLUE for c in coef[largest]]
        assert ax.yaxis_inverted()  # the largest on top


def test_coefficients_of_two_classes_and_without_names():
    X, y = load_breast_cancer(return_X_y=True)
    for model in (SoftmaxRegressionClassifier(), LogisticRegression(solver="newton-cholesky")):
        model.fit(X / X.std(axis=0), y)
        display = CoefficientDisplay.from_estimator(model, n_features=3, class_names=["malignant", "benign"])
        assert title_texts(display.ax_) == ["benign, against malignant"]
        assert names_of_bars(display.ax_[0]) == [f"x{j}" for j in np.argsort(-np.abs(model.coef_[0]))[:3]]


def test_coefficients_times_deviations_do_not_depend_on_units():
    X, y = load_wine(return_X_y=True, as_frame=True)
    scaler = StandardScaler().fit(X)
    model = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier()).fit(X, y)
    scaled = CoefficientDisplay.from_estimator(model, X)
    np.testing.assert_allclose(scaled.coef, model[-1].coef_)  # scaled columns have deviation one
    raw = SoftmaxRegressionClassifier().fit(X, y)
    display = CoefficientDisplay.from_estimator(raw, X, n_features=1)
    np.testing.assert_allclose(display.coef, raw.coef_ * scaler.scale_)
    assert names_of_bars(display.ax_[1]) == ["proline"]  # in mg/l: its coefficient itself is among the smallest
    assert display.figure_.get_supxlabel() == "coefficient × standard deviation"
    sparse = CoefficientDisplay.from_estimator(raw, csr_array(X.to_numpy()))
    np.testing.assert_allclose(sparse.coef, display.coef)


def test_many_classes_are_a_heat_map_of_the_largest(rng, plt):
    coef = rng.normal(size=(100, 40))
    display = CoefficientDisplay(coef=coef, titles=[f"class {k}" for k in range(100)], n_features=7).plot()
    (image,) = display.artists_
    largest = np.argsort(-np.abs(coef).max(axis=0))[:7]
    np.testing.assert_array_equal(image.get_array(), coef[:, largest].T)
    assert names_of_bars(display.ax_[0]) == [f"x{j}" for j in largest]
    assert max(display.figure_.get_size_inches()) <= 12
    # One axes for three classes, too; bars must be given a panel each.
    three = CoefficientDisplay(coef=coef[:3], titles=["a", "b", "c"])
    ax = plt.figure().add_subplot()
    assert three.plot(ax=ax).artists_[0].get_array().shape == (30, 3)
    with pytest.raises(ValueError, match="ax must be at least 3 axes, one a panel, got 1"):
        three.plot(ax=ax, kind="bars")
    with pytest.raises(ValueError, match="kind must be one of"):
        three.plot(kind="bar")


def test_sparse_coefficients(digits):
    _, X, y = digits
    sparse = SoftmaxRegressionClassifier(C=0.01).fit(X, y).sparsify()
    display = CoefficientDisplay.from_estimator(sparse, image_shape=(8, 8))
    np.testing.assert_array_equal(display.artists_[3].get_array().ravel(), sparse.coef_.toarray()[3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_shape": (8, 9)}, r"image_shape must be \(height, width\) or \(height, width, 3\) of 64 numbers"),
        ({"class_names": ["a"]}, "class_names must be 10 names, one a class, got 1"),
        ({"feature_names": ["a"]}, "feature_names must be 64 names, got 1"),
        ({"n_features": 0}, "n_features must be an integer of at least 1, got 0"),
    ],
)
def test_coefficients_bad_input(digits, options, message):
    with pytest.raises(ValueError, match=message):
        CoefficientDisplay.from_estimator(digits[0], **options)


OF_PREDICTIONS = [name for name in plots.__all__ if hasattr(getattr(plots, name), "from_predictions")]


@pytest.mark.parametrize("name", OF_PREDICTIONS)
def test_an_estimators_display_takes_what_one_of_predictions_takes(name):
    """But not labels: they are the estimator's classes."""
    display = getattr(plots, name)
    of_estimator, of_predictions = (
        {name: parameter.default for name, parameter in inspect.signature(method).parameters.items()}
        for method in (display.from_estimator, display.from_predictions)
    )
    for parameter in set(of_predictions) - {"y_true", "y_proba", "labels"}:
        assert of_estimator[parameter] == of_predictions[parameter], parameter


# --------------------------------------------------------------------------------------------------------------------
# mistakes


def test_mistakes_the_surest_first(digits):
    clf, X, y = digits
    display = MisclassifiedDisplay.from_estimator(clf, X, y, image_shape=(8, 8), max_rows=7)
    predicted, proba = clf.predict(X), clf.predict_proba(X).max(axis=1)
    wrong = np.flatnonzero(predicted != y)
    rows = wrong[np.argsort(-proba[wrong])][:7]
    np.testing.assert_array_equal(display.rows, rows)
    for ax, image, row in zip(display.ax_, display.images_, rows, strict=True):
        np.testing.assert_array_equal(image.get_array(), X[row].reshape(8, 8))
        assert ax.get_title().startswith(f"{predicted[row]} / {y[row]}\n")
        told = ax.get_title().partition("\n")[2].partition(" %")[0]
        assert float(told) < 100
        assert float(told) == pytest.approx(100 * proba[row], abs=min(0.51, 10 * (1 - proba[row])))
    assert len({ax.get_title().partition("\n")[2] for ax in display.ax_}) == 7  # each tells another probability
    assert f"7 of {len(wrong)} mistakes in 1,197 rows" in display.figure_.get_suptitle()


def test_mistakes_in_order_of_rows_with_names(rng):
    """Five images of 2 x 3 pixels in colour; rows 1, 3, 4 are wrong."""
    X = rng.uniform(size=(5, 18))
    y, decided = np.array([0, 1, 0, 1, 1]), np.array([0, 0, 0, 0, 0])
    proba = np.where(decided[:, None] == [0, 1], 1.0, 0.0)
    display = MisclassifiedDisplay.from_predictions(
        y, proba, X, image_shape=(2, 3, 3), class_names=["no", "yes"], order="first", max_rows=2
    )
    assert title_texts(display.ax_) == ["no / yes\n100 % / 0 %"] * 2
    np.testing.assert_array_equal(display.rows, [1, 3])
    np.testing.assert_array_equal(display.images_[1].get_array(), X[3].reshape(2, 3, 3))


def test_images_that_are_arrays_need_no_shape(digits):
    clf, X, y = digits
    display = MisclassifiedDisplay.from_predictions(y, clf.predict_proba(X), X.reshape(-1, 8, 8), max_rows=1)
    np.testing.assert_array_equal(display.images_[0].get_array(), X[display.rows[0]].reshape(8, 8))


@pytest.fixture
def table():
    """Return rows of three values, of which the last row's second and third are those of the other class."""
    X = pd.DataFrame({"same": [1.0] * 6, "size": [1.0, 2.0, 1.0, 8.0, 9.0, 1.5], "count": [1, 2, 3, 11, 12, 4]})
    return X, np.array(["a", "a", "a", "b", "b", "b"]), np.repeat([[0.9, 0.1], [0.2, 0.8], [0.75, 0.25]], [3, 2, 1], axis=0)


def test_mistakes_of_a_table_are_listed_by_the_values_that_matter(table):
    X, y, proba = table
    display = MisclassifiedDisplay.from_predictions(y, proba, X, n_features=2)
    assert display.rows.tolist() == [5]
    assert display.texts == ["size = 1.5, count = 4"]
    assert [text.get_text() for text in display.texts_] == display.texts
    told = [text.get_text() for text in display.ax_[0].texts]
    assert told == ["predicted", "true", "row", "a  75 %", "b  25 %", "size = 1.5, count = 4"]
    shap = np.zeros(X.shape)
    shap[5, 2] = -3.0
    assert MisclassifiedDisplay.from_predictions(y, proba, X, n_features=1, contributions=shap).texts == ["count = 4"]
    sparse = MisclassifiedDisplay.from_predictions(y, proba, csr_array(X.to_numpy()), n_features=2)
    assert sparse.texts == ["x1 = 1.5, x2 = 4"]


def test_values_matter_by_what_they_add_to_a_linear_model(table):
    X, y, _ = table
    model = make_pipeline(StandardScaler(), SoftmaxRegressionClassifier()).fit(X, y)
    model[-1].coef_ = np.array([[0.0, 1e-3, 1.0]])
    model[-1].intercept_ = np.array([0.3])
    display = MisclassifiedDisplay.from_estimator(model, X, y, n_features=1)
    assert display.texts == ["count = 4"]
    model[-1].coef_ = np.array([[0.0, 1.0, 1e-3]])
    assert MisclassifiedDisplay.from_estimator(model, X, y, n_features=1).texts[0].startswith("size = ")


def test_texts_are_listed_as_they_are():
    texts = ["good", "very  good", "bad", "not good"]
    for X in (texts, np.array(texts), pd.Series(texts)):
        display = MisclassifiedDisplay.from_predictions([1, 1, 0, 0], [0.9, 0.8, 0.1, 0.7], X)
        assert display.texts == ["not good"]
        assert display.images_ == []


def test_mistakes_bad_input(digits):
    clf, X, y = digits
    with pytest.raises(ValueError, match="all 1197 rows are predicted correctly"):
        MisclassifiedDisplay.from_estimator(clf, X, clf.predict(X), image_shape=(8, 8))
    with pytest.raises(ValueError, match="image_shape must be"):
        MisclassifiedDisplay.from_estimator(clf, X, y, image_shape=(8, 7))
    with pytest.raises(ValueError, match="feature_names must be 64 names, got 1"):
        MisclassifiedDisplay.from_estimator(clf, X, y, feature_names=["x"])
    with pytest.raises(ValueError, match="X must be images, texts or a table"):
        MisclassifiedDisplay.from_predictions(y, clf.predict_proba(X), np.zeros((len(y), 2, 2, 2)))
    with pytest.raises(ValueError, match="y_true must hold labels"):
        MisclassifiedDisplay.from_estimator(clf, X, clf.predict_proba(X), image_shape=(8, 8))
    with pytest.raises(ValueError, match="X must have 1197 rows, as many as y_true, got 5"):
        MisclassifiedDisplay.from_predictions(y, clf.predict_proba(X), X[:5], image_shape=(8, 8))
    with pytest.raises(ValueError, match="class_names must be 10 names, one a class, got 2"):
        MisclassifiedDisplay.from_estimator(clf, X, y, class_names=["a", "b"])


# --------------------------------------------------------------------------------------------------------------------
# triangles


def test_points_stand_where_their_probabilities_say(iris):
    clf, X, y = iris
    display = SimplexDisplay.from_estimator(clf, X, y)
    corners = np.array([[0, 0], [1, 0], [0.5, np.sqrt(0.75)]])
    for k, points in enumerate(display.points_):
        np.testing.assert_allclose(points.get_offsets(), clf.predict_proba(X[y == k]) @ corners)
    assert [text.get_text() for text in display.ax_.texts] == ["0", "1", "2"]


@pytest.mark.parametrize(
    "cost", [None, [[0, 1, 1], [1, 0, 1], [1, 5, 0]], [[0, 2, 1], [3, 0, 1], [1, 1, 0]], [[0, 1, 1], [1, 0, 1], [9, 9, 0]]]
)
def test_regions_are_the_decisions(iris, rng, cost):
    """Random points of the triangle lie in the region of what is decided for them, and in no other."""
    clf, X, y = iris
    display = SimplexDisplay.from_estimator(clf, X, y, cost=cost)
    proba = rng.dirichlet(np.ones(3), size=300)
    places = proba @ np.array([[0, 0], [1, 0], [0.5, np.sqrt(0.75)]])
    decided = optimal_decisions(proba, cost)
    for k, region in enumerate(display.regions_):
        inside = region.get_path().contains_points(places)  # no transform: in data coordinates
        np.testing.assert_array_equal(inside, decided == k)


def test_a_class_that_is_never_decided_has_no_region(iris):
    clf, X, y = iris
    display = SimplexDisplay.from_estimator(clf, X, y, cost=[[0, 9, 1], [0, 9, 1], [1, 9, 0]])
    assert [region is None for region in display.regions_] == [False, True, False]


def test_a_majority_hides_no_rare_class(rng):
    """Rarer classes are drawn above, more opaque and larger."""
    y = np.repeat([0, 1, 2], [30, 4000, 300])
    display = SimplexDisplay.from_predictions(y, rng.dirichlet(np.ones(3), size=len(y)), class_names=["rare", "many", "some"])
    rare, many, some = display.points_
    assert rare.get_zorder() > some.get_zorder() > many.get_zorder()
    assert rare.get_alpha() > some.get_alpha() > many.get_alpha()
    assert rare.get_sizes()[0] > some.get_sizes()[0] > many.get_sizes()[0]
    assert [text.get_text() for text in display.legend_.get_texts()] == ["rare", "many", "some"]
    drawn = SimplexDisplay.from_predictions(y, rng.dirichlet(np.ones(3), size=len(y)), scatter_kwargs={"alpha": 0.5}).points_
    assert {points.get_alpha() for points in drawn} == {0.5}


def test_simplex_bad_input(digits, iris):
    clf, X, y = digits
    with pytest.raises(ValueError, match="exactly three classes, got 10 columns"):
        SimplexDisplay.from_estimator(clf, X, y)
    clf, X, y = iris
    with pytest.raises(ValueError, match="cost must be 3 x 3 finite numbers"):
        SimplexDisplay.from_estimator(clf, X, y, cost=[[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="class_names must be 3 names, one a class, got 2"):
        SimplexDisplay.from_predictions(y, clf.predict_proba(X), class_names=["a", "b"])


# --------------------------------------------------------------------------------------------------------------------
# risk and coverage


def test_risk_is_the_error_rate_of_the_most_confident(digits):
    clf, X, y = digits
    display = RiskCoverageDisplay.from_estimator(clf, X, y)
    proba = clf.predict_proba(X)
    order = np.argsort(-proba.max(axis=1))
    wrong = (proba.argmax(axis=1) != y)[order]
    x, risk = display.line_.get_data()
    for coverage in (0.25, 0.5, 1.0):
        n_decided = round(coverage * len(y))
        assert np.interp(n_decided / len(y), x, risk) == pytest.approx(wrong[:n_decided].mean(), abs=1e-3)
    assert display.line_.get_label() == f"SoftmaxRegressionClassifier (AURC\xa0=\xa0{aurc_loss(y, proba):.3g})"
    np.testing.assert_allclose(display.random_.get_ydata(), wrong.mean())
    ideal = np.interp(x, *display.ideal_.get_data())
    assert (ideal <= risk + 1e-6).all()
    assert ideal[-1] == pytest.approx(wrong.mean())
    assert np.interp(1 - wrong.mean(), *display.ideal_.get_data()) == pytest.approx(0, abs=1e-9)


def test_a_mistake_in_the_surest_row_does_not_set_the_scale_of_error_rates():
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=1000)
    confidence = np.linspace(0.999, 0.6, 1000)
    hit = rng.uniform(size=1000) < confidence
    hit[0] = False
    ahead = np.where(hit, labels, 1 - labels)
    display = RiskCoverageDisplay.from_predictions(
        labels, np.where(ahead[:, None] == [0, 1], confidence[:, None], 1 - confidence[:, None])
    )
    assert display.line_.get_ydata().max() > 0.9
    assert 0.2 < display.ax_.get_ylim()[1] < 0.4


def test_two_models_share_the_legend(digits):
    clf, X, y = digits
    even = np.full((len(y), 10), 0.1)
    first = RiskCoverageDisplay.from_estimator(clf, X, y, name="one")
    second = RiskCoverageDisplay.from_predictions(y, even, name="two", ax=first.ax_)
    third = RiskCoverageDisplay.from_predictions(y, even, name="three", ax=first.ax_, curve_kwargs={"c": "k", "ls": "-."})
    assert first.ax_ is second.ax_ is third.ax_
    texts = [text.get_text().partition(" (")[0] for text in first.ax_.get_legend().get_texts()]
    assert texts == ["one", "two", "three", "random order", "ideal order"]
    assert first.ax_.get_ylim()[1] > second.line_.get_ydata()[second.line_.get_xdata() >= 0.05].max()
    colors = [display.line_.get_color() for display in (first, second, third)]
    assert colors == ["#0072B2", "#D55E00", "k"]
    assert [display.random_.get_color() for display in (first, second, third)] == colors
    assert third.line_.get_linestyle() == "-."


@pytest.mark.parametrize("right", [True, False])
def test_models_that_are_always_right_or_wrong(right):
    y = np.array([0, 1, 1])
    display = RiskCoverageDisplay.from_predictions(y, np.eye(2)[y if right else 1 - y])
    np.testing.assert_allclose(display.line_.get_ydata(), 0 if right else 1)
    np.testing.assert_allclose(display.ideal_.get_ydata(), 0 if right else 1)
