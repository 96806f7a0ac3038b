"""Contract of every row of BATCH_SOLVERS: the optimum, the history, callbacks, the limits of tol and max_iter."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.data.dataset import in_memory
from sksoftmax.losses import CrossEntropy, Targets
from sksoftmax.objectives.linear import LinearObjective
from sksoftmax.penalties import L2
from sksoftmax.solvers import BATCH_SOLVERS, LBFGS, SOLVERS, BlockLBFGS, NewtonCholesky, StoppingRule, choose_solver
from sksoftmax.solvers._base import without_shift
from sksoftmax.solvers._line_search import line_search, observed_noise
from sksoftmax.solvers.newton_cholesky import newton_direction

ALL = pytest.mark.parametrize("name", list(BATCH_SOLVERS))


def make_objective(X, labels, n_classes, alpha, fit_intercept=True):
    targets = Targets(n_classes, np.full(len(labels), 1 / len(labels)), labels=labels.astype(np.int32))
    return LinearObjective(in_memory(X, targets), CrossEntropy().bind(targets), L2(), alpha, fit_intercept=fit_intercept)


def plain(make_problem):
    X, labels, _ = make_problem(80, 5, 3)
    return make_objective(X, labels, 3, 1e-2)


def two_classes(make_problem):
    X, labels, _ = make_problem(80, 5, 2)
    return make_objective(X, labels, 2, 1e-2)


def many_classes(make_problem):
    X, labels, _ = make_problem(400, 4, 20)
    return make_objective(X, labels, 20, 1e-3)


def wide(make_problem):
    X, labels, _ = make_problem(15, 40, 3)
    return make_objective(X, labels, 3, 1e-2)


def without_intercept(make_problem):
    X, labels, _ = make_problem(80, 5, 4)
    return make_objective(X, labels, 4, 1e-2, fit_intercept=False)


def unpenalised(make_problem):
    X, labels, _ = make_problem(200, 3, 3, noise=3.0)
    return make_objective(X, labels, 3, 0.0)


def constant_and_duplicated_columns(make_problem):
    X, labels, _ = make_problem(80, 5, 3)
    return make_objective(np.column_stack([X, X[:, 0], np.ones(80), np.zeros(80)]), labels, 3, 1e-2)


def sparse_rows(make_problem):
    X, labels, _ = make_problem(80, 6, 3)
    X[np.abs(X) < 1] = 0
    X[5] = 0
    X[:, 2] = 0
    return make_objective(sparse.csr_array(X), labels, 3, 1e-2)


PROBLEMS = [
    plain,
    two_classes,
    many_classes,
    wide,
    without_intercept,
    unpenalised,
    constant_and_duplicated_columns,
    sparse_rows,
]


@pytest.mark.parametrize("problem", PROBLEMS)
@ALL
def test_every_solver_reaches_the_optimum(name, problem, make_problem):
    objective = problem(make_problem)
    start = np.zeros(objective.n_params)
    best = SOLVERS["newton-cg"]().solve(objective, start, stop=StoppingRule(1e-12, 500))
    solution = SOLVERS[name]().solve(objective, start, stop=StoppingRule(1e-8, 1000))
    assert solution.converged, solution.message
    assert solution.gradient_norm <= 1e-8
    np.testing.assert_allclose(solution.value, best.value, rtol=1e-12)
    value, gradient = objective.value_and_gradient(solution.params)
    assert solution.value == value
    assert solution.gradient_norm == np.abs(gradient).max()
    assert not start.any()


@pytest.mark.parametrize("scale", [1e-4, 1e6])
def test_newton_does_not_feel_the_scale_of_the_columns(make_problem, scale):
    X, labels, _ = make_problem(200, 4, 3, noise=3.0)
    X[:, 1] *= scale
    solution = NewtonCholesky().solve(make_objective(X, labels, 3, 0.0), np.zeros(15), stop=StoppingRule(1e-8, 15))
    assert solution.converged, solution.message


@ALL
def test_history_has_every_iteration(name, make_problem):
    objective = plain(make_problem)
    solution = SOLVERS[name]().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-6, 1000))
    values = [iteration.value for iteration in solution.history]
    assert len(values) == solution.n_iter > 1
    assert values == sorted(values, reverse=True)
    assert values[-1] == solution.value
    assert solution.history[-1].gradient_norm == solution.gradient_norm
    seconds = [iteration.seconds for iteration in solution.history]
    assert seconds == sorted(seconds)


@ALL
def test_a_callback_sees_and_stops(name, make_problem):
    objective = plain(make_problem)
    seen = []

    def stop_at_two(params, iteration):
        seen.append((params.copy(), iteration))
        return len(seen) == 2

    solution = SOLVERS[name]().solve(
        objective, np.zeros(objective.n_params), stop=StoppingRule(1e-9, 100), observer=stop_at_two
    )
    assert solution.n_iter == len(seen) == 2
    assert not solution.converged
    assert "stopped by a callback after 2 iterations" in solution.message
    np.testing.assert_array_equal(solution.params, seen[-1][0])
    np.testing.assert_allclose(objective.value_and_gradient(seen[0][0])[0], seen[0][1].value)


@ALL
def test_max_iter_is_the_limit_and_said(name, make_problem):
    objective = plain(make_problem)
    solution = SOLVERS[name]().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-12, 2))
    assert solution.n_iter == 2
    assert not solution.converged
    assert "2 iterations" in solution.message


@pytest.mark.parametrize("name", ["block-lbfgs", "newton-cholesky"])
def test_what_is_left_is_said_where_the_gradient_is_small_already(name, make_problem):
    objective = plain(make_problem)
    solution = SOLVERS[name]().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(0.2, 1))
    assert solution.gradient_norm <= 0.2
    assert not solution.converged
    assert "was predicted to lower the objective by" in solution.message


@ALL
def test_a_start_at_the_optimum_stays(name, make_problem):
    objective = plain(make_problem)
    first = SOLVERS["newton-cholesky"]().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-12, 100))
    again = SOLVERS[name]().solve(objective, first.params, stop=StoppingRule(1e-6, 100))
    assert again.converged
    assert again.n_iter <= 1
    np.testing.assert_allclose(again.params, first.params, atol=1e-8)


@pytest.mark.parametrize("name", ["lbfgs", "newton-cg", "newton-cholesky"])
def test_no_iteration_is_needed_to_know_the_optimum(name, make_problem):
    objective = plain(make_problem)
    best = SOLVERS["newton-cholesky"]().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-12, 100))
    solution = SOLVERS[name]().solve(objective, best.params, stop=StoppingRule(1e-6, 0))
    assert solution.converged, solution.message
    assert solution.n_iter == 0
    np.testing.assert_allclose(solution.params, best.params, atol=1e-8)


@pytest.mark.parametrize("name", ["newton-cg", "newton-cholesky"])
def test_a_small_gradient_alone_is_not_the_optimum(name, make_problem):
    """Of columns so small that their gradient is within the tolerance wherever it is taken."""
    X, labels, _ = make_problem(80, 5, 3)
    objective = make_objective(1e-6 * X, labels, 3, 1e-16, fit_intercept=False)
    solution = SOLVERS[name]().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-4, 0))
    assert solution.gradient_norm <= 1e-4
    assert not solution.converged
    assert "was predicted to lower the objective by" in solution.message
    assert "inf" not in solution.message
    later = SOLVERS[name]().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-4, 50))
    assert later.value < solution.value - 0.1


@ALL
def test_tolerance_below_rounding_ends(name, make_problem):
    objective = plain(make_problem)
    solution = SOLVERS[name]().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(0.0, 500))
    assert solution.n_iter < 500
    assert solution.gradient_norm < 1e-7


@ALL
def test_float32_rows_converge(name, make_problem):
    X, labels, _ = make_problem(200, 5, 3, dtype=np.float32)
    objective = make_objective(X, labels, 3, 1e-2)
    exact = make_objective(X.astype(np.float64), labels, 3, 1e-2)
    solution = SOLVERS[name]().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-5, 500))
    best = SOLVERS["newton-cholesky"]().solve(exact, np.zeros(objective.n_params), stop=StoppingRule(1e-10, 500))
    assert solution.converged, solution.message
    np.testing.assert_allclose(exact.value_and_gradient(solution.params)[0], best.value, rtol=1e-7)


def test_newton_hands_a_singular_hessian_over(make_problem):
    X, labels, _ = make_problem(10, 20, 2)
    objective = make_objective(X, labels, 2, 1e-30)
    solution = NewtonCholesky().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-4, 200))
    lbfgs = LBFGS().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-4, 200))
    assert solution.converged
    assert "singular Hessian" in solution.message
    assert solution.n_iter == len(solution.history) == lbfgs.n_iter


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("alpha", [0.0, 1e-2])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("kind", ["labels", "soft targets and class weights"])
def test_the_newton_direction_is_that_of_the_hessian_without_curvature_along_shifts(
    make_problem, rng, kind, container, alpha, n_classes, fit_intercept
):
    X, labels, weight = make_problem(60, 5, n_classes, noise=3.0)
    proba, class_weight = rng.dirichlet(np.ones(n_classes), size=60), rng.uniform(0.5, 2, size=n_classes)
    mass = weight * (proba @ class_weight if kind != "labels" else 1)
    targets = {"labels": labels.astype(np.int32)} if kind == "labels" else {"proba": proba, "class_weight": class_weight}
    targets = Targets(n_classes, mass / mass.sum(), **targets)
    bound = CrossEntropy().bind(targets)
    objective = LinearObjective(in_memory(container(X), targets), bound, L2(), alpha, fit_intercept=fit_intercept)
    params = without_shift(objective, rng.normal(size=objective.n_params))
    _, gradient = objective.value_and_gradient(params)
    expected = -np.linalg.lstsq(objective.hessian(params), gradient, rcond=1e-12)[0]
    np.testing.assert_allclose(newton_direction(objective, params, gradient), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("n_bytes", [0, 16 * 18**2 - 1, 16 * 18**2])
def test_newton_hands_over_what_would_take_more_memory_than_allowed(n_bytes, make_problem):
    objective = plain(make_problem)
    start = np.zeros(objective.n_params)
    solution = NewtonCholesky(max_bytes=n_bytes).solve(objective, start, stop=StoppingRule(1e-6, 100))
    assert solution.converged
    assert ("fell back: lbfgs converged" in solution.message) is (n_bytes < 16 * 18**2)
    if n_bytes < 16 * 18**2:
        lbfgs = LBFGS().solve(objective, start, stop=StoppingRule(1e-6, 100))
        assert solution.n_iter == len(solution.history) == lbfgs.n_iter
        np.testing.assert_array_equal(solution.params, lbfgs.params)


def test_a_line_search_takes_a_step_whose_decrease_rounding_hides():
    """The slope at its end tells: the objective is convex."""

    class Rounded:
        convex = True

        def value_noise(self, value):
            return 0.0

        def value_and_gradient(self, params):
            return 1.0 + 1e-9 * (params[0] < 1), params.copy() - 0.5  # of (x - 0.5)² / 2 and an error that grows towards it

    start, slope = np.array([1.0]), -0.25
    found = line_search(Rounded(), start, 1.0, np.array([-0.5]) * 0.9, slope * 0.9)
    np.testing.assert_allclose(found[0], 0.55)  # the first step tried


def test_rounding_is_seen_where_a_convex_function_could_not_rise_so():
    objective, step = SimpleNamespace(convex=True), np.array([-0.5])
    assert observed_noise(objective, 1.0, 0.9, np.array([0.0]), step) == 0
    assert observed_noise(objective, 1.0, 1.2, np.array([-1.0]), step) == 0  # rises by less than the slope at the end
    np.testing.assert_allclose(observed_noise(objective, 1.0, 1.1, np.array([0.0]), step), 0.1)
    assert observed_noise(SimpleNamespace(convex=False), 1.0, 1.1, np.array([0.0]), step) == 0


@ALL
def test_solver_objects_are_values(name):
    solver = SOLVERS[name]()
    assert clone(solver) == solver
    with pytest.raises(ValueError, match="Invalid parameter 'nonsense'"):
        solver.set_params(nonsense=1)


@pytest.mark.parametrize(
    ("n_rows", "n_features", "n_logits", "expected"),
    [
        (150, 4, 3, NewtonCholesky),
        (5_000, 30, 1, NewtonCholesky),
        (1797, 64, 10, BlockLBFGS),
        (20_000, 16, 26, BlockLBFGS),
        (60_000, 784, 10, BlockLBFGS),
        (20_000, 512, 1000, BlockLBFGS),
        (100, 100, 3, BlockLBFGS),
        (1000, 100_000, 1, BlockLBFGS),
    ],
)
def test_auto_takes_what_should_cost_least(n_rows, n_features, n_logits, expected):
    assert type(choose_solver(n_rows * n_features, n_rows, n_features, n_logits)) is expected


@ALL
def test_a_start_off_centre_reaches_the_same_optimum(name, make_problem, rng):
    """Adding one vector to every class changes no probability: the penalty alone pulls it back."""
    objective = plain(make_problem)
    start = objective.pack(np.tile(rng.normal(size=5), (3, 1)), np.full(3, 0.7))
    solution = SOLVERS[name]().solve(objective, start, stop=StoppingRule(1e-8, 1000))
    best = SOLVERS["newton-cholesky"]().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-12, 100))
    assert solution.converged, solution.message
    np.testing.assert_allclose(objective.unpack(solution.params)[0], objective.unpack(best.params)[0], atol=1e-6)


@ALL
@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")  # as NumPy says of such columns
@pytest.mark.parametrize("scale", [1e-160, 1e160])
def test_columns_whose_squares_overflow_end_in_finite_coefficients(name, make_problem, scale):
    X, labels, _ = make_problem(40, 3, 3)
    objective = make_objective(X * scale, labels, 3, 1e-2)
    solution = SOLVERS[name]().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-4, 50))
    assert np.all(np.isfinite(solution.params))
    assert objective.value_and_gradient(solution.params)[0] <= np.log(3) + 1e-12


def test_block_lbfgs_needs_few_passes_on_raw_tables():
    """Counts, with room: a change that loses the preconditioner takes hundreds."""
    for load, at_most in ((load_wine, 30), (load_breast_cancer, 30), (load_digits, 75)):
        X, y = load(return_X_y=True)
        objective = make_objective(X, y, len(np.unique(y)), 1 / len(y))
        solution = BlockLBFGS().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-4, 1000))
        assert solution.converged
        assert solution.n_iter <= at_most


@pytest.mark.parametrize("max_bytes", [0, 2**28])
def test_one_block_for_all_classes_reaches_the_optimum_too(make_problem, max_bytes):
    objective = many_classes(make_problem)
    solution = BlockLBFGS(max_bytes=max_bytes).solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-8, 300))
    best = NewtonCholesky().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-12, 100))
    assert solution.converged
    np.testing.assert_allclose(solution.value, best.value, rtol=1e-12)


@pytest.mark.parametrize("C", [1.0, 100.0])
def test_spectra_serve_pixels_that_are_nearly_always_zero(C):
    """Where the penalty outweighs the data along a column, the eigenvectors have to know of it."""
    X, y = load_digits(return_X_y=True)
    X[3, 0] = 1e-3  # else always zero
    width = X.shape[1] + 1
    solver = BlockLBFGS(max_bytes=2 * 8 * width**2)  # two matrices: no blocks of all classes
    clf = SoftmaxRegressionClassifier(C=C, solver=solver, max_iter=120).fit(X / 16, y)
    best = SoftmaxRegressionClassifier(C=C, solver="newton-cholesky", tol=1e-8).fit(X / 16, y)
    assert clf.solution_.value <= best.solution_.value + 2e-7


@pytest.mark.parametrize("solver", ["newton-cholesky", "sgd"])
def test_a_solution_of_any_size_is_shown_in_three_lines(solver):
    rng = np.random.RandomState(0)
    clf = SoftmaxRegressionClassifier(solver=solver, max_iter=40, tol=None if solver == "sgd" else 1e-4)
    shown = repr(clf.fit(rng.normal(size=(200, 90)), rng.randint(30, size=200)).solution_)
    assert shown.startswith(f"Solution(converged={clf.converged_}, n_iter={clf.n_iter_[0]}, ")
    assert f"message={clf.solution_.message!r}" in shown
    assert "params=<2730 numbers>" in shown
    assert len(shown.splitlines()) == 3
    assert len(shown) < 300


def test_the_seconds_of_a_history_go_on_after_a_fallback(monkeypatch, make_problem):
    """By a clock that ticks once a look."""
    ticks = itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: float(next(ticks)))
    monkeypatch.setattr("sksoftmax.solvers.newton_cholesky.newton_direction", fails_after(2, newton_direction))
    reported = []
    objective = plain(make_problem)

    def callback(params, iteration):
        reported.append(iteration.seconds)
        return False

    start = np.zeros(objective.n_params)
    solution = NewtonCholesky().solve(objective, start, stop=StoppingRule(1e-8, 100), observer=callback)
    assert "fell back" in solution.message
    seconds = [iteration.seconds for iteration in solution.history]
    assert len(seconds) > 3
    assert seconds == reported == sorted(set(seconds))


def fails_after(n_calls, function):
    """Return the function, which returns None from that call on."""
    calls = itertools.count()
    return lambda *args: function(*args) if next(calls) < n_calls else None
