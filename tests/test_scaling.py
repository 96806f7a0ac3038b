"""Calibrators that are ridge regressions around the identity: their optima, and what a map of logits must not depend on."""

import numpy as np
import pytest
import reference_scaling
from scipy.optimize import minimize_scalar
from sklearn.exceptions import ConvergenceWarning

import reference
from sksoftmax.calibration import (
    CALIBRATORS,
    BiasCorrectedTemperatureScaling,
    DirichletCalibration,
    StructuredMatrixScaling,
    StructuredVectorScaling,
    TemperatureScaling,
    VectorScaling,
)
from sksoftmax.calibration._scaling import STRENGTHS
from sksoftmax.solvers import StoppingRule

SCALING = [BiasCorrectedTemperatureScaling, VectorScaling, StructuredVectorScaling, StructuredMatrixScaling]
SHAPES = ["multiple", "diagonal", "diagonal", "matrix"]
FAMILY = [*SCALING, DirichletCalibration]


def make(n_rows=60, n_classes=3, seed=0):
    """Logits of which class 0 is too seldom and all are too sure, with labels."""
    rng = np.random.default_rng(seed)
    true = 2 * rng.normal(size=(n_rows, n_classes))
    labels = (true + rng.gumbel(size=true.shape)).argmax(axis=1)
    labels[:n_classes] = np.arange(n_classes)
    mixing = np.eye(n_classes) + 0.3 * rng.normal(size=(n_classes, n_classes))
    return 2 * true @ mixing - np.eye(n_classes)[0], labels


def ridge(calibrator, n_classes, n_rows):
    """The weights of the squares, from the formulas of the papers."""
    if isinstance(calibrator, DirichletCalibration):
        return {
            "on_diagonal": 1e-5,
            "off_diagonal": calibrator.off_diagonal / (n_classes * (n_classes - 1)),
            "on_intercept": calibrator.off_diagonal / n_classes,
        }
    weight = calibrator.strength * n_classes / n_rows
    return {"on_diagonal": weight, "off_diagonal": weight * (n_classes - 1), "on_intercept": weight}


