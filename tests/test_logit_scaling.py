"""The objective of scales and shifts: the dense one that keeps all other coefficients at zero says the same."""

import numpy as np
import pytest

from sksoftmax.calibration._regression import all_logits
from sksoftmax.data.dataset import in_memory
from sksoftmax.data.threads import run_fit
from sksoftmax.losses import Targets
from sksoftmax.objectives.linear import LinearObjective
from sksoftmax.objectives.logit_scaling import LogitScalingObjective
from sksoftmax.penalties import PriorL2
from sksoftmax.solvers import BATCH_SOLVERS, SOLVERS, BlockLBFGS, NewtonCholesky, StoppingRule


def make(n_classes, *, shared, soft=False, n_rows=80, dtype=np.float64, **threads):
    rng = np.random.default_rng(n_classes)
    logits = rng.normal(size=(n_rows, n_classes)).astype(dtype)
    weight = rng.uniform(0.1, 1, size=n_rows)
    weight /= weight.sum()
    if soft:
        proba = rng.dirichlet(np.ones(n_classes), size=n_rows)
        targets = Targets(n_classes, weight, proba=proba, class_weight=np.ones(n_classes))
    else:
        targets = Targets(n_classes, weight, labels=rng.integers(0, n_classes, size=n_rows).astype(np.int32))
    n_scales = 1 if shared else n_classes
    mean = np.append(np.ones(n_scales), np.zeros(n_classes))
    ridge = rng.uniform(0.05, 0.3, size=len(mean))
    diagonal = LogitScalingObjective(logits, targets, PriorL2(mean, ridge), shared=shared, **threads)
    return logits, targets, diagonal, mean + 0.3 * rng.normal(size=len(mean))


def spread(params, n_classes):
    """The flat vector of the dense objective, and the map to it from that of the diagonal one."""
    n_scales = len(params) - n_classes
    jacobian = np.zeros((n_classes, n_classes + 1, len(params)))
    for k in range(n_classes):
        jacobian[k, k, 0 if n_scales == 1 else k] = 1
        jacobian[k, -1, n_scales + k] = 1
    jacobian = jacobian.reshape(-1, len(params))
    return jacobian @ params, jacobian


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_it_is_the_dense_objective_restricted(n_classes, soft, shared):
    logits, targets, diagonal, params = make(n_classes, shared=shared, soft=soft)
    design = np.column_stack([logits, np.ones(len(logits))])
    nothing = PriorL2(np.zeros(design.shape[1] * n_classes), np.zeros(design.shape[1] * n_classes))
    dense = LinearObjective(in_memory(design, targets), all_logits(targets), nothing, 1.0, fit_intercept=False)
    full, jacobian = spread(params, n_classes)
    ridge = diagonal._penalty
    value, gradient = dense.value_and_gradient(full)
    ours, our_gradient = diagonal.value_and_gradient(params)
    np.testing.assert_allclose(ours, value + ridge.value(params), rtol=1e-12)
    np.testing.assert_allclose(our_gradient, jacobian.T @ gradient + ridge.gradient(params), atol=1e-14)
    hessian = jacobian.T @ dense.hessian(full) @ jacobian + np.diag(ridge.hessian_diagonal(len(params)))
    np.testing.assert_allclose(diagonal.hessian(params), hessian, atol=1e-14)
    direction = np.random.default_rng(0).normal(size=len(params))
    np.testing.assert_allclose(diagonal.hessian_product(params, direction), hessian @ direction, atol=1e-13)
    own = hessian.diagonal()
    if not shared:
        np.testing.assert_allclose(diagonal.hessian_diagonal(params), own, atol=1e-14)
    blocks = diagonal.class_blocks(params)
    np.testing.assert_allclose(blocks[:, -1, -1], own[-n_classes:], atol=1e-14)
    if not shared:
        np.testing.assert_allclose(blocks[:, 0, 1], hessian[range(n_classes), range(n_classes, 2 * n_classes)], atol=1e-14)
    basis = np.random.default_rng(1).normal(size=(blocks.shape[1], 3))
    curvature = [[v @ block @ v for v in basis.T] for block in blocks]
    np.testing.assert_allclose(diagonal.class_diagonals(params, basis), curvature, atol=1e-13)
    rows = diagonal.gather_blocks(direction)
    changed = np.zeros_like(direction)
    diagonal.scatter_blocks(changed, rows)
    np.testing.assert_array_equal(changed[shared:], direction[shared:])


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", BATCH_SOLVERS)
def test_every_solver_finds_the_same_optimum(name, shared):
    _, _, diagonal, params = make(6, shared=shared)
    solution = SOLVERS[name]().solve(diagonal, params, stop=StoppingRule(1e-9, 300))
    best = SOLVERS["newton-cholesky"]().solve(diagonal, params, stop=StoppingRule(1e-9, 300))
    assert solution.converged
    np.testing.assert_allclose(solution.value, best.value, atol=1e-12)


