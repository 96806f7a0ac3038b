"""sksoftmax.objective: against the reference, against finite differences, and the same bits on any number of threads."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

import reference
from sksoftmax.blocks import MIN_HEAD, as_rows
from sksoftmax.losses import CrossEntropy, Targets
from sksoftmax.objective import Objective
from sksoftmax.penalties import L2
from sksoftmax.threads import thread_pool


def make_objective(X, labels, n_classes, *, C=0.7, weight=None, smoothing=0.0, fit_intercept=True, pool=None, n_threads=1):
    weight = np.ones(len(labels)) if weight is None else weight
    targets = Targets(n_classes, weight / weight.sum(), labels=labels.astype(np.int32))
    loss = CrossEntropy(smoothing).bind(targets)
    alpha = 1 / (C * weight.sum())
    return Objective(as_rows(X), loss, L2(), alpha, fit_intercept=fit_intercept, pool=pool, n_threads=n_threads)


LAYOUTS = pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
CLASSES = pytest.mark.parametrize("n_classes", [2, 4])
INTERCEPT = pytest.mark.parametrize("fit_intercept", [True, False])


@LAYOUTS
@CLASSES
@INTERCEPT
class TestObjective:
    def problem(self, make_problem, rng, container, n_classes, fit_intercept):
        X, labels, weight = make_problem(30, 4, n_classes)
        options = {"C": 0.7, "weight": weight, "smoothing": 0.1, "fit_intercept": fit_intercept}
        objective = make_objective(container(X), labels, n_classes, **options)
        return objective, X, labels, weight, rng.normal(size=objective.n_params)

    def test_value_equals_reference(self, make_problem, rng, container, n_classes, fit_intercept):
        objective, X, labels, weight, params = self.problem(make_problem, rng, container, n_classes, fit_intercept)
        coef, intercept = objective.unpack(params)
        target = reference.one_hot(labels, n_classes)
        expected = reference.objective(X, target, weight, coef, intercept, C=0.7, label_smoothing=0.1)
        np.testing.assert_allclose(objective.value_and_gradient(params)[0], expected, rtol=1e-13)

    def test_gradient_is_the_slope(self, make_problem, rng, container, n_classes, fit_intercept):
        objective, *_, params = self.problem(make_problem, rng, container, n_classes, fit_intercept)
        _, gradient = objective.value_and_gradient(params)
        step = 1e-6
        for j, unit in enumerate(np.eye(len(params))):
            up, down = (objective.value_and_gradient(params + sign * step * unit)[0] for sign in (1, -1))
            np.testing.assert_allclose(gradient[j], (up - down) / (2 * step), atol=1e-8)

    def test_hessian_is_the_slope_of_the_gradient(self, make_problem, rng, container, n_classes, fit_intercept):
        objective, *_, params = self.problem(make_problem, rng, container, n_classes, fit_intercept)
        hessian = objective.hessian(params)
        np.testing.assert_allclose(hessian, hessian.T, atol=1e-16)
        step = 1e-6
        for j, unit in enumerate(np.eye(len(params))):
            up, down = (objective.value_and_gradient(params + sign * step * unit)[1] for sign in (1, -1))
            np.testing.assert_allclose(hessian[j], (up - down) / (2 * step), atol=1e-8)
            np.testing.assert_allclose(objective.hessian_product(params, unit), hessian[j], atol=1e-14)

    def test_unpack_undoes_pack(self, make_problem, rng, container, n_classes, fit_intercept):
        objective, *_, params = self.problem(make_problem, rng, container, n_classes, fit_intercept)
        coef, intercept = objective.unpack(params)
        assert coef.shape == (objective.n_logits, 4)
        np.testing.assert_array_equal(objective.pack(coef, intercept), params)
        assert fit_intercept or not intercept.any()

    def test_gauge_makes_the_hessian_invertible_and_keeps_the_newton_step(
        self, make_problem, rng, container, n_classes, fit_intercept
    ):
        objective, *_ = self.problem(make_problem, rng, container, n_classes, fit_intercept)
        _, gradient = objective.value_and_gradient(np.zeros(objective.n_params))
        hessian = objective.hessian(np.zeros(objective.n_params))
        expected = -np.linalg.lstsq(hessian, gradient, rcond=1e-12)[0]
        objective.fix_gauge(hessian)
        assert np.linalg.cond(hessian) < 1e6
        np.testing.assert_allclose(np.linalg.solve(hessian, -gradient), expected, atol=1e-10)


@pytest.mark.large
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@LAYOUTS
def test_same_bits_on_any_number_of_threads(rng, container, dtype):
    X = rng.normal(size=(20_000, 40)).astype(dtype)
    X[:, 3:][rng.uniform(size=(20_000, 37)) < 0.3] = 0
    labels = rng.integers(9, size=len(X))
    results = []
    for n_threads in (1, 2, 3):
        with thread_pool(n_threads) as pool:
            objective = make_objective(container(X), labels, 9, pool=pool, n_threads=n_threads)
            params = np.random.default_rng(1).normal(size=objective.n_params) * 0.1
            direction = np.random.default_rng(2).normal(size=objective.n_params)
            value, gradient = objective.value_and_gradient(params)
            results.append(np.concatenate([[value], gradient, objective.hessian_product(params, direction)]))
            results[-1] = np.concatenate([results[-1], objective.hessian(params).ravel()])
    assert len(objective._segments) > 3
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.large
def test_no_array_of_rows_times_classes(rng):
    n_rows, n_classes = 20_000, 200
    X = rng.normal(size=(n_rows, 8))
    objective = make_objective(X, rng.integers(n_classes, size=n_rows), n_classes)
    params = np.zeros(objective.n_params)
    objective.value_and_gradient(params)  # compiled and scratch in place
    tracemalloc.start()
    objective.value_and_gradient(params)
    objective.hessian_product(params, params)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n_rows * n_classes / 10


@LAYOUTS
@CLASSES
@INTERCEPT
def test_class_blocks_are_the_hessians(make_problem, rng, container, n_classes, fit_intercept):
    X, labels, weight = make_problem(40, 4, n_classes)
    objective = make_objective(container(X), labels, n_classes, weight=weight, fit_intercept=fit_intercept)
    for params in (np.zeros(objective.n_params), 0.4 * rng.normal(size=objective.n_params)):
        hessian = objective.hessian(params)
        blocks = objective.class_blocks(params)
        for k, block in enumerate(blocks):
            positions = objective._positions()[k]
            np.testing.assert_allclose(block, hessian[np.ix_(positions, positions)], atol=1e-14)
        (shared,) = objective.class_blocks(params, shared=True)
        np.testing.assert_allclose(shared, blocks.mean(axis=0), atol=1e-14)


def test_rows_that_are_decided_count_through_the_gram_matrix(make_problem):
    X, labels, _ = make_problem(500, 3, 3)
    objective = make_objective(X, labels, 3, C=np.inf)
    params = objective.pack(40 * np.eye(3), np.zeros(3))
    hessian = objective.hessian(params)
    for k, block in enumerate(objective.class_blocks(params)):
        positions = objective._positions()[k]
        exact = hessian[np.ix_(positions, positions)]
        # The total curvature is kept; its direction is that of all rows, for the little that decided ones add.
        np.testing.assert_allclose(block[-1, -1], exact[-1, -1], rtol=1e-12)
        np.testing.assert_allclose(block, exact, atol=0.01)
        assert np.linalg.eigvalsh(block).min() > 0


@pytest.mark.large
def test_blocks_of_many_wide_rows_may_be_made_from_a_sample(make_problem, rng):
    X, labels, _ = make_problem(8_500, 130, 3)
    order = np.argsort(labels)  # a sample of long runs would miss classes
    X, labels = X[order], labels[order]
    rare = 7
    X[:, rare] = 0
    X[100, rare] = 5  # row 100 is in no sample of one run in four
    objective = make_objective(X, labels, 3)
    params = 0.05 * rng.normal(size=objective.n_params)
    assert objective.stride == 4
    others = np.delete(np.arange(131), rare)
    for exact, sampled in zip(objective.class_blocks(params), objective.class_blocks(params, stride=4), strict=True):
        scale = np.sqrt(exact.diagonal())
        difference = (sampled - exact) / np.outer(scale, scale)
        assert 0 < np.linalg.norm(difference[np.ix_(others, others)], 2) < 0.6
        # Were the rare column's block zero, a step along it would have no bound.
        assert 0.3 * exact[rare, rare] < sampled[rare, rare] < 3 * exact[rare, rare]


@LAYOUTS
@CLASSES
@INTERCEPT
def test_set_head_undoes_head(make_problem, rng, container, n_classes, fit_intercept):
    X, labels, _ = make_problem(20, 4, n_classes)
    objective = make_objective(container(X), labels, n_classes, fit_intercept=fit_intercept)
    params = rng.normal(size=objective.n_params)
    rows = objective.head(params)
    assert rows.shape == (objective.n_logits, objective.head_width) == (objective.n_logits, 4 + fit_intercept)
    np.testing.assert_array_equal(rows[0], params[objective._positions()[0]])
    copy = np.zeros_like(params)
    objective.set_head(copy, rows)
    np.testing.assert_array_equal(copy, params)


@CLASSES
@INTERCEPT
def test_the_head_of_sparse_rows_is_their_heaviest_columns(make_problem, rng, n_classes, fit_intercept):
    X, labels, _ = make_problem(60, 200, n_classes)
    X[rng.random(X.shape) < 0.9] = 0
    heavy = np.sort(rng.permutation(200)[:MIN_HEAD])
    X[:, heavy] *= 100
    X[0, heavy] = 100
    objective = make_objective(sparse.csr_array(X), labels, n_classes, fit_intercept=fit_intercept)
    assert not objective.head_is_all
    params = 0.1 * rng.normal(size=objective.n_params)
    positions = objective._positions()
    head = np.concatenate([positions[:, heavy], positions[:, 200:]], axis=1)
    np.testing.assert_array_equal(objective.head(params), params[head])
    zero = np.zeros(objective.n_params)
    hessian = objective.hessian(zero)
    for block, at in zip(objective.class_blocks(zero), head, strict=True):
        np.testing.assert_allclose(block, hessian[np.ix_(at, at)], atol=1e-12 * np.abs(hessian).max())
    copy = params.copy()
    objective.set_head(copy, np.zeros(head.shape))
    assert np.all(copy[head] == 0)
    assert np.count_nonzero(copy) == objective.n_params - head.size


@LAYOUTS
@CLASSES
@INTERCEPT
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_diagonals_are_the_hessians(make_problem, rng, container, n_classes, fit_intercept, dtype):
    X, labels, weight = make_problem(40, 4, n_classes)
    X = X.astype(dtype)
    objective = make_objective(container(X), labels, n_classes, weight=weight, fit_intercept=fit_intercept)
    params = 0.4 * rng.normal(size=objective.n_params)
    hessian = objective.hessian(params)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(objective.hessian_diagonal(params), hessian.diagonal(), rtol=tolerance)
    basis = rng.normal(size=(objective.head_width, 3)) * 10.0 ** rng.uniform(-3, 3, size=(objective.head_width, 1))
    along = objective.class_diagonals(params, basis)
    for k, at in enumerate(objective._positions()):
        np.testing.assert_allclose(along[k], np.einsum("ij,ia,ja->a", hessian[np.ix_(at, at)], basis, basis), rtol=tolerance)


@LAYOUTS
@CLASSES
@INTERCEPT
def test_centring_takes_the_mean_over_the_classes(make_problem, rng, container, n_classes, fit_intercept):
    X, labels, _ = make_problem(20, 4, n_classes)
    objective = make_objective(container(X), labels, n_classes, fit_intercept=fit_intercept)
    params = rng.normal(size=objective.n_params)
    rows = params[objective._positions()]
    objective.centre(params)
    expected = rows - rows.mean(axis=0) if n_classes > 2 else rows
    np.testing.assert_allclose(params[objective._positions()], expected, atol=1e-15)
