"""What the estimator makes of each loss: known equivalences, independent optima, solvers that take it or say why not."""

import re
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import reference
from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.data.dataset import in_memory
from sksoftmax.losses import LOSSES, CosineSoftmax, CrossEntropy, FocalLoss, HingeLoss, LogitAdjusted, MarginLoss, Targets
from sksoftmax.objectives._contracts import FiniteSum
from sksoftmax.objectives.cosine import CosineObjective
from sksoftmax.objectives.linear import LinearObjective
from sksoftmax.penalties import L2
from sksoftmax.solvers import NewtonCG, NewtonCholesky
from sksoftmax.solvers._line_search import line_search, observed_noise

HESSIAN_SOLVERS = ["newton-cg", "newton-cholesky"]
WITHOUT_HESSIAN = [CosineSoftmax(), FocalLoss(), HingeLoss(smoothing=0.0)]


def classifier(loss, **options):
    return SoftmaxRegressionClassifier(loss=loss, **{"tol": 1e-8, "max_iter": 10_000, **options})


@pytest.fixture(params=[2, 3], ids=["two classes", "three classes"])
def problem(request, make_problem):
    return make_problem(n_rows=80, n_features=4, n_classes=request.param)


@pytest.mark.parametrize(
    ("loss", "C", "same_as", "same_C"),
    [
        (FocalLoss(gamma=0.0), 1.0, CrossEntropy(), 1.0),
        (MarginLoss(margin=0.0), 1.0, CrossEntropy(), 1.0),
        (MarginLoss(margin=0.0, scale=3.0), 1.0, CrossEntropy(), 9.0),
        (LogitAdjusted(tau=0.0), 1.0, CrossEntropy(), 1.0),
    ],
    ids=repr,
)
def test_losses_that_are_cross_entropy(problem, loss, C, same_as, same_C):
    X, y, weight = problem
    clf = classifier(loss, C=C).fit(X, y, weight)
    expected = classifier(same_as, C=same_C).fit(X, y, weight)
    assert_allclose(clf.predict_proba(X), expected.predict_proba(X), atol=1e-6)
    assert_allclose(clf.predict_log_proba(X), np.log(clf.predict_proba(X)), rtol=1e-9)


@pytest.mark.parametrize("tau", [0.5, 1.0])
def test_logit_adjustment_with_an_intercept_is_that_of_the_intercept(problem, tau):
    X, y, weight = problem
    clf, plain = (classifier(loss).fit(X, y, weight) for loss in (LogitAdjusted(tau), CrossEntropy()))
    log_shares = np.log(np.bincount(y, weight) / weight.sum())
    shift = log_shares[1:] - log_shares[0] if len(log_shares) == 2 else log_shares - log_shares.mean()
    assert_allclose(clf.coef_, plain.coef_, atol=1e-6)
    assert_allclose(clf.intercept_, plain.intercept_ - tau * shift, atol=1e-6)
    without = [classifier(loss, fit_intercept=False).fit(X, y, weight).coef_ for loss in (LogitAdjusted(tau), CrossEntropy())]
    assert not np.allclose(*without, atol=1e-3)


def test_class_weights_do_not_change_what_is_adjusted(problem):
    X, y, weight = problem
    log_shares = np.log(np.bincount(y, weight) / weight.sum())
    shift = log_shares[1:] - log_shares[0] if len(log_shares) == 2 else log_shares - log_shares.mean()
    losses = (LogitAdjusted(), CrossEntropy())
    clf, plain = (classifier(loss, class_weight={0: 3.0, 1: 0.5}).fit(X, y, weight) for loss in losses)
    assert_allclose(clf.intercept_, plain.intercept_ - shift, atol=1e-6)


@pytest.mark.parametrize("loss", [FocalLoss(gamma=0.7), LogitAdjusted(), LogitAdjusted(tau=2.0)], ids=repr)
def test_a_row_of_probabilities_counts_as_weighted_copies(problem, rng, loss):
    X, y, weight = problem
    n_classes = y.max() + 1
    proba = 0.7 * np.eye(n_classes)[y] + 0.3 / n_classes
    soft = classifier(loss, class_weight={0: 2.0, 1: 0.5}).fit(X, proba, weight)
    labels = np.tile(np.arange(n_classes), len(X))
    copies = classifier(loss, class_weight={0: 2.0, 1: 0.5})
    copies.fit(np.repeat(X, n_classes, axis=0), labels, (weight[:, None] * proba).ravel())
    assert_allclose(soft.decision_function(X), copies.decision_function(X), atol=1e-5)


