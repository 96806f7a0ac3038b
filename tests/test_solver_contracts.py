"""The contracts between objectives and solvers: what is refused and how, what a solver and an objective of one's own need, and
every status that a solve may end in."""

import re
import warnings
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.data.dataset import in_memory
from sksoftmax.losses import CosineSoftmax, CrossEntropy, FocalLoss, HingeLoss, Targets
from sksoftmax.objectives import _contracts
from sksoftmax.objectives._contracts import FiniteSum, HasDual, HasHessian, HasPreconditioner, HasProx
from sksoftmax.objectives.linear import LinearObjective
from sksoftmax.penalties import L2, PriorL2
from sksoftmax.solvers import (
    BATCH_SOLVERS,
    LBFGS,
    SGD,
    SOLVERS,
    STOCHASTIC_SOLVERS,
    BlockLBFGS,
    NewtonCG,
    Solver,
    Status,
    StoppingRule,
    solver_class,
)
from sksoftmax.solvers._requirements import contracts_of, meets

CONTRACTS = [value for value in vars(_contracts).values() if getattr(value, "_is_protocol", False) and value is not Protocol]
SCALES = np.array([1e-3, 1.0, 50.0])


class Quadratic:
    """½ Σ scale · (x - 1)², with all that batch solvers may ask for."""

    n_params, convex, smooth, strictly_convex = len(SCALES), True, True, True

    def lacks(self, contract):
        return None

    def value_and_gradient(self, params):
        return 0.5 * float(SCALES @ (params - 1) ** 2), SCALES * (params - 1)

    def gradient_norm(self, gradient):
        return float(np.abs(gradient).max())

    def value_noise(self, value):
        return 8 * np.finfo(float).eps * abs(value)

    def project_out_shift(self, vector):
        pass

    def hessian_product(self, params, direction):
        return SCALES * direction

    def hessian_diagonal(self, params):
        return SCALES.copy()

    def hessian(self, params):
        return np.diag(SCALES)

    def regularise_null_space(self, hessian):
        pass

    def preconditioner(self, params, *, max_bytes, n_made=0):
        return Inverse()

    def longest_step(self, params, direction):
        return 1.0


class Inverse:
    is_costly = False

    def __call__(self, vector):
        return vector / SCALES


class Bare:
    """Has what every objective has, and nothing more."""

    n_params, convex, smooth = len(SCALES), True, True
    lacks, value_and_gradient, gradient_norm = Quadratic.lacks, Quadratic.value_and_gradient, Quadratic.gradient_norm
    value_noise, project_out_shift = Quadratic.value_noise, Quadratic.project_out_shift


class Unevaluated(Bare):
    def value_and_gradient(self, params):
        raise AssertionError("evaluated")


def solve(solver, objective, tol=1e-6, max_iter=100, **options):
    return solver.solve(objective, np.zeros(objective.n_params), stop=StoppingRule(tol, max_iter), **options)


# -- what an objective lacks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in SOLVERS if name != "lbfgs"])
def test_every_solver_refuses_what_it_cannot_do_without_before_it_evaluates_anything(name):
    with pytest.raises(ValueError, match=r"^Unevaluated has no [A-Za-z ]+; use solver='lbfgs'\.$"):
        solve(SOLVERS[name](), Unevaluated())


@pytest.mark.parametrize("name", list(SOLVERS))
def test_what_is_no_objective_is_refused(name):
    with pytest.raises(ValueError, match=r"^Solver has no n_params, .*value_and_gradient, [a-z_, ]+\.$"):
        SOLVERS[name]().check(type("Solver", (), {})())


@pytest.mark.parametrize("name", list(SOLVERS))
def test_an_objective_says_why_it_lacks_what_it_has_the_methods_of(name):
    class Declines(Quadratic):
        n_rows = n_logits = n_coef = 1
        l2_strength = lipschitz_constant = 1.0
        penalty_value = random_start = shuffled_rows = sgd_epoch = saga_epoch = change_of_proba = Quadratic.lacks

        def lacks(self, contract):
            return f"This data set has no {contract.__name__}" if contract in SOLVERS[name].requires else None

    what = SOLVERS[name].requires[-1].__name__
    advice = {"block-lbfgs": "; use solver='lbfgs'", "lbfgs": ""}.get(name, "; use solver='block-lbfgs'")
    with pytest.raises(ValueError, match=re.escape(f"This data set has no {what}{advice}.")):
        solve(SOLVERS[name](), Declines())


