"""What others may add without touching the package: data elsewhere, a loss, a penalty and its solver, another model."""

import multiprocessing
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import check_grad
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.data.dataset import in_memory
from sksoftmax.data.targets import make_targets
from sksoftmax.losses import CrossEntropy, FocalLoss, Loss, Targets
from sksoftmax.objectives._contracts import HasProx
from sksoftmax.objectives.linear import LinearObjective
from sksoftmax.penalties import L2, Penalty
from sksoftmax.solvers import LBFGS, BlockLBFGS, NewtonCholesky, Solver, Status, StoppingRule

# -- data that are elsewhere -------------------------------------------------------------------------------------------

_part = None


def hold(X, targets, row_size):
    global _part
    _part = in_memory(X, targets)
    _part.rows.row_size = row_size


def partial_sums(term, loss, params, segments):
    return list(_part.partial_sums(term, loss, params, segments))


class InProcesses:
    """Rows in three child processes. Their segments are those of one process, whose sums are added in the same order."""

    def __init__(self, X, targets, n_logits):
        whole = in_memory(X, targets)
        self.n_rows, self.n_features, self.n_stored = whole.n_rows, whole.n_features, whole.n_stored
        self.dtype, self.class_major = whole.dtype, whole.class_major
        segments, self._parts = whole.segments(n_logits), []
        assert len(segments) == 4
        for own in (segments[:1], segments[1:2], segments[2:]):
            start, stop = own[0][0], own[-1][1]
            given = (X[start:stop], targets[start:stop], whole.rows.row_size)
            pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=hold, initargs=given)
            self._parts.append((pool, [(begin - start, end - start) for begin, end in own]))

    def sum(self, term, loss, params):
        futures = [pool.submit(partial_sums, term, loss, params, segments) for pool, segments in self._parts]
        sums = [pair for future in futures for pair in future.result()]
        value, total = sums[0]
        for other_value, other in sums[1:]:
            value += other_value
            total += other
        return value, total

    def expand(self, coef):
        return coef

    reduce = expand

    def close(self):
        for pool, _ in self._parts:
            pool.shutdown()


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_data_in_other_processes_give_the_bits_of_data_in_memory(container, rng):
    X, labels = rng.normal(size=(20_000, 60)), rng.integers(4, size=20_000).astype(np.int32)
    X, targets = container(X * (rng.uniform(size=X.shape) < 0.9)), Targets(4, rng.dirichlet(np.ones(20_000)), labels=labels)
    loss = CrossEntropy().bind(targets)
    elsewhere = InProcesses(X, targets, loss.n_logits)
    try:
        here, there = (
            LinearObjective(data, loss, L2(), 1e-3, fit_intercept=True) for data in (in_memory(X, targets), elsewhere)
        )
        params, direction = rng.normal(size=(2, here.n_params))
        for function in ("value_and_gradient", "hessian_diagonal"):
            assert_array_equal(np.hstack(getattr(here, function)(params)), np.hstack(getattr(there, function)(params)))
        assert_array_equal(here.hessian_product(params, direction), there.hessian_product(params, direction))
        for solver in (LBFGS(), BlockLBFGS()):
            solution = solver.solve(there, np.zeros(here.n_params), stop=StoppingRule(1e-4))
            assert solution.converged
            assert solution.value == pytest.approx(solver.solve(here, params, stop=StoppingRule(1e-4)).value, rel=1e-6)
        with pytest.raises(ValueError, match="data that are not in memory have no Hessian; use solver='"):
            NewtonCholesky().solve(there, params, stop=StoppingRule())
    finally:
        elsewhere.close()


# -- a loss in plain NumPy ---------------------------------------------------------------------------------------------


@dataclass
class OwnFocalLoss(Loss):
    gamma: float = 2.0
    shift_invariant = True

    def value_and_gradient(self, logits, labels):
        row = np.arange(len(labels))
        log_proba = logits - logits.max(axis=1, keepdims=True)
        log_proba = log_proba - np.log(np.exp(log_proba).sum(axis=1, keepdims=True))
        own = log_proba[row, labels]
        power = (1 - np.exp(own)) ** self.gamma
        slope = self.gamma * (1 - np.exp(own)) ** (self.gamma - 1) * np.exp(own) * own - power
        gradient = -slope[:, None] * np.exp(log_proba)
        gradient[row, labels] += slope
        return -power * own, gradient


@pytest.mark.parametrize("solver", ["auto", "block-lbfgs", "lbfgs"])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", ["labels", "probabilities"])
def test_a_loss_in_numpy_fits_as_the_one_with_a_kernel(make_problem, rng, solver, container, n_classes, kind):
    X, y, weight = make_problem(90, 4, n_classes)
    y = rng.dirichlet(np.ones(n_classes), size=90) if kind == "probabilities" else y
    class_weight = dict(enumerate(range(1, n_classes + 1)))
    own, ours = (
        SoftmaxRegressionClassifier(loss=loss, solver=solver, class_weight=class_weight).fit(container(X), y, weight)
        for loss in (OwnFocalLoss(), FocalLoss())
    )
    assert own.converged_
    assert own.n_iter_ == ours.n_iter_
    assert_allclose(own.coef_, ours.coef_, rtol=1e-9, atol=1e-10)
    assert_allclose(own.predict_proba(container(X)), ours.predict_proba(container(X)), rtol=1e-9)