@pytest.mark.parametrize("loss", [CosineSoftmax(), MarginLoss(), HingeLoss()], ids=repr)
def test_labels_only(problem, loss):
    X, y, _ = problem
    clf = SoftmaxRegressionClassifier(loss=loss)
    with pytest.raises(ValueError, match=f"{type(loss).__name__} takes class labels; y holds rows of class probabilities"):
        clf.fit(X, np.eye(y.max() + 1)[y])
    assert not hasattr(clf, "n_features_in_")


@pytest.mark.parametrize("loss", [MarginLoss(margin=2.0, scale=3.0), LogitAdjusted(), HingeLoss(smoothing=1.0)], ids=repr)
@pytest.mark.parametrize("solver", [*HESSIAN_SOLVERS, "block-lbfgs", "lbfgs"])
def test_every_solver_finds_the_same_optimum(problem, loss, solver):
    X, y, weight = problem
    X = X * [1e-2, 1, 10, 1]
    clf = classifier(loss, solver=solver, tol=1e-6).fit(X, y, weight)
    one_hot = reference.one_hot(y, y.max() + 1)

    def value(fitted):
        options = loss.get_params()
        if isinstance(loss, LogitAdjusted):
            options["class_prior"] = weight @ one_hot / weight.sum()
        formula = next(reference.LOSSES[name] for name, kind in LOSSES.items() if kind is type(loss))
        return reference.objective(X, one_hot, weight, fitted.coef_, fitted.intercept_, C=1.0, loss=formula, **options)

    assert clf.converged_
    assert_allclose(value(clf), clf.solution_.value, rtol=1e-9)
    assert_allclose(value(clf), value(classifier(loss).fit(X, y, weight)), rtol=1e-8)


# -- hinge -------------------------------------------------------------------------------------------------------------


def test_hinge_of_two_classes_is_that_of_scikit_learns_svc():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    svc = SVC(kernel="linear", C=0.1, tol=1e-8).fit(X, y)
    clf = classifier(HingeLoss(smoothing=1e-3), C=0.1, tol=1e-6).fit(X, y)

    def value(model):
        losses = np.maximum(0, 1 - np.where(y == 1, 1, -1) * model.decision_function(X))
        return losses.mean() + 0.5 * np.sum(model.coef_**2) / (0.1 * len(X))

    # The smoothed loss is at most smoothing / 8 higher than the hinge, and nowhere lower.
    assert value(svc) <= value(clf) <= clf.solution_.value <= value(svc) + 1e-3 / 8
    assert_allclose(clf.coef_, svc.coef_, atol=0.01)
    assert np.mean(clf.predict(X) == svc.predict(X)) > 0.99


