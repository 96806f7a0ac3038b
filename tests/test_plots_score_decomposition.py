"""Bars of proper scores in two parts."""

import matplotlib
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB

import reference
from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.metrics import ScoreDecomposition, decompose_score
from sksoftmax.plots import ScoreDecompositionDisplay

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def plt():
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


@pytest.fixture
def models(rng):
    logits = rng.normal(size=(300, 3))
    y = (logits + rng.gumbel(size=(300, 3))).argmax(axis=1)
    return y, {name: np.array([reference.softmax(s * z) for z in logits]) for name, s in (("honest", 1.0), ("boastful", 2.5))}


@pytest.mark.parametrize("score", ["cross_entropy_loss", "brier_score_loss", "spherical_score"])
def test_bars_are_the_parts(models, score):
    y, proba = models
    display = ScoreDecompositionDisplay.from_predictions(y, proba, score=score, calibrator="temperature")
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["honest", "boastful"]
    assert display.ax_.yaxis_inverted()
    bars = zip(proba.values(), display.refinement_, display.calibration_, display.texts_, strict=True)
    for rows, refinement, calibration, text in bars:
        parts = decompose_score(y, rows, score=score, calibrator="temperature")
        assert refinement.get_width() == pytest.approx(parts.refinement)
        assert calibration.get_x() + calibration.get_width() == pytest.approx(parts.total)
        assert text.get_text().startswith(f"{parts.total:.3f} = {parts.refinement:.3f} ")


def test_what_recalibration_made_worse_is_hatched():
    parts = {"better": ScoreDecomposition(1.0, 0.2, 0.8), "worse": ScoreDecomposition(0.7, -0.1, 0.8)}
    display = ScoreDecompositionDisplay(parts).plot()
    assert [bar.get_hatch() for bar in display.calibration_] == [None, "////"]
    assert [text.get_text() for text in display.texts_] == ["1.000 = 0.800 + 0.200", "0.700 = 0.800 − 0.100"]
    assert display.ax_.get_xlabel() == "cross-entropy, nats a row"


def test_from_estimators():
    X, y = load_digits(return_X_y=True)
    fitted = {"softmax": SoftmaxRegressionClassifier(C=0.01), "loose": SoftmaxRegressionClassifier(C=100)}
    for model in fitted.values():
        model.fit(X[:900], y[:900])
    display = ScoreDecompositionDisplay.from_estimator(fitted, X[900:], y[900:])
    assert list(display.decompositions) == ["softmax", "loose"]
    # Hardly any penalty: it boasts.
    calibration = {name: parts.calibration for name, parts in display.decompositions.items()}
    assert calibration["loose"] > 0.1 > calibration["softmax"] > 0
    single = ScoreDecompositionDisplay.from_estimator(fitted["softmax"], X[900:], y[900:], ax=display.ax_)
    assert single.decompositions == {"SoftmaxRegressionClassifier": display.decompositions["softmax"]}
    assert single.ax_ is display.ax_
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == ["softmax", "loose", "SoftmaxRegressionClassifier"]
    assert [bar.get_y() > 1.5 for bar in single.refinement_] == [True]  # below the others
    assert len(display.ax_.get_legend().get_texts()) == 2


def test_bad_input(models):
    y, proba = models
    with pytest.raises(ValueError, match="at least one model, got none"):
        ScoreDecompositionDisplay.from_predictions(y, {})
    impossible = proba["honest"].copy()
    impossible[0] = np.eye(3)[(y[0] + 1) % 3]
    with pytest.raises(ValueError, match=r"cross_entropy_loss of 'model' is infinite.*take score='brier_score_loss' or"):
        ScoreDecompositionDisplay.from_predictions(y, impossible)
    X, digits = load_digits(return_X_y=True)
    forest = RandomForestClassifier(10, random_state=0).fit(X[:900], digits[:900])
    with pytest.raises(ValueError, match=r"'RandomForestClassifier' is infinite.*forests.*'spherical_score', which are finite"):
        ScoreDecompositionDisplay.from_estimator(forest, X[900:], digits[900:])
    for score, sign in (("brier_score_loss", 1), ("spherical_score", -1)):
        display = ScoreDecompositionDisplay.from_estimator(forest, X[900:], digits[900:], score=score)
        assert sign * display.decompositions["RandomForestClassifier"].calibration > 0
    models = {"ten": GaussianNB().fit(X, digits), "two": GaussianNB().fit(X, digits % 2)}
    with pytest.raises(ValueError, match="classes_ must be the same"):
        ScoreDecompositionDisplay.from_estimator(models, X, digits)
    with pytest.raises(ValueError, match="score"):
        ScoreDecompositionDisplay.from_predictions(y, proba, score="accuracy")