def test_a_loss_in_numpy_has_the_gradient_of_its_value_and_is_taken_at_its_word(make_problem):
    X, y, weight = make_problem(60, 3, 3)
    targets, _ = make_targets(np.arange(3), weight, None, labels=y.astype(np.int32))
    bound = OwnFocalLoss().bind(targets)
    objective = LinearObjective(in_memory(X, targets), bound, L2(), 0.1, fit_intercept=True)
    params = np.linspace(-1, 1, objective.n_params)
    gradient = objective.value_and_gradient(params)[1]
    value, slope = (lambda p, part=part: objective.value_and_gradient(p)[part] for part in (0, 1))
    assert check_grad(value, slope, params) < 1e-6
    assert np.linalg.norm(gradient) > 1e-2
    assert not objective.convex
    for solver, lacks in (
        ("newton-cg", "no Hessian"),
        ("newton-cholesky", "no Hessian"),
        ("sgd", "no kernel"),
        ("saga", "no kernel"),
    ):
        with pytest.raises(ValueError, match=rf"OwnFocalLoss\(gamma=2.0\) has {lacks}.*; use solver='block-lbfgs'"):
            SoftmaxRegressionClassifier(loss=OwnFocalLoss(), solver=solver).fit(X, y)


class OwnCrossEntropy(Loss):
    """Without hyperparameters: no dataclass."""

    convex = shift_invariant = True

    def value_and_gradient(self, logits, labels):
        return OwnFocalLoss(gamma=0.0).value_and_gradient(logits, labels)


class HalfCrossEntropy(CrossEntropy):
    """Of a loss that has a kernel: what is defined here counts."""

    def value_and_gradient(self, logits, labels):
        losses, gradient = OwnCrossEntropy().value_and_gradient(logits, labels)
        return losses / 2, gradient / 2


class Kinked(OwnCrossEntropy):
    smooth = False


class ClaimsHessian(OwnCrossEntropy):
    has_hessian = True


@pytest.mark.parametrize("solver", ["auto", "block-lbfgs", "lbfgs"])
def test_what_a_loss_in_numpy_says_of_itself_counts(make_problem, solver):
    X, y, _ = make_problem(80, 4, 3)
    fit = partial(SoftmaxRegressionClassifier, solver=solver, tol=1e-7)
    expected = fit().fit(X, y).predict_proba(X)
    for own in (fit(loss=OwnCrossEntropy()), fit(loss=HalfCrossEntropy(), C=2.0), fit(loss=ClaimsHessian())):
        assert_allclose(clone(own).fit(X, y).predict_proba(X), expected, atol=1e-5)
        assert own.fit(X, y).converged_
    if solver != "lbfgs":  # which takes a gradient of nearly zero for the minimum, as it is of a convex function
        with pytest.warns(ConvergenceWarning, match="at a kink of the loss"):
            assert not fit(loss=Kinked()).fit(X, y).converged_
    for loss in (OwnCrossEntropy(), HalfCrossEntropy(), ClaimsHessian()):
        with pytest.raises(ValueError, match=rf"{type(loss).__name__}\(.*\) has no Hessian; use solver='block-lbfgs'"):
            SoftmaxRegressionClassifier(loss=loss, solver="newton-cg").fit(X, y)


def test_a_loss_with_an_init_of_its_own_is_asked_to_be_a_dataclass():
    class Configured(OwnCrossEntropy):
        def __init__(self, q):
            self.q = q

    with pytest.raises(TypeError, match=r"Configured has an __init__ of its own; decorate it with dataclasses\.dataclass"):
        clone(SoftmaxRegressionClassifier(loss=Configured(2)))


class Wrong(OwnFocalLoss):
    def value_and_gradient(self, logits, labels):
        losses, gradient = super().value_and_gradient(logits, labels)
        return losses.sum(), gradient


def test_a_loss_of_wrong_shape_is_refused_by_name(make_problem):
    X, y, _ = make_problem(20, 2, 3)
    with pytest.raises(
        ValueError, match=r"Wrong.value_and_gradient must return losses of shape \(20,\) .* got \(\) and \(20, 3\)"
    ):
        SoftmaxRegressionClassifier(loss=Wrong()).fit(X, y)
    with pytest.raises(NotImplementedError, match="Empty has neither a kernel nor value_and_gradient"):
        SoftmaxRegressionClassifier(loss=type("Empty", (Loss,), {})()).fit(X, y)