def test_hinge_of_three_classes_is_the_solution_of_its_quadratic_programme(make_problem):
    """Minimise the penalty plus the mean of slacks, which no violation exceeds."""
    X, y, _ = make_problem(n_rows=24, n_features=2)
    n, K, width = len(X), 3, X.shape[1] + 1
    design = np.column_stack([X, np.ones(n)])
    others = np.array([(i, k) for i in range(n) for k in range(K) if k != y[i]])
    constraints = np.zeros((len(others), K * width + len(others)))
    for row, (i, k) in zip(constraints, others, strict=True):
        row[y[i] * width : (y[i] + 1) * width] = design[i]
        row[k * width : (k + 1) * width] = -design[i]
    constraints[:, K * width :] = np.eye(len(others))
    penalised = np.tile([1.0, 1.0, 0.0], K) / n

    def value(v):
        return 0.5 * penalised @ v[: K * width] ** 2 + v[K * width :].sum() / n

    found = minimize(
        value,
        np.concatenate([np.zeros(K * width), np.ones(len(others))]),
        jac=lambda v: np.concatenate([penalised * v[: K * width], np.full(len(others), 1 / n)]),
        bounds=[(None, None)] * (K * width) + [(0, None)] * len(others),
        constraints={"type": "ineq", "fun": lambda v: constraints @ v - 1, "jac": lambda v: constraints},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert found.success
    clf = classifier(HingeLoss(smoothing=1e-3), tol=1e-6).fit(X, y)
    logits = clf.decision_function(X)
    exact = np.maximum(0, logits - logits[np.arange(n), y][:, None] + 1).sum(axis=1) - 1
    exact = exact.mean() + 0.5 * np.sum(clf.coef_**2) / n
    assert found.fun - 1e-9 <= exact <= clf.solution_.value <= found.fun + (K - 1) * 1e-3 / 8 + 1e-9


def test_hinge_without_smoothing_gets_near_the_minimum_and_warns():
    X, y = load_iris(return_X_y=True)
    clf = SoftmaxRegressionClassifier(loss=HingeLoss(smoothing=0.0))
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge"):
        clf.fit(X, y)
    smooth = SoftmaxRegressionClassifier(loss=HingeLoss(smoothing=1e-3)).fit(X, y)
    assert clf.solution_.value < 1.02 * smooth.solution_.value
    assert not clf.converged_


def test_hinge_has_no_probabilities_but_predicts():
    X, y = load_wine(return_X_y=True)
    clf = SoftmaxRegressionClassifier(loss="hinge")
    message = "no probabilities: use predict or decision_function"
    for estimator in (clf, clone(clf).fit(X, y)):
        for method in ("predict_proba", "predict_log_proba"):
            assert not hasattr(estimator, method)
            with pytest.raises(AttributeError) as raised:
                getattr(estimator, method)
            assert message in f"{raised.value} {raised.value.__cause__}"
    clf.fit(X, y)
    np.testing.assert_array_equal(clf.predict(X), clf.decision_function(X).argmax(axis=1))
    assert clf.score(X, y) > 0.95
    # What was fitted decides, not what the parameter says since.
    assert not hasattr(clf.set_params(loss="cross_entropy"), "predict_proba")
    assert hasattr(clf.fit(X, y), "predict_proba")


def test_hinge_takes_no_validation_set():
    X, y = load_wine(return_X_y=True)
    for options, given in (({"early_stopping": True}, {}), ({}, {"X_val": X, "y_val": y})):
        with pytest.raises(
            ValueError, match="HingeLoss has no probabilities; a validation set is judged by their cross-entropy"
        ):
            SoftmaxRegressionClassifier(loss="hinge", **options).fit(X, y, **given)


def test_separable_rows_have_a_hinge_optimum_without_a_penalty():
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    clf = SoftmaxRegressionClassifier(C=np.inf, loss=HingeLoss()).fit(X, [0, 0, 1, 1])
    assert clf.converged_
    assert clf.solution_.value < 1e-6


# -- solvers ask for what a loss may lack ------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", WITHOUT_HESSIAN, ids=repr)
@pytest.mark.parametrize("solver", [*HESSIAN_SOLVERS, NewtonCG(), NewtonCholesky()], ids=repr)
def test_solvers_that_need_a_hessian_refuse_losses_without(problem, loss, solver):
    X, y, _ = problem
    clf = SoftmaxRegressionClassifier(loss=loss, solver=solver)
    with pytest.raises(ValueError, match=re.escape(f"{loss!r} has no Hessian; use solver='block-lbfgs'.")):
        clf.fit(X, y)
    assert not [name for name in vars(clf) if name.endswith("_")]


@pytest.mark.parametrize("name", list(LOSSES))
@pytest.mark.parametrize("scaled", [True, False])
def test_auto_takes_a_solver_that_works(name, scaled):
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X) if scaled else X
    clf = SoftmaxRegressionClassifier(loss=name).fit(X, y)
    assert clf.converged_
    assert clf.score(X, y) > (0.8 if name == "cosine" else 0.9)  # the length of a row tells of flowers too
    expected = {"cosine": "block-lbfgs", "focal": "block-lbfgs", "hinge": "block-lbfgs"}.get(name, "newton-cholesky")
    assert clf.solution_.message.startswith(expected)


@pytest.mark.parametrize("name", list(LOSSES))
def test_searches_reach_a_losss_hyperparameters(name):
    X, y = load_iris(return_X_y=True)
    field, values = {
        "cosine": ("angular_margin", [0.0, 0.1]),
        "cross_entropy": ("label_smoothing", [0.0, 0.1]),
        "focal": ("gamma", [0.5, 2.0]),
        "hinge": ("margin", [0.5, 1.0]),
        "logit_adjusted": ("tau", [0.0, 1.0]),
        "margin": ("scale", [1.0, 2.0]),
    }[name]
    clf = SoftmaxRegressionClassifier(loss=LOSSES[name]())
    search = GridSearchCV(clf, {f"loss__{field}": values}, cv=2, error_score="raise").fit(X, y)
    assert getattr(search.best_estimator_.loss_, field) == search.best_params_[f"loss__{field}"]