@pytest.mark.parametrize("max_bytes", [0, 100, 2**29])
def test_preconditioners_of_any_size_lead_to_the_optimum(max_bytes):
    _, _, diagonal, params = make(6, shared=False)
    solution = BlockLBFGS(max_bytes=max_bytes).solve(diagonal, params, stop=StoppingRule(1e-9, 300))
    best = NewtonCholesky().solve(diagonal, params, stop=StoppingRule(1e-9, 300))
    assert solution.converged
    np.testing.assert_allclose(solution.value, best.value, atol=1e-12)


@pytest.mark.parametrize("shared", [False, True])
def test_the_result_does_not_depend_on_the_threads(shared):

    def evaluate(pool, n_threads):
        _, _, objective, params = make(4, shared=shared, n_rows=150_000, pool=pool, n_threads=n_threads)
        return *objective.value_and_gradient(params), objective.hessian(params)

    one, three = (run_fit(n_threads, lambda pool, n=n_threads: evaluate(pool, n)) for n_threads in (1, 3))
    for alone, shared_out in zip(one, three, strict=True):
        np.testing.assert_array_equal(shared_out, alone)


def test_a_prior_enters_value_gradient_hessian_and_blocks_of_the_dense_objective():
    rng = np.random.default_rng(0)
    logits, targets, *_ = make(4, shared=False)
    mean, weight = rng.normal(size=16), rng.uniform(0.1, 2, size=16)
    objectives = [
        LinearObjective(in_memory(logits, targets), all_logits(targets), PriorL2(mean, w), 1.0, fit_intercept=False)
        for w in (weight, 0 * weight)
    ]
    params = rng.normal(size=16)
    (value, gradient), (bare, bare_gradient) = (objective.value_and_gradient(params) for objective in objectives)
    np.testing.assert_allclose(value - bare, 0.5 * np.sum(weight * (params - mean) ** 2))
    np.testing.assert_allclose(gradient - bare_gradient, weight * (params - mean))
    hessian = objectives[0].hessian(params)
    np.testing.assert_allclose(hessian - objectives[1].hessian(params), np.diag(weight), atol=1e-15)
    np.testing.assert_allclose(objectives[0].hessian_product(params, mean), hessian @ mean)
    added = objectives[0].class_blocks(params) - objectives[1].class_blocks(params)
    np.testing.assert_allclose(added, [np.diag(w) for w in weight.reshape(4, 4)], atol=1e-15)
    basis = rng.normal(size=(4, 3))
    added = objectives[0].class_diagonals(params, basis) - objectives[1].class_diagonals(params, basis)
    np.testing.assert_allclose(added, weight.reshape(4, 4) @ basis**2)
    untouched = params.copy()
    objectives[0].project_out_shift(untouched)  # a prior holds the mean over the classes: it is not free
    np.testing.assert_array_equal(untouched, params)