def make_objective(loss, penalty, make_problem):
    X, labels, weight = make_problem(60, 4, 3)
    targets = Targets(3, weight / weight.sum(), labels=labels.astype(np.int32))
    return LinearObjective(in_memory(X, targets), loss.bind(targets), penalty, 0.1, fit_intercept=True)


@pytest.mark.parametrize(
    ("loss", "penalty", "lacking", "said"),
    [
        (CrossEntropy(), L2(), set(), ""),
        (FocalLoss(), L2(), {HasHessian}, "FocalLoss(gamma=2.0) has no Hessian"),
        (HingeLoss(smoothing=0.0), L2(), {HasHessian}, "HingeLoss(margin=1.0, smoothing=0.0) has no Hessian"),
        (CrossEntropy(), PriorL2(np.zeros(12), np.ones(12)), {FiniteSum}, "PriorL2 does not shrink all coefficients alike"),
    ],
    ids=str,
)
def test_a_linear_objective_meets_what_its_loss_and_penalty_have(loss, penalty, lacking, said, make_problem):
    objective = make_objective(loss, penalty, make_problem)
    for contract in CONTRACTS:
        if contract.__name__ != "Preconditioner":
            assert meets(objective, contract) is not any(part in lacking for part in contracts_of(contract)), contract
            assert contract not in lacking or objective.lacks(contract).startswith(said)


@pytest.mark.parametrize("solver", ["sgd", "saga", SGD(momentum=0.9)], ids=str)
def test_refusals_come_before_callbacks_and_leave_no_attributes(solver, make_problem):
    X, y, _ = make_problem()
    clf = SoftmaxRegressionClassifier(solver=solver, loss=CosineSoftmax(), verbose=1)
    with pytest.raises(ValueError, match=r"does not keep weights on the unit sphere, as CosineSoftmax\(.*block-lbfgs"):
        clf.fit(X, y)
    assert not [name for name in vars(clf) if name.endswith("_")]


@pytest.mark.parametrize("name", ["auto", *BATCH_SOLVERS])
def test_solvers_that_need_a_tolerance_say_so(name, make_problem):
    X, y, _ = make_problem()
    with pytest.raises(ValueError, match=f"tol=None, no tolerance, needs a stochastic solver or SAGA; got solver='{name}'"):
        SoftmaxRegressionClassifier(solver=name, tol=None).fit(X, y)
    if name != "auto":
        with pytest.raises(ValueError, match=re.escape(f"got solver={SOLVERS[name]()!r}.")):
            solve(SOLVERS[name](), Unevaluated(), tol=None)


@pytest.mark.parametrize("name", list(SOLVERS))
def test_what_a_class_declares_is_so(name):
    solver = SOLVERS[name]
    assert set(solver.requires) <= set(CONTRACTS)
    assert solver.has_partial_fit is (name in STOCHASTIC_SOLVERS)
    assert solver.takes_no_tol is (name not in BATCH_SOLVERS)
    assert solver_class(name) is solver_class(solver()) is solver


@pytest.mark.parametrize("given", ["auto", "nonsense", None, 3])
def test_the_class_of_what_names_no_solver_declares_nothing(given):
    assert solver_class(given) is Solver
    assert not solver_class(given).has_partial_fit


# -- one's own ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(BATCH_SOLVERS))
def test_every_batch_solver_minimises_an_objective_of_ones_own(name):
    objective = Quadratic()
    assert all(meets(objective, contract) for contract in (HasHessian, HasPreconditioner))
    assert not any(meets(objective, contract) for contract in (FiniteSum, HasDual, HasProx))
    solution = solve(SOLVERS[name](), objective, tol=1e-9)
    assert solution.converged, solution.message
    np.testing.assert_allclose(solution.params, 1, atol=1e-5)


def test_lbfgs_needs_an_objective_and_no_more():
    solution = solve(LBFGS(), Bare(), tol=1e-9)
    assert solution.converged, solution.message
    np.testing.assert_allclose(solution.params, 1, atol=1e-5)
    assert not solve(LBFGS(), Bare(), tol=1e-9, max_iter=2).converged


@dataclass
class GradientDescent(Solver):
    """Steps of a constant length, as long as the gradient is not within the tolerance."""

    learning_rate: float = 0.5

    def minimise(self, objective, start, *, stop, history):
        params, status = start, Status.MAX_ITER
        value, gradient = objective.value_and_gradient(params)
        for _ in range(stop.max_iter):
            params = params - self.learning_rate * gradient
            value, gradient = objective.value_and_gradient(params)
            if history.record(params, value, gradient):
                break
            if objective.gradient_norm(gradient) <= stop.tol:
                status = Status.CONVERGED
                break
        return history.solution(params, value, gradient, status=status, message=f"gradient descent: {status}")


