"""Stochastic solvers: the steps of each, limits, schedules, seeds, sparse rows, ends of fits."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import reference_stochastic as reference
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.data import batches
from sksoftmax.data import threads as threads_module
from sksoftmax.data.dataset import in_memory
from sksoftmax.losses import CrossEntropy, Targets
from sksoftmax.objectives.linear import LinearObjective
from sksoftmax.penalties import L2
from sksoftmax.solvers import SAGA, SGD, SOLVERS, STOCHASTIC_SOLVERS, AdaGrad, Adam, NewtonCholesky, RMSProp, StoppingRule
from sksoftmax.solvers._optimality import distance
from sksoftmax.solvers.schedules import SCHEDULES, Constant, Cosine, InverseScaling, StepDecay

ALL = pytest.mark.parametrize("name", [*STOCHASTIC_SOLVERS, "saga"])
CONTAINERS = pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def make_objective(X, labels, n_classes, alpha=1e-2, weight=None, fit_intercept=True, seed=0, **targets):
    weight = np.ones(X.shape[0]) if weight is None else weight
    targets = targets or {"labels": labels.astype(np.int32)}
    targets = Targets(n_classes, weight / weight.sum(), **targets)
    bound = CrossEntropy().bind(targets)
    random_state = np.random.RandomState(seed)
    return LinearObjective(in_memory(X, targets), bound, L2(), alpha, fit_intercept=fit_intercept, random_state=random_state)


def sparse_problem(make_problem, n_rows=101, n_features=7, n_classes=3):
    X, labels, weight = make_problem(n_rows, n_features, n_classes)
    X[np.abs(X) < 1] = 0
    X[5] = 0
    X[:, 2] = 0
    return X, labels, weight


OPTIMIZERS = {
    "sgd": (SGD(), reference.sgd, {}, True),
    "momentum": (SGD(momentum=0.9), reference.sgd, {"momentum": 0.9}, False),
    "nesterov": (SGD(momentum=0.5, nesterov=True), reference.sgd, {"momentum": 0.5, "nesterov": True}, False),
    "decoupled momentum": (SGD(momentum=0.9, decoupled=True), reference.sgd, {"momentum": 0.9}, True),
    "adam": (Adam(), reference.adam, {}, False),
    "adamw": (Adam(beta_1=0.5, beta_2=0.9, epsilon=0.1, decoupled=True), reference.adam,
              {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.1}, True),
    "adagrad": (AdaGrad(), reference.adagrad, {}, False),
    "rmsprop": (RMSProp(rho=0.7, epsilon=1e-3), reference.rmsprop, {"rho": 0.7, "epsilon": 1e-3}, False),
}  # fmt: skip


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@CONTAINERS
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_steps_are_those_of_the_optimizer(optimizer, container, fit_intercept, average, make_problem):
    solver, step, options, implicit = OPTIMIZERS[optimizer]
    solver = clone(solver).set_params(
        learning_rate=0.05, batch_size=16, schedule=InverseScaling(power=0.7, delay=5), average=average
    )
    X, labels, weight = sparse_problem(make_problem)
    weight[[3, 50]] = 0
    objective = make_objective(container(X), labels, 3, 0.3, weight, fit_intercept)
    solution = solver.solve(objective, np.zeros(objective.n_params), stop=StoppingRule(None, 3))
    random_state = np.random.RandomState(0)
    orders = [random_state.permutation(np.flatnonzero(weight)) for _ in range(3)]
    coef, intercept, losses = reference.epochs(
        step, X, labels, weight / weight.sum(), 0.3, orders, 16, lambda t: 0.05 * (1 + t / 5) ** -0.7,
        intercept=fit_intercept, implicit=implicit, average=average, **options,
    )  # fmt: skip
    reached = objective.unpack(solution.params)
    assert_allclose(reached[0], coef, rtol=1e-10, atol=1e-13)
    assert_allclose(reached[1], intercept, rtol=1e-10, atol=1e-13)
    if not average:
        penalty = 0.15 * np.sum(coef**2)
        assert_allclose(solution.history[-1].value, losses[-1] + penalty, rtol=1e-10)
    value, gradient = objective.value_and_gradient(solution.params)
    assert (solution.value, solution.gradient_norm) == (value, np.abs(gradient).max())


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("name", [*STOCHASTIC_SOLVERS, "saga"])
def test_dense_and_sparse_rows_take_the_same_steps(name, soft, n_classes, make_problem, rng):
    X, labels, weight = sparse_problem(make_problem, n_classes=n_classes)
    targets = {"proba": rng.dirichlet(np.ones(n_classes), 101), "class_weight": np.arange(1.0, n_classes + 1)} if soft else {}
    reached = []
    for container in (np.asarray, sparse.csr_array):
        objective = make_objective(container(X), labels, n_classes, 0.1, weight, **targets)
        solution = SOLVERS[name]().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(None, 5))
        reached.append(np.column_stack(objective.unpack(solution.params)))
    assert np.abs(reached[0]).max() > 1e-3
    assert_allclose(reached[1], reached[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("solver", [SGD(batch_size=2, average=True), SAGA(), SAGA(learning_rate=0.02)], ids=repr)
def test_sparse_rows_outlast_a_penalty_that_shrinks_by_much(solver, make_problem):
    """The one number that multiplies all coefficients would underflow within the epoch."""
    X, labels, _ = sparse_problem(make_problem)
    reached = []
    for container in (np.asarray, sparse.csr_array):
        objective = make_objective(container(X), labels, 3, alpha=30.0)
        reached.append(objective.unpack(solver.solve(objective, np.zeros(24), stop=StoppingRule(None, 2)).params)[0])
    assert_allclose(reached[1], reached[0], rtol=1e-9, atol=1e-14)


def test_a_column_stored_twice_counts_as_its_sum(make_problem):
    X, labels, _ = sparse_problem(make_problem)
    once = sparse.csr_array(X)
    twice = sparse.csr_array((np.repeat(once.data / 2, 2), np.repeat(once.indices, 2), 2 * once.indptr), shape=X.shape)
    for solver in (SGD(average=True), SAGA()):
        objectives = [make_objective(rows, labels, 3, 0.1) for rows in (once, twice)]
        first, second = (solver.solve(each, np.zeros(24), stop=StoppingRule(None, 4)).params for each in objectives)
        assert_allclose(second, first, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@CONTAINERS
@DTYPES
def test_averaged_sgd_with_a_falling_rate_ends_at_the_optimum_of_batch_solvers(container, dtype, make_problem):
    X, labels, weight = make_problem(600, 5, 3, dtype=dtype)
    objective = make_objective(container(X), labels, 3, 1e-2, weight)
    best = NewtonCholesky().solve(objective, np.zeros(18), stop=StoppingRule(1e-6, 50))
    solver = SGD(learning_rate=0.3, batch_size=8, schedule=InverseScaling(power=0.75, delay=50), average=True)
    solution = solver.solve(objective, np.zeros(18), stop=StoppingRule(None, 60))
    assert solution.value - best.value < 1e-6
    assert_allclose(solution.params[:-3], best.params[:-3], atol=5e-3)


@pytest.mark.parametrize("solver", [Adam(learning_rate=0.05), AdaGrad(learning_rate=0.3), RMSProp(learning_rate=0.05),
                                    SGD(momentum=0.9)], ids=repr)  # fmt: skip
def test_optimizers_with_moments_approach_the_optimum_too(solver, make_problem):
    X, labels, weight = make_problem(600, 5, 3)
    objective = make_objective(X, labels, 3, 1e-2, weight)
    best = NewtonCholesky().solve(objective, np.zeros(18), stop=StoppingRule(1e-8, 50))
    solver = clone(solver).set_params(batch_size=32, schedule="cosine")
    solution = solver.solve(objective, np.zeros(18), stop=StoppingRule(None, 60))
    assert solution.value - best.value < 1e-4


@CONTAINERS
@DTYPES
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_saga_reaches_the_optimum(fit_intercept, n_classes, dtype, container, make_problem):
    X, labels, weight = make_problem(300, 5, n_classes, dtype=dtype)
    objective = make_objective(container(X), labels, n_classes, 1e-2, weight, fit_intercept)
    best = NewtonCholesky().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-6, 50))
    solution = SAGA().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-5, 200))
    assert solution.converged, solution.message
    assert solution.gradient_norm <= 1e-5
    assert solution.value - best.value < 1e-7


@ALL
@CONTAINERS
def test_the_same_seed_is_the_same_bits_on_any_number_of_threads(container, name, monkeypatch, rng):
    X = rng.normal(size=(6000, 64))
    y = (X @ rng.normal(size=(64, 5))).argmax(axis=1)
    fits = []
    for n_threads, seed in ((1, 0), (2, 0), (3, 0), (2, 1)):
        monkeypatch.setattr(threads_module, "_openmp_effective_n_threads", lambda n_threads=n_threads: n_threads)
        clf = SoftmaxRegressionClassifier(solver=name, max_iter=2, tol=None, random_state=seed)
        fits.append(clf.fit(container(X), y).coef_)
    assert_array_equal(fits[1], fits[0])
    assert_array_equal(fits[2], fits[0])
    assert np.any(fits[3] != fits[0])


@pytest.mark.parametrize("n_bytes", [1, 20 * 8, 10_000])
@pytest.mark.parametrize("batch_size", [1, 7, 60, 1000])
def test_how_rows_are_gathered_changes_nothing(batch_size, n_bytes, make_problem, monkeypatch):
    X, labels, weight = make_problem(101, 5, 3)
    whole = make_objective(X, labels, 3, 0.1, weight)
    expected = SGD(batch_size=batch_size).solve(whole, np.zeros(18), stop=StoppingRule(None, 2))
    monkeypatch.setattr(batches, "GATHER_BYTES", n_bytes)
    objective = make_objective(X, labels, 3, 0.1, weight)
    solution = SGD(batch_size=batch_size).solve(objective, np.zeros(18), stop=StoppingRule(None, 2))
    assert_allclose(solution.params, expected.params, rtol=1e-12, atol=1e-15)
    assert_allclose(solution.history[0].value, expected.history[0].value, rtol=1e-12)


def test_a_batch_of_all_rows_is_gradient_descent(make_problem):
    X, labels, weight = make_problem(101, 5, 3)
    objective = make_objective(X, labels, 3, 0.0, weight)
    solution = SGD(learning_rate=0.3, batch_size=10**9).solve(objective, np.zeros(18), stop=StoppingRule(None, 1))
    assert_allclose(solution.params, -0.3 * objective.value_and_gradient(np.zeros(18))[1], rtol=1e-12, atol=1e-15)


def test_rows_without_weight_are_left_out(make_problem):
    X, labels, weight = make_problem(60, 5, 3)
    weight[::3] = 0
    some = weight > 0
    for solver in (SGD(batch_size=8), SAGA()):
        clf = SoftmaxRegressionClassifier(solver=solver, max_iter=4, tol=None, random_state=0)
        assert_allclose(clone(clf).fit(X, labels, weight).coef_, clf.fit(X[some], labels[some], weight[some]).coef_, rtol=1e-12)


def test_schedules():
    epochs = np.arange(0, 20, 0.5)
    for schedule in (each() for each in SCHEDULES.values()):
        factors = schedule.factors(0, epochs, 20)
        assert factors.shape == epochs.shape
        assert factors[0] == 1
        assert np.all(np.diff(factors) <= 0)
        assert np.all(factors >= 0)
    assert_array_equal(Constant().factors(7, epochs, None), 1)
    assert_allclose(InverseScaling(1.0, 10).factors(10, epochs[:1], None), 0.5)
    assert_allclose(Cosine(n_epochs=10, final=0.2).factors(0, np.array([5.0, 15.0]), None), [0.6, 0.2])
    assert_allclose(StepDecay(every=3, factor=0.5).factors(0, np.array([2.9, 3.0, 9.0]), None), [1, 0.5, 0.125])


@pytest.mark.parametrize("schedule", [InverseScaling(power=-1), InverseScaling(delay=0), Cosine(final=2.0), StepDecay(every=0)])
def test_schedules_out_of_range_say_so(schedule, make_problem):
    X, y, _ = make_problem()
    with pytest.raises(ValueError, match=f"{type(schedule).__name__} needs"):
        SoftmaxRegressionClassifier(solver=SGD(schedule=schedule)).fit(X, y)


@pytest.mark.parametrize("params", [{"learning_rate": 0.0}, {"learning_rate": np.inf}, {"batch_size": 0}, {"batch_size": 2.5},
                                    {"momentum": 1.0}, {"init_scale": -1.0}])  # fmt: skip
def test_parameters_out_of_range_say_so(params, make_problem):
    X, y, _ = make_problem()
    clf = SoftmaxRegressionClassifier(solver=SGD(**params))
    with pytest.raises(ValueError, match=f"SGD: {next(iter(params))} must be"):
        clf.fit(X, y)
    assert not hasattr(clf, "coef_")


def test_an_unknown_schedule_names_the_known_ones(make_problem):
    X, y, _ = make_problem()
    with pytest.raises(ValueError, match="schedule must be one of 'constant', 'cosine', 'invscaling', 'step'"):
        SoftmaxRegressionClassifier(solver=SGD(schedule="optimal")).fit(X, y)


def test_fits_end_when_the_loss_no_longer_falls_and_warn_if_it_still_does(make_problem):
    X, y, _ = make_problem(500, 5, 3)
    clf = SoftmaxRegressionClassifier(solver="sgd", random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"the loss of none of the last 5 epochs .* nats a row above .*tol=None"):
        clf.fit(X, y)
    assert not clf.converged_
    values = np.array([iteration.value for iteration in clf.solution_.history])
    assert 5 < len(values) == clf.n_iter_[0] < 1000
    falls = [lowest - value for lowest, value in zip(np.minimum.accumulate(values), values[1:], strict=False)]
    assert max(falls[-5:]) < 1e-4 <= falls[-6]
    with pytest.warns(ConvergenceWarning, match="sgd failed to converge after 3 iterations.*max_iter=3.*tol=None"):
        clf.set_params(max_iter=3).fit(X, y)
    assert not clf.converged_
    clf.set_params(tol=None).fit(X, y)  # as many as asked for, and no warning
    assert clf.n_iter_[0] == 3
    assert not clf.converged_


@pytest.mark.parametrize("scaled", [False, True])
@ALL
def test_a_loss_that_has_stopped_falling_is_no_optimum(name, scaled):
    """Raw columns of wine ended at 10 nats a row, where a constant model has 1.09."""
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X) if scaled else X
    best = SoftmaxRegressionClassifier(solver="newton-cholesky", tol=1e-9).fit(X, y)
    clf = SoftmaxRegressionClassifier(solver=name, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf.fit(X, y)
    gap, off = clf.solution_.value - best.solution_.value, np.abs(clf.predict_proba(X) - best.predict_proba(X)).max()
    assert clf.converged_ == (not caught) == (scaled and name == "saga")
    assert clf.converged_ == (gap <= 1e-4 and off <= 1e-2)
    if caught and name in STOCHASTIC_SOLVERS:
        assert all(advice in str(caught[0].message) for advice in ("StandardScaler", "solver='auto'", "tol=None"))


@pytest.mark.parametrize("n_classes", [2, 4])
@CONTAINERS
def test_a_fit_that_ends_at_the_optimum_has_converged(container, n_classes, make_problem):
    X, y, _ = make_problem(300, 4, n_classes)
    rate = InverseScaling(power=0.6, delay=100)
    sgd = SGD(learning_rate=0.5, batch_size=16, schedule=rate, average=True)
    clf = SoftmaxRegressionClassifier(0.1, solver=sgd, tol=1e-7, n_iter_no_change=30, random_state=0).fit(container(X), y)
    best = SoftmaxRegressionClassifier(0.1, tol=1e-9).fit(X, y)
    assert clf.converged_
    assert "sgd converged after" in clf.solution_.message
    assert clf.solution_.value - best.solution_.value < 1e-4
    assert np.abs(clf.predict_proba(X) - best.predict_proba(X)).max() < 1e-2


@pytest.mark.parametrize("n_classes", [2, 4])
@CONTAINERS
@DTYPES
def test_the_distance_is_that_to_the_optimum(dtype, container, n_classes, make_problem, rng):
    X, labels, weight = make_problem(500, 5, n_classes, dtype=dtype)
    objective = make_objective(container(X), labels, n_classes, 1e-3, weight)
    best = NewtonCholesky().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-7, 50))
    proba = predicted(objective, X, best.params)
    for size in (1e-1, 1e-2, 1e-3):
        params = best.params + size * rng.normal(size=objective.n_params)
        value, gradient = objective.value_and_gradient(params)
        told = distance(objective, params, gradient)
        assert told.solved
        assert_allclose(told.predicted_decrease, value - best.value, rtol=0.1, atol=1e-7)
        off = np.abs(predicted(objective, X, params) - proba).max()
        assert told.near == (told.predicted_decrease <= 5e-5 and told.change_of_proba <= 5e-3)
        if not np.isnan(told.change_of_proba):
            assert_allclose(told.change_of_proba, off, rtol=0.2, atol=1e-4)


def predicted(objective, X, params):
    coef, intercept = objective.unpack(params)
    logits = X @ coef.T + intercept
    return softmax(np.column_stack([np.zeros(len(X)), logits]) if logits.shape[1] == 1 else logits, axis=1)


def test_where_the_classes_are_separated_and_nothing_is_penalised_no_distance_is_told_as_near():
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    with pytest.warns(ConvergenceWarning, match="separable|failed to converge"):
        clf = SoftmaxRegressionClassifier(np.inf, solver=SGD(learning_rate=50.0), max_iter=50).fit(X, [0, 0, 1, 1])
    assert not clf.converged_


@pytest.mark.parametrize("name", STOCHASTIC_SOLVERS)
def test_a_loss_without_second_derivatives_is_never_told_to_have_converged(name, make_problem):
    X, y, _ = make_problem(300, 4, 3)
    clf = SoftmaxRegressionClassifier(solver=name, loss="focal", max_iter=30, random_state=0)
    with pytest.warns(ConvergenceWarning, match="nothing bounds how far"):
        clf.fit(X, y)
    assert not clf.converged_


def test_tol_none_is_for_stochastic_solvers(make_problem):
    X, y, _ = make_problem()
    with pytest.raises(ValueError, match=r"tol=None.*stochastic"):
        SoftmaxRegressionClassifier(tol=None).fit(X, y)


@pytest.mark.parametrize("solver", [Adam(), SGD(momentum=0.9)], ids=repr)
def test_the_start_is_drawn_on_demand(solver, make_problem):
    X, labels, _ = make_problem(50, 400, 3)
    for container in (np.asarray, sparse.csr_array):
        objective = make_objective(container(X), labels, 3)
        assert not solver.start(objective).any()
        start = clone(solver).set_params(init_scale=0.01).start(objective)
        coef, intercept = objective.unpack(start)
        assert abs(coef.std() - 0.01) < 1e-3
        assert not intercept.any()


@pytest.mark.parametrize("C", [1e-8, 1.0, np.inf])
@CONTAINERS
def test_long_steps_stay_finite_or_say_what_to_do(container, C):
    X, y = load_digits(return_X_y=True)
    X = container(1e3 * X)
    for solver in (SGD(learning_rate=100.0), Adam(learning_rate=10.0), SGD(momentum=0.9)):
        clf = SoftmaxRegressionClassifier(C, solver=solver, max_iter=3, tol=None, random_state=0)
        try:
            assert np.all(np.isfinite(clf.fit(X, y).coef_))
        except ValueError as error:
            assert "Lower learning_rate" in str(error)  # noqa: PT017
            assert not hasattr(clf, "coef_")


def test_parameters_of_the_solver_are_searched(make_problem):
    X, y, _ = make_problem(200, 5, 3)
    clf = SoftmaxRegressionClassifier(solver=SGD(), max_iter=5, tol=None, random_state=0)
    grid = {"solver__learning_rate": [1e-6, 0.5], "solver__schedule": ["constant", Cosine()]}
    search = GridSearchCV(clf, grid, cv=2, scoring="neg_log_loss", error_score="raise").fit(X, y)
    assert search.best_params_["solver__learning_rate"] == 0.5


def test_warm_start_goes_on_from_the_coefficients(make_problem):
    X, y, _ = make_problem(200, 5, 3)
    clf = SoftmaxRegressionClassifier(solver=SGD(init_scale=1.0), max_iter=3, tol=None, warm_start=True, random_state=0)
    first = clf.fit(X, y).solution_.history[-1].value
    assert clf.fit(X, y).solution_.history[0].value < first


@CONTAINERS
def test_sagas_rate_is_half_of_one_over_the_greatest_curvature_of_a_rows_loss_and_penalty(container, make_problem):
    X, labels, weight = sparse_problem(make_problem)
    objective = make_objective(container(X), labels, 3, 0.3, weight)
    curvature = 0.5 * len(X) * np.max(weight / weight.sum() * (1 + np.sum(X**2, axis=1))) + 0.3
    solution = SAGA().solve(objective, np.zeros(24), stop=StoppingRule(None, 1))
    assert_allclose(solution.history[0].learning_rate, 1 / (2 * curvature), rtol=1e-12)


class Unbounded(CrossEntropy):
    def lipschitz_constant(self, n_classes):
        return np.inf


def test_saga_says_what_it_needs_of_a_loss_without_a_bound(make_problem):
    X, labels, _ = make_problem()
    objective = make_objective(X, labels, 3)
    objective.loss = replace(objective.loss, loss=Unbounded())
    with pytest.raises(ValueError, match=r"SAGA\(learning_rate"):
        SAGA().solve(objective, np.zeros(18), stop=StoppingRule(1e-3, 5))
    assert SAGA(learning_rate=0.05).solve(objective, np.zeros(18), stop=StoppingRule(1e-3, 500)).converged
    with pytest.raises(ValueError, match="learning_rate must be positive"):
        SAGA(learning_rate=0.0).solve(objective, np.zeros(18), stop=StoppingRule(1e-3, 5))


def test_no_epoch_leaves_the_start(make_problem):
    X, y, _ = make_problem()
    for name in [*STOCHASTIC_SOLVERS, "saga"]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            clf = SoftmaxRegressionClassifier(solver=name, max_iter=0).fit(X, y)
        assert clf.n_iter_[0] == 0
        assert not clf.coef_.any()


@ALL
def test_losses_on_the_sphere_are_not_for_stochastic_solvers(name, make_problem):
    X, y, _ = make_problem()
    with pytest.raises(ValueError, match="unit sphere"):
        SoftmaxRegressionClassifier(solver=name, loss="cosine", fit_intercept=False).fit(X, y)


@pytest.mark.parametrize("loss", ["focal", "hinge", "logit_adjusted", "margin"])
def test_other_losses_fall_too(loss, make_problem):
    X, y, _ = make_problem(400, 5, 3)
    clf = SoftmaxRegressionClassifier(solver=SGD(batch_size=16), loss=loss, max_iter=10, tol=None, random_state=0).fit(X, y)
    best = SoftmaxRegressionClassifier(solver="lbfgs", loss=loss).fit(X, y)
    first, *_, last = (iteration.value for iteration in clf.solution_.history)
    assert last < first
    assert clf.solution_.value - best.solution_.value < 0.05 * first


@pytest.mark.large
@pytest.mark.skipif(not Path("/usr/share/datasets/fashion-mnist").is_dir(), reason="needs the package dataset-fashion-mnist")
def test_the_textbooks_recipe_on_fashion_mnist(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "examples"))
    from _fashion_mnist import load_fashion_mnist
    from plot_minibatch import recipe

    images, labels, test_images, test_labels = load_fashion_mnist()
    clf = recipe().fit((images / 255).astype(np.float32), labels)
    assert clf.n_iter_[0] == 10
    assert clf.score((test_images / 255).astype(np.float32), test_labels) >= 0.83


@pytest.mark.parametrize("name", STOCHASTIC_SOLVERS)
def test_an_early_stopped_fit_knows_its_value_and_gradient(name, make_problem):
    """The history's are losses met on the way, and no gradients."""
    X, y, _ = make_problem(300, 5, 3)
    clf = SoftmaxRegressionClassifier(solver=name, early_stopping=True, n_iter_no_change=3, random_state=0)
    clf.fit(X[:200], y[:200], X_val=X[200:], y_val=(y[200:] + 1) % 3)  # never better than at the start
    assert clf.best_iteration_ < clf.n_iter_[0]
    objective = make_objective(X[:200], y[:200], 3, 1 / 200)
    value, gradient = objective.value_and_gradient(objective.pack(clf.coef_, clf.intercept_))
    assert_allclose((clf.solution_.value, clf.solution_.gradient_norm), (value, np.abs(gradient).max()), rtol=1e-12)