# -- a penalty with a proximal map, and a solver that needs it ---------------------------------------------------------


class L1(Penalty):
    is_smooth = False
    commutes_with_class_mean = False

    def value(self, coef):
        return float(np.abs(coef).sum())

    def smooth_value(self, coef):
        return 0.0

    def gradient(self, coef):
        return np.zeros_like(coef)

    hessian_product = gradient

    def hessian_diagonal(self, n_coef):
        return np.zeros(n_coef)

    def prox(self, coef, step):
        return np.sign(coef) * np.maximum(np.abs(coef) - step, 0)


@dataclass
class ProximalGradient(Solver):
    """FISTA with restarts (O'Donoghue & Candès 2015)."""

    requires = (HasProx,)

    def minimise(self, objective, start, *, stop, history):
        step, point, ahead, momentum = 1 / objective.lipschitz_constant, start.copy(), start.copy(), 1.0
        for _ in range(stop.max_iter):
            _, gradient = objective.smooth_value_and_gradient(ahead)
            before, point = point, objective.prox(ahead - step * gradient, step)
            if (ahead - point) @ (point - before) > 0:
                momentum = 1.0
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            ahead, momentum = point + (momentum - 1) / following * (point - before), following
            change = (point - ahead) / step
            if (
                history.record(point.copy(), objective.value_and_gradient(point)[0], change)
                or np.abs(point - before).max() < stop.tol
            ):
                break
        value, gradient = objective.value_and_gradient(point)
        return history.solution(point, value, gradient, status=Status.CONVERGED, message="no step is longer than the tolerance")


def test_a_penalty_with_a_proximal_map_and_a_solver_that_needs_it(make_problem):
    X, y, _ = make_problem(120, 6, 3)
    targets = Targets(3, np.full(120, 1 / 120), labels=y.astype(np.int32))
    objective = LinearObjective(in_memory(X, targets), CrossEntropy().bind(targets), L1(), 0.02, fit_intercept=True)
    solution = ProximalGradient().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-9, 20_000))
    coef, _ = objective.unpack(solution.params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parameter names that differ between scikit-learn's versions
        peer = LogisticRegression(penalty="l1", solver="saga", C=1 / (0.02 * 120), tol=1e-8, max_iter=100_000).fit(X, y)
    assert_allclose(coef, peer.coef_, atol=1e-5)
    assert 0 < np.count_nonzero(coef) < coef.size
    for solver in (BlockLBFGS(), LBFGS(), NewtonCholesky()):
        with pytest.raises(ValueError, match="L1 has kinks"):
            solver.solve(objective, solution.params, stop=StoppingRule())
    assert solution.status is Status.CONVERGED


# -- another model on the same objective -------------------------------------------------------------------------------


class TwoLevelSoftmax(ClassifierMixin, BaseEstimator):
    """A softmax over groups of classes, and one over the classes of each group."""

    def __init__(self, groups, C=1.0):
        self.groups, self.C = groups, C

    def fit(self, X, y):
        self.classes_, labels = np.unique(y, return_inverse=True)
        group = np.asarray(self.groups)[labels]
        self.nodes_ = [self._node(X, group)]
        self.nodes_ += [self._node(X[group == g], labels[group == g]) for g in range(group.max() + 1)]
        return self

    def _node(self, X, labels):
        values, encoded = np.unique(labels, return_inverse=True)
        targets = Targets(len(values), np.full(len(X), 1 / len(X)), labels=encoded.astype(np.int32))
        data, alpha = in_memory(X, targets), 1 / (self.C * len(X))
        objective = LinearObjective(data, CrossEntropy().bind(targets), L2(), alpha, fit_intercept=True)
        solution = BlockLBFGS().solve(objective, np.zeros(objective.n_params), stop=StoppingRule(1e-8))
        return values, *objective.unpack(solution.params)

    def predict_proba(self, X):
        proba = [(values, CrossEntropy().proba(X @ coef.T + intercept)) for values, coef, intercept in self.nodes_]
        result = np.empty((len(X), len(self.classes_)))
        for g, (values, within) in enumerate(proba[1:]):
            result[:, values] = proba[0][1][:, [g]] * within
        return result


def test_another_model_on_the_same_objective(make_problem):
    X, y, _ = make_problem(200, 4, 4)
    groups = np.array([0, 1, 0, 1])
    proba = TwoLevelSoftmax(groups, C=2.0).fit(X, y).predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1)
    top = SoftmaxRegressionClassifier(C=2.0, tol=1e-8).fit(X, groups[y]).predict_proba(X)
    for g in range(2):
        own = np.flatnonzero(groups == g)
        within = SoftmaxRegressionClassifier(C=2.0, tol=1e-8).fit(X[np.isin(y, own)], y[np.isin(y, own)]).predict_proba(X)
        assert_allclose(proba[:, own], top[:, [g]] * within, rtol=1e-5)