def test_a_solver_of_ones_own_needs_the_contract_only(make_problem):
    X, y, _ = make_problem(noise=3.0)
    clf = SoftmaxRegressionClassifier(C=0.1, solver=GradientDescent(), max_iter=5000, tol=1e-6).fit(X, y)
    assert clf.converged_
    expected = SoftmaxRegressionClassifier(C=0.1, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(clf.coef_, expected.coef_, atol=1e-3)
    with pytest.warns(ConvergenceWarning, match=r"gradient descent: max_iter: the gradient norm is .* or use solver='auto'"):
        short = SoftmaxRegressionClassifier(C=0.1, solver=GradientDescent(), max_iter=3).fit(X, y)
    assert short.solution_.status is Status.MAX_ITER


# -- every end ---------------------------------------------------------------------------------------------------------


def fitted(**params):
    def end(make_problem):
        X, y, _ = make_problem(200, 5, 3, noise=3.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return SoftmaxRegressionClassifier(random_state=0, **params).fit(X, y).solution_

    return end


def line_search_failed(make_problem):
    class Rough(Quadratic):
        convex = False

        def value_and_gradient(self, params):
            value, gradient = super().value_and_gradient(params)
            return value + 100 * params.any(), gradient

    return solve(BlockLBFGS(), Rough())


def newton_step_unsolved(make_problem):
    class Noisy(Bare):
        strictly_convex = True
        hessian_product, hessian = Quadratic.hessian_product, Quadratic.hessian
        regularise_null_space = Quadratic.regularise_null_space

        def hessian_diagonal(self, params):
            return np.ones(self.n_params)

        def value_noise(self, value):
            return 1e3

    return solve(NewtonCG(max_inner=1), Noisy())


def kink(make_problem):
    class Kinked(Quadratic):
        smooth = False

    return solve(BlockLBFGS(), Kinked())


def separable(make_problem):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return SoftmaxRegressionClassifier(C=np.inf).fit([[-1.0], [1.0]], [0, 1]).solution_


def interrupted(make_problem):
    class Interrupts(LBFGS):
        def minimise(self, objective, start, *, stop, history):
            super().minimise(objective, start, stop=replace(stop, max_iter=2), history=history)
            raise KeyboardInterrupt

    X, y, _ = make_problem(noise=3.0)
    clf = SoftmaxRegressionClassifier(solver=Interrupts())
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y)
    return clf.solution_


ENDS = {
    Status.CONVERGED: fitted(),
    Status.MAX_ITER: fitted(max_iter=1),
    Status.LINE_SEARCH_FAILED: line_search_failed,
    Status.NEWTON_STEP_UNSOLVED: newton_step_unsolved,
    Status.KINK: kink,
    Status.SEPARABLE: separable,
    Status.NO_IMPROVEMENT: fitted(solver=SGD(learning_rate=2.0), tol=0.1),
    Status.EPOCHS_MADE: fitted(solver="sgd", tol=None, max_iter=2),
    Status.STOPPED_BY_OBSERVER: lambda _: solve(LBFGS(), Bare(), observer=lambda params, iteration: True),
    Status.EARLY_STOPPED: fitted(solver="lbfgs", C=1e6, early_stopping=True, n_iter_no_change=1, tol=0.1),
    Status.INTERRUPTED: interrupted,
}


@pytest.mark.parametrize("status", list(Status))
def test_every_end_has_its_status(status, make_problem):
    solution = ENDS[status](make_problem)
    assert solution.status is status, solution.message
    assert solution.status == status.name.lower()
    assert solution.converged is (status is Status.CONVERGED)
    assert f"status={status.value!r}" in repr(solution)
    assert len(repr(solution).splitlines()) == 3


@pytest.mark.parametrize("status", list(Status))
def test_a_fit_warns_of_ends_that_were_not_intended(status, make_problem):
    class Ends(LBFGS):
        def minimise(self, objective, start, *, stop, history):
            solution = super().minimise(objective, start, stop=stop, history=history)
            return replace(solution, status=status, message="ended")

    X, y, _ = make_problem(noise=3.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SoftmaxRegressionClassifier(solver=Ends()).fit(X, y)
    failures = {"max_iter", "line_search_failed", "newton_step_unsolved", "kink", "separable", "no_improvement"}
    said = "The classes are perfectly separable" if status is Status.SEPARABLE else "ended: the gradient norm is"
    assert [str(each.message)[: len(said)] for each in caught] == ([said] if status in failures else [])
    assert status.as_intended is (status not in failures)
