"""The algorithms that solvers share, each against its plain formula: corrections of L-BFGS, conjugate gradients, the loop."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksoftmax.solvers import Status, StoppingRule
from sksoftmax.solvers._conjugate_gradients import conjugate_gradients
from sksoftmax.solvers._lbfgs_memory import LBFGSMemory
from sksoftmax.solvers._line_search import cubic_minimum
from sksoftmax.solvers._quasi_newton import CONVERGED, Method, Step, Verdict, descend
from sksoftmax.solvers._solution import History


def positive_definite(rng, n_params):
    root = rng.normal(size=(n_params, n_params))
    return root @ root.T + np.eye(n_params)


@pytest.mark.parametrize("n_corrections", [0, 1, 3, 4, 11])
@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_the_compact_form_is_that_of_the_updates_one_by_one(rng, n_corrections, scale):
    """Of the last four corrections, from a preconditioner that is scaled down where it overestimates the last one."""
    hessian, inverse = positive_definite(rng, 6), positive_definite(rng, 6) / scale
    memory, corrections = LBFGSMemory(4, 6), []
    for _ in range(n_corrections):
        step = rng.normal(size=6)
        change = hessian @ step
        memory.add(step, change, inverse @ change)
        corrections.append((step, change))
    inverse = positive_definite(rng, 6) / scale
    memory.precondition(lambda vector: inverse @ vector)
    expected = inverse
    if corrections:
        step, change = corrections[-1]
        expected = min(1.0, (step @ change) / (change @ inverse @ change)) * inverse
    for step, change in corrections[-4:]:
        project = np.eye(6) - np.outer(step, change) / (step @ change)
        expected = project @ expected @ project.T + np.outer(step, step) / (step @ change)
    gradient = rng.normal(size=6)
    assert_allclose(memory.inverse_hessian_product(gradient, inverse @ gradient), expected @ gradient, rtol=1e-10)


def test_conjugate_gradients_solve_in_as_many_iterations_as_unknowns_and_lower_the_model_in_each(rng):
    matrix, right = positive_definite(rng, 7), rng.normal(size=7)
    scale, value = matrix.diagonal().copy(), 0.0
    iterates = conjugate_gradients(lambda vector: matrix @ vector, right.copy(), scale)
    for iterate in itertools.islice(iterates, 7):
        model = 0.5 * iterate.solution @ matrix @ iterate.solution - right @ iterate.solution
        assert_allclose(value - model, iterate.decrease, rtol=1e-6)
        residual = right - matrix @ iterate.solution
        assert_allclose(iterate.residual_norm, residual @ (residual / scale), rtol=1e-5, atol=1e-20)
        assert iterate.decrease > 0
        value = model
    assert_allclose(iterate.solution, np.linalg.solve(matrix, right), rtol=1e-8)


@pytest.mark.parametrize("flat", [0.0, -1.0, np.nan])
def test_conjugate_gradients_end_where_there_is_no_curvature(flat):
    assert list(conjugate_gradients(lambda vector: flat * vector, np.ones(3), np.ones(3))) == []


@pytest.mark.parametrize("coefficients", [(1.0, -2.0, 0.5), (0.1, 0.3, -1.0), (-0.2, 2.0, -0.7)])
def test_the_minimum_of_a_cubic_is_found_from_its_ends(coefficients):
    cubic = np.polynomial.Polynomial([3.0, coefficients[2], coefficients[1], coefficients[0]])
    slope, end = cubic.deriv(), 4.0
    least = max(slope.roots().real, key=lambda root: slope.deriv()(root))
    assert_allclose(cubic_minimum(end, cubic(end) - cubic(0.0), slope(0.0), slope(end)), least)
    assert cubic_minimum(end, np.inf, -1.0, 1.0) == 0.0


class Bowl:
    """½ |x|²"""

    n_params, convex, smooth = 2, True, True

    def lacks(self, contract):
        return None

    def value_and_gradient(self, params):
        return 0.5 * float(params @ params), params.copy()

    def gradient_norm(self, gradient):
        return float(np.abs(gradient).max())

    def value_noise(self, value):
        return 0.0

    def project_out_shift(self, vector):
        pass


class HalfWay(Method):
    """Steps half of the way, from which as much is left as was predicted."""

    label = "half-way"

    def __init__(self, objective, tol):
        super().__init__(objective, tol)
        self.updates, self.noises = [], []

    def step(self, point):
        return Step(-point.gradient, -float(point.gradient @ point.gradient), 0.5 * point.value, max_length=0.5)

    def before_step(self, point, step, *, has_budget):
        return CONVERGED if step.predicted_decrease <= self._tol else None

    def after_step(self, point, step, noise):
        self.noises.append(noise)

    def without_lower_point(self, point, step):
        return Verdict(Status.LINE_SEARCH_FAILED, " (stuck)")

    def remark(self, point, step):
        return f" ({step.predicted_decrease:g} left)"

    def update(self, previous, accepted):
        self.updates.append((previous.params, accepted.params))


@pytest.mark.parametrize("max_iter", [0, 3, 50])
def test_the_loop_takes_the_steps_that_a_method_proposes_until_it_believes(max_iter):
    history, start = History(None, Bowl()), np.array([4.0, -2.0])
    method = HalfWay(Bowl(), 1e-6)
    solution = descend(method, Bowl(), start, stop=StoppingRule(1e-6, max_iter), history=history)
    n_iter = min(max_iter, 12)  # 5 · 4⁻ⁿ ≤ 1e-6
    assert solution.n_iter == len(solution.history) == len(method.updates) == len(method.noises) == n_iter
    assert_allclose(solution.params, start / 2**n_iter)
    assert [tuple(before) for before, _ in method.updates] == [tuple(start / 2**i) for i in range(n_iter)]
    if max_iter == 50:
        assert (solution.status, solution.message) == (Status.CONVERGED, "half-way converged after 12 iterations")
    else:
        left = " (0.3125 left)" if max_iter else ""
        assert solution.message == f"half-way failed to converge after {max_iter} iterations{left}"
        assert solution.status is Status.MAX_ITER


def test_the_loop_asks_nothing_of_a_start_without_a_gradient():
    solution = descend(HalfWay(Bowl(), 0.0), Bowl(), np.zeros(2), stop=StoppingRule(0.0, 5), history=History(None, Bowl()))
    assert solution.converged
    assert solution.n_iter == 0


def test_the_loop_ends_where_a_method_says_what_its_line_search_failing_means():
    class Wall(Bowl):
        convex, n_evaluations = False, 0

        def value_and_gradient(self, params):
            self.n_evaluations += 1
            value, gradient = super().value_and_gradient(params)
            return value + 100.0 * (self.n_evaluations > 1), gradient

    history = History(None, Wall())
    solution = descend(HalfWay(Wall(), 0.0), Wall(), np.array([4.0, 0.0]), stop=StoppingRule(0.0, 5), history=history)
    assert solution.message == "half-way failed to converge after 0 iterations (stuck)"
    assert solution.status is Status.LINE_SEARCH_FAILED