@pytest.mark.parametrize("targets", ["labels", "weighted", "soft"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("method", "shape"), list(zip(FAMILY, [*SHAPES, "matrix"], strict=True)))
def test_the_optimum_is_that_of_the_slow_formula(method, shape, n_classes, targets):
    logits, labels = make(n_classes=n_classes, n_rows=30)
    rng = np.random.default_rng(1)
    weight = rng.uniform(0.2, 2, size=len(labels)) if targets == "weighted" else np.ones(len(labels))
    target = reference.one_hot(labels, n_classes)
    if targets == "soft":
        target = 0.6 * target + 0.4 * rng.dirichlet(np.ones(n_classes), size=len(labels))
    calibrator = method().fit(logits, target if targets == "soft" else labels, weight)
    temperature = 1.0
    if method is not DirichletCalibration:
        first = TemperatureScaling().fit(logits, target, weight).temperature_
        found = minimize_scalar(
            lambda log_t: sum(
                w * reference.cross_entropy(row / np.exp(log_t), t) for w, row, t in zip(weight, logits, target, strict=True)
            ),
            bracket=(-1, 1),
        )
        np.testing.assert_allclose(first, np.exp(found.x), rtol=1e-6)
        temperature = first
    mixing = 1 / (weight.sum() + 1) if method in (StructuredVectorScaling, StructuredMatrixScaling) else 0.0
    z = reference_scaling.mixed_log_proba(logits, temperature, mixing)
    weights = ridge(calibrator, n_classes, weight.sum())
    if shape == "multiple":
        weights = reference_scaling.multiple_ridge(weights, n_classes)
    best = reference_scaling.minimum(z, target, weight, shape, **weights)
    if shape == "matrix":
        coef = calibrator.coef_
    elif shape == "diagonal":
        coef = np.diag(calibrator.scale_)
    else:
        coef = np.eye(n_classes) * first / calibrator.temperature_
    ours = reference_scaling.objective(z, target, weight, coef, calibrator.intercept_, **weights)
    assert ours <= best + 1e-8
    assert best <= ours + 1e-8
    np.testing.assert_allclose(calibrator.solution_.value, ours, atol=1e-10)
    expected = [reference.softmax(coef @ row + calibrator.intercept_) for row in z]
    np.testing.assert_allclose(calibrator.predict_proba(logits), expected, atol=1e-9)


@pytest.mark.parametrize("method", FAMILY)
def test_the_objective_is_never_above_that_of_the_start(method):
    for seed in range(3):
        logits, labels = make(n_classes=12, n_rows=100, seed=seed)
        solution = method().fit(logits, labels).solution_
        assert solution.converged
        assert solution.value <= solution.history[0].value
        z = reference_scaling.mixed_log_proba(logits, 1.0, 0.0)
        if method is DirichletCalibration:
            start = -np.mean(z[np.arange(len(z)), labels])
            assert solution.value <= start


@pytest.mark.parametrize("method", SCALING)
def test_logits_of_any_scale_give_the_same_probabilities(method):
    """The temperature takes the scale out before anything else is fitted."""
    logits, labels = make()
    proba = method().fit(logits, labels).predict_proba(logits)
    np.testing.assert_allclose(method().fit(1e6 * logits, labels).predict_proba(1e6 * logits), proba, atol=1e-6)


@pytest.mark.parametrize("method", SCALING)
def test_a_strong_ridge_leaves_temperature_scaling(method):
    logits, labels = make(n_rows=200)
    temperature = TemperatureScaling().fit(logits, labels)
    expected = temperature.predict_proba(logits)
    distances = []
    for strength in (1.0, 1e2, 1e4, 1e8):
        calibrator = method(strength=strength).fit(logits, labels)
        mixed = (1 - getattr(calibrator, "mixing_", 0)) * expected + getattr(calibrator, "mixing_", 0) / 3
        distances.append(np.abs(calibrator.predict_proba(logits) - mixed).max())
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 1e-6 < distances[0]


@pytest.mark.parametrize("method", FAMILY)
def test_few_rows_and_classes_without_any(method):
    logits, labels = make(n_classes=6, n_rows=14)
    seen = labels < 4
    calibrator = method().fit(logits[seen], labels[seen], classes=np.arange(6))
    assert calibrator.solution_.converged
    proba = calibrator.predict_proba(logits)
    assert np.isfinite(calibrator.predict_log_proba(logits)).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert proba.shape == (14, 6)


@pytest.mark.parametrize("method", FAMILY)
def test_an_unfinished_fit_warns_at_the_users_line(method, monkeypatch):
    monkeypatch.setattr("sksoftmax.calibration._regression.STOP", StoppingRule(tol=1e-12, max_iter=1))
    with pytest.warns(ConvergenceWarning, match=f"{method.__name__}: .* with a gradient norm of") as warned:
        calibrator = method().fit(*make())
    assert [warning.filename for warning in warned] == [__file__]
    assert not calibrator.solution_.converged


@pytest.mark.parametrize("method", FAMILY)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_separated_and_infinite_logits_stay_finite(method):
    labels = np.arange(30) % 3
    logits = 5.0 * np.eye(3)[labels]
    logits[logits == 0] = -np.inf
    calibrator = method().fit(logits, labels)
    other = np.array([[-np.inf, 1.0, 2.0], [300.0, -np.inf, -np.inf]])
    assert np.isfinite(calibrator.transform(other)).all()
    assert (calibrator.predict(logits) == labels).all() if hasattr(calibrator, "predict") else True
    assert (calibrator.predict_proba(logits).argmax(axis=1) == labels).all()


@pytest.mark.parametrize("n_classes", [40, 60])
def test_large_problems_take_the_other_solver_to_the_same_optimum(n_classes, monkeypatch):
    logits, labels = make(n_classes=n_classes, n_rows=400)
    for method in (VectorScaling, BiasCorrectedTemperatureScaling):
        with monkeypatch.context() as context:
            context.setattr("sksoftmax.calibration._regression.NEWTON_PARAMS", 0)
            passes = method().fit(logits, labels).solution_
        with monkeypatch.context() as context:
            context.setattr("sksoftmax.calibration._regression.NEWTON_PARAMS", 10**6)
            newton = method().fit(logits, labels).solution_
        assert passes.message.startswith("block-lbfgs")
        assert newton.message.startswith("newton")
        np.testing.assert_allclose(passes.value, newton.value, atol=1e-8)


def test_a_thousand_classes():
    logits, labels = make(n_classes=1000, n_rows=2100)
    start = TemperatureScaling().fit(logits, labels)
    before = -np.mean(start.predict_log_proba(logits)[np.arange(len(labels)), labels])
    calibrator = StructuredVectorScaling().fit(logits, labels)
    assert calibrator.solution_.converged
    assert calibrator.solution_.value < before


def test_matrix_of_two_classes_is_a_regression_on_both_logits():
    logits, labels = make(n_classes=2, n_rows=300)
    calibrator = StructuredMatrixScaling().fit(logits, labels)
    assert calibrator.coef_.shape == (2, 2)
    one_column = StructuredMatrixScaling().fit(logits[:, 1] - logits[:, 0], labels)
    np.testing.assert_allclose(
        one_column.predict_proba(logits[:, 1] - logits[:, 0]), calibrator.predict_proba(logits), atol=1e-7
    )


@pytest.mark.parametrize("method", SCALING)
def test_strength_by_cross_validation_is_one_of_the_list_and_no_worse_than_its_neighbours_by_much(method):
    logits, labels = make(n_rows=300, n_classes=4)
    calibrator = method(strength="cv").fit(logits, labels)
    assert calibrator.strength_ in STRENGTHS
    same = method(strength=calibrator.strength_).fit(logits, labels)
    np.testing.assert_array_equal(same.predict_proba(logits), calibrator.predict_proba(logits))


def test_strength_falls_where_a_matrix_is_needed_and_rows_are_many():
    rng = np.random.default_rng(0)
    true = 2 * rng.normal(size=(1500, 6))
    labels = (true + rng.gumbel(size=true.shape)).argmax(axis=1)
    given = true @ (np.eye(6) + 0.25 * rng.normal(size=(6, 6)))
    assert StructuredMatrixScaling(strength="cv").fit(given, labels).strength_ < 1
    assert StructuredMatrixScaling(strength="cv").fit(true[:500], labels[:500]).strength_ >= 1


def planted(distortion, n_rows, seed):
    rng = np.random.default_rng(seed)
    true = 2 * rng.normal(size=(n_rows, 10))
    labels = (true + rng.gumbel(size=true.shape)).argmax(axis=1)
    draw = np.random.default_rng(7)
    given = {
        "temperature": lambda: 3 * true,
        "bias": lambda: 3 * (true + draw.normal(size=10)),
        "vector": lambda: 3 * true * draw.uniform(0.5, 1.5, size=10),
        "matrix": lambda: 3 * true @ (np.eye(10) + 0.2 * draw.normal(size=(10, 10))),
    }[distortion]()
    return given, labels


@pytest.mark.parametrize(
    ("distortion", "best", "worse"),
    [
        ("temperature", "temperature", "vector"),
        ("bias", "bias-corrected-temperature", "temperature"),
        ("vector", "structured-vector", "temperature"),
        ("matrix", "structured-matrix", "structured-vector"),
    ],
)
def test_each_method_mends_the_distortion_that_it_is_made_for(distortion, best, worse):
    """500 rows, ten classes, a mean over three draws: the order that Berta et al. and others found."""
    losses = dict.fromkeys(CALIBRATORS, 0.0)
    oracle = nothing = 0.0
    for seed in range(3):
        given, labels = planted(distortion, 500, seed)
        test, test_labels = planted(distortion, 5000, seed + 100)
        for name in (best, worse):
            proba = CALIBRATORS[name]().fit(given, labels).predict_proba(test)
            losses[name] -= np.mean(np.log(proba[np.arange(5000), test_labels])) / 3
        true = 2 * np.random.default_rng(seed + 100).normal(size=(5000, 10))
        oracle += np.mean(np.log(np.exp(true).sum(axis=1)) - true[np.arange(5000), test_labels]) / 3
        shifted = test - test.max(axis=1, keepdims=True)
        nothing += np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(5000), test_labels]) / 3
    assert oracle < losses[best] < losses[worse] < nothing
    # Of what can be gained the method gains nearly all; a matrix needs more rows.
    assert losses[best] - oracle < (0.35 if distortion == "matrix" else 0.06) * (nothing - oracle)


@pytest.mark.parametrize("method", SCALING)
@pytest.mark.parametrize("strength", [0, -1.0, "CV", None])
def test_bad_strengths_are_named(method, strength):
    logits, labels = make()
    with pytest.raises(ValueError, match="strength"):
        method(strength=strength).fit(logits, labels)