# -- weights on the unit sphere ----------------------------------------------------------------------------------------


def sphere_objective(X, y, loss, container):
    weight = np.full(len(y), 1 / len(y))
    targets = Targets(y.max() + 1, weight, labels=y.astype(np.int32))
    return CosineObjective(in_memory(loss.prepare(container(X)), targets), loss.bind(targets), L2(), 0.3, fit_intercept=True)


@pytest.mark.parametrize("loss", [CosineSoftmax(), CosineSoftmax(4.0, margin=0.2, angular_margin=0.7)], ids=repr)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_gradient_on_the_sphere_is_the_slope(problem, rng, loss, container):
    X, y, _ = problem
    objective = sphere_objective(X, y, loss, container)
    params, step = rng.normal(size=objective.n_params), 1e-6
    _, gradient = objective.value_and_gradient(params)
    for j, unit in enumerate(np.eye(len(params))):
        values = [objective.value_and_gradient(params + sign * step * unit)[0] for sign in (1, -1)]
        assert_allclose(gradient[j], (values[0] - values[1]) / (2 * step), atol=1e-7)
    coef, intercept = objective.unpack(params)
    assert_allclose(np.linalg.norm(coef, axis=1), 1)
    assert not intercept.any()
    back = objective.pack(coef, intercept)
    assert_allclose(objective.unpack(back)[0], coef)
    cosines = X / np.linalg.norm(X, axis=1, keepdims=True) @ coef.T
    cosines = np.column_stack([-cosines, cosines]) if len(coef) == 1 else cosines
    rows = zip(cosines, reference.one_hot(y, y.max() + 1), strict=True)
    expected = [reference.cosine(z, t, *loss.get_params().values()) for z, t in rows]
    assert_allclose(objective.value_and_gradient(back)[0], np.mean(expected), rtol=1e-12)


def test_objectives_know_whether_they_are_on_the_sphere(problem):
    X, y, _ = problem
    targets = Targets(y.max() + 1, np.full(len(y), 1 / len(y)), labels=y.astype(np.int32))
    bound = CosineSoftmax().bind(targets)
    with pytest.raises(TypeError, match="LinearObjective is not made for a loss with unit_norm=True"):
        LinearObjective(in_memory(X, targets), bound, L2(), 0.0, fit_intercept=False)
    assert "unit sphere" in sphere_objective(X, y, CosineSoftmax(), np.asarray).lacks(FiniteSum)


def test_cosine_softmax_does_not_feel_the_length_of_rows_nor_c(problem, rng):
    X, y, weight = problem
    loss = CosineSoftmax(scale=5.0, margin=0.1)
    clf = classifier(loss, tol=1e-6).fit(X, y, weight)
    lengths = 10 ** rng.uniform(-3, 3, size=(len(X), 1))
    other = classifier(loss, tol=1e-6, C=100.0, fit_intercept=False).fit(X * lengths, y, weight)
    assert_allclose(other.coef_, clf.coef_, atol=1e-8)
    cosines = clf.decision_function(X * lengths)
    assert_allclose(cosines, clf.decision_function(X), atol=1e-12)
    both = np.column_stack([-cosines, cosines]) if cosines.ndim == 1 else cosines
    assert_allclose(clf.predict_proba(X), [reference.softmax(5.0 * z) for z in both], rtol=1e-10)
    assert_allclose(np.exp(clf.predict_log_proba(X)), clf.predict_proba(X), rtol=1e-10)
    assert not clf.intercept_.any()
    again = clone(clf).set_params(warm_start=True).fit(X, y, weight).fit(X, y, weight)
    assert again.n_iter_[0] <= 1
    assert_allclose(again.coef_, clf.coef_, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_cosine_softmax_of_wide_sparse_and_validated_rows(rng, dtype):
    X = rng.normal(size=(30, 50)).astype(dtype)  # dense rows are rotated
    y = rng.integers(3, size=30)
    X[5] = 0
    loss = CosineSoftmax(scale=4.0)
    dense, csr = (classifier(loss, tol=1e-5).fit(rows, y, X_val=rows, y_val=y) for rows in (X, sparse.csr_array(X)))
    assert dense.coef_.dtype == dtype
    assert_allclose(dense.coef_, csr.coef_, atol=1e-3)
    assert_allclose(dense.solution_.history[-1].validation_cross_entropy, log_loss(y, dense.predict_proba(X)), rtol=1e-5)
    assert_allclose(dense.predict_proba(X)[5], 1 / 3, rtol=1e-6)


# -- a loss that is not convex -----------------------------------------------------------------------------------------


def hard_problem(rng, n_classes=4):
    """Half the labels are wrong, columns differ in scale."""
    X = rng.normal(size=(200, 6)) * [0.01, 0.1, 1, 1, 10, 100]
    y = (X / [0.01, 0.1, 1, 1, 10, 100] @ rng.normal(size=(6, n_classes))).argmax(axis=1)
    return X, np.where(rng.uniform(size=200) < 0.5, rng.integers(n_classes, size=200), y)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_focal_loss_ends_at_a_stationary_point_and_never_rises(rng, gamma, n_classes):
    X, y = hard_problem(rng, n_classes)
    for start in (None, 3.0):  # from zero, and from far off, where the loss is not convex
        clf = SoftmaxRegressionClassifier(loss=FocalLoss(gamma), max_iter=20_000, warm_start=start is not None)
        if start is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                clf.set_params(max_iter=0).fit(X, y).set_params(max_iter=20_000)
            clf.coef_ = start * rng.normal(size=clf.coef_.shape) / X.std(axis=0)
        clf.fit(X, y)
        values = [iteration.value for iteration in clf.solution_.history]
        assert clf.converged_
        assert clf.solution_.gradient_norm <= 1e-4
        assert np.all(np.diff(values) <= 1e-12)
        probabilities = clf.predict_proba(X)
        assert_allclose(probabilities.sum(axis=1), 1)


def objective_of(loss, X, y):
    weight = np.full(len(X), 1 / len(X))
    targets = Targets(y.max() + 1, weight, labels=y.astype(np.int32))
    return LinearObjective(in_memory(X, targets), loss.bind(targets), L2(), 0.0, fit_intercept=False)


def test_a_falling_slope_at_the_end_accepts_a_step_of_convex_objectives_only():
    """Along a line where focal loss first rises and then falls steeply, the end's slope says nothing of the value."""
    X, y = np.array([[1.0], [-1.0]]), np.array([0, 0])
    for loss, accepted in ((CrossEntropy(), True), (FocalLoss(gamma=5.0), False)):
        objective = objective_of(loss, X, y)
        assert objective.convex is accepted
    # A function of one number whose value rises by one while the slope at the end is -10.
    objective = Bump(convex=True)
    assert line_search(objective, np.zeros(1), 0.0, np.ones(1), -1.0, max_trials=1) is not None
    assert line_search(Bump(convex=False), np.zeros(1), 0.0, np.ones(1), -1.0, max_trials=1) is None
    assert observed_noise(Bump(convex=True), 0.0, 1.0, np.array([-10.0]), np.ones(1)) == 11.0
    assert observed_noise(Bump(convex=False), 0.0, 1.0, np.array([-10.0]), np.ones(1)) == 0.0


class Bump:
    """Stands in for an objective: at every point the value is 1 and the slope -10."""

    def __init__(self, *, convex):
        self.convex = convex

    def value_noise(self, value):
        return 0.0

    def value_and_gradient(self, params):
        return 1.0, np.array([-10.0])


def test_line_search_on_focal_loss_returns_lower_points_only(rng):
    X, y = hard_problem(rng)
    objective = objective_of(FocalLoss(gamma=5.0), X / X.std(axis=0), y)
    n_found = 0
    for _ in range(200):
        params = 5 * rng.normal(size=objective.n_params)
        value, gradient = objective.value_and_gradient(params)
        direction = -gradient / np.linalg.norm(gradient) * 10 ** rng.uniform(-1, 2)
        slope = float(gradient @ direction)
        found = line_search(objective, params, value, direction, slope)
        n_found += found is not None
        assert found is None or found[1] <= value + objective.value_noise(value)
    assert n_found > 150
