"""sksoftmax.objective: against the reference, against finite differences, and the same bits on any number of threads."""

import tracemalloc
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy import sparse

import reference
from sksoftmax.data.csr_rows import MIN_BLOCK_COLUMNS
from sksoftmax.data.dataset import in_memory
from sksoftmax.data.threads import run_fit
from sksoftmax.losses import LOSSES, CrossEntropy, Targets
from sksoftmax.objectives.class_blocks import RUN, runs
from sksoftmax.objectives.cosine import CosineObjective
from sksoftmax.objectives.linear import LinearObjective
from sksoftmax.penalties import L2


def segments(objective):
    return objective.data.segments(objective.n_logits)


def make_objective(X, labels, n_classes, *, C=0.7, weight=None, smoothing=0.0, fit_intercept=True, pool=None, n_threads=1):
    weight = np.ones(len(labels)) if weight is None else weight
    targets = Targets(n_classes, weight / weight.sum(), labels=labels.astype(np.int32))
    loss = CrossEntropy(smoothing).bind(targets)
    alpha = 1 / (C * weight.sum())
    data = in_memory(X, targets, pool=pool, n_threads=n_threads)
    return LinearObjective(data, loss, L2(), alpha, fit_intercept=fit_intercept)


LAYOUTS = pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
CLASSES = pytest.mark.parametrize("n_classes", [2, 4])
INTERCEPT = pytest.mark.parametrize("fit_intercept", [True, False])

# Of each loss hyperparameters that its formula cannot do without.
OPTIONS = {
    "cosine": {"scale": 3.0, "margin": 0.2, "angular_margin": 0.4},
    "cross_entropy": {"label_smoothing": 0.1},
    "focal": {"gamma": 1.5},
    "hinge": {"margin": 1.0, "smoothing": 3.0},
    "logit_adjusted": {"tau": 0.7},
    "margin": {"margin": 0.3, "scale": 2.0},
}
BOUND = [(name, kind) for name in LOSSES for kind in ("labels", "proba") if kind == "labels" or LOSSES[name].takes_proba]


def test_the_laws_hold_for_every_loss():
    assert set(OPTIONS) == set(LOSSES)


class Problem:
    """Weighted rows, some of weight zero and some of zeros, bound to a loss: the objective, and the reference's figures."""

    def __init__(self, make_problem, rng, name, kind, container, n_classes, fit_intercept):
        X, labels, weight = make_problem(66, 4, n_classes)
        X[rng.uniform(size=X.shape) < 0.3] = 0
        weight[rng.uniform(size=len(weight)) < 0.1] = 0
        loss = LOSSES[name](**OPTIONS[name])
        self.dense = loss.prepare(X)
        if kind == "labels":
            target = reference.one_hot(labels, n_classes)
            shares = weight @ target
            targets = Targets(n_classes, weight / weight.sum(), labels=labels.astype(np.int32))
        else:
            proba, class_weight = rng.dirichlet(np.ones(n_classes), size=len(X)), rng.uniform(0.5, 2, size=n_classes)
            mass = proba * class_weight
            shares = weight @ proba
            target, weight = mass / mass.sum(axis=1, keepdims=True), weight * mass.sum(axis=1)
            targets = Targets(n_classes, weight / weight.sum(), proba=proba, class_weight=class_weight)
        bound = loss.bind(targets)
        self.targets = targets
        self.options = dict(OPTIONS[name])
        if name == "logit_adjusted":
            self.options["class_prior"] = shares / shares.sum()
        self.target, self.weight, self.bound, self.loss, self.name = target, weight, bound, loss, name
        self.make = partial(
            CosineObjective if loss.unit_norm else LinearObjective,
            loss=bound,
            penalty=L2(),
            alpha=1 / (0.7 * weight.sum()),
            fit_intercept=fit_intercept,
        )
        self.container = container
        self.objective = self.make(in_memory(container(self.dense), targets))
        self.params = 0.5 * rng.normal(size=self.objective.n_params)
        self.directions = rng.normal(size=(3, self.objective.n_params))

    def value(self, params):
        """The objective by its formula."""
        coef, intercept = self.objective.unpack(params)
        logits = self.dense @ coef.T + intercept
        if len(coef) == 1:
            logits = np.column_stack([-logits if self.loss.unit_norm else np.zeros(len(logits)), logits])
        each = [reference.LOSSES[self.name](z, t, **self.options) for z, t in zip(logits, self.target, strict=True)]
        value = self.weight @ each / self.weight.sum()
        return value if self.loss.unit_norm else value + reference.l2(coef) / (0.7 * self.weight.sum())


@pytest.mark.usefixtures("small_blocks")
@LAYOUTS
@CLASSES
@INTERCEPT
@pytest.mark.parametrize(("name", "kind"), BOUND)
class TestObjective:
    """Every law over many blocks of rows: an index that counts from a block's start instead of the data's breaks it."""

    @pytest.fixture
    def problem(self, make_problem, rng, name, kind, container, n_classes, fit_intercept):
        problem = Problem(make_problem, rng, name, kind, container, n_classes, fit_intercept)
        n_segments, n_rows = (
            len(segments(problem.objective)),
            len(problem.objective.data.rows.block(problem.objective.n_logits)),
        )
        assert n_segments > 1
        assert problem.objective.n_rows / n_segments > 2 * n_rows
        return problem

    def test_value_equals_reference(self, problem):
        np.testing.assert_allclose(
            problem.objective.value_and_gradient(problem.params)[0], problem.value(problem.params), rtol=1e-12
        )

    def test_gradient_is_the_slope(self, problem):
        _, gradient = problem.objective.value_and_gradient(problem.params)
        step = 1e-6
        for direction in problem.directions:
            up, down = (problem.objective.value_and_gradient(problem.params + sign * step * direction)[0] for sign in (1, -1))
            np.testing.assert_allclose(gradient @ direction, (up - down) / (2 * step), atol=1e-8)

    def test_hessian_is_the_slope_of_the_gradient(self, problem, monkeypatch):
        objective, params = problem.objective, problem.params
        if not objective.has_hessian:
            return
        hessian = objective.hessian(params)
        np.testing.assert_allclose(hessian, hessian.T, atol=1e-16)
        step = 1e-6
        for direction in problem.directions:
            up, down = (objective.value_and_gradient(params + sign * step * direction)[1] for sign in (1, -1))
            product = objective.hessian_product(params, direction)
            np.testing.assert_allclose(product, (up - down) / (2 * step), atol=1e-8)
            np.testing.assert_allclose(product, hessian @ direction, atol=1e-13)
        monkeypatch.setattr("sksoftmax.objectives.hessian.HESSIAN_FEATURES", 0)  # as if there were many columns
        np.testing.assert_allclose(objective.hessian(params), hessian, atol=1e-14)

    def test_diagonals_and_blocks_are_the_hessians(self, problem, rng, monkeypatch):
        monkeypatch.setattr("sksoftmax.objectives.class_blocks.DECIDED", 0.0)  # no row counts through the Gram matrix
        monkeypatch.setattr("sksoftmax.objectives.class_blocks.ALIKE", 2.0)
        objective, params = problem.objective, 2 * problem.params
        if not objective.has_hessian:
            return
        # Those of the model that preconditions a loss: hinge's is rounder.
        model = objective.loss.model
        objective.loss = replace(objective.loss, kernels=model.kernels, parameters=model.parameters)
        hessian, positions = objective.hessian(params), objective.layout.positions()
        own = [hessian[np.ix_(at, at)] for at in positions]
        np.testing.assert_allclose(objective.hessian_diagonal(params), hessian.diagonal(), rtol=1e-12)
        np.testing.assert_allclose(objective.class_blocks(params), own, atol=1e-13)
        np.testing.assert_allclose(objective.class_blocks(params, shared=True)[0], np.mean(own, axis=0), atol=1e-13)
        basis = rng.normal(size=(objective.block_size, 3)) * 10.0 ** rng.uniform(-3, 3, size=(objective.block_size, 1))
        along = np.einsum("kij,ia,ja->ka", own, basis, basis)
        np.testing.assert_allclose(objective.class_diagonals(params, basis), along, rtol=1e-11)

    def test_float32_rows_have_the_same_figures(self, problem):
        rows = problem.dense.astype(np.float32)
        single, double = (
            problem.make(in_memory(problem.container(X), problem.targets)) for X in (rows, rows.astype(np.float64))
        )
        params = problem.params.astype(np.float32).astype(np.float64)
        value, gradient = double.value_and_gradient(params)
        assert gradient.dtype == single.value_and_gradient(params)[1].dtype == np.float64
        np.testing.assert_allclose(single.value_and_gradient(params)[0], value, rtol=1e-5)
        np.testing.assert_allclose(single.value_and_gradient(params)[1], gradient, atol=1e-6)
        if single.has_hessian:
            direction = problem.directions[0].astype(np.float32).astype(np.float64)
            for given, expected in (
                (single.hessian_product(params, direction), double.hessian_product(params, direction)),
                (single.hessian_diagonal(params), double.hessian_diagonal(params)),
                (single.hessian(params), double.hessian(params)),
                (single.class_blocks(params), double.class_blocks(params)),
            ):
                np.testing.assert_allclose(given, expected, atol=1e-5)

    def test_unpack_undoes_pack(self, problem, fit_intercept):
        objective = problem.objective
        coef, intercept = objective.unpack(problem.params)
        assert coef.shape == (objective.n_logits, 4)
        if not objective.unit_norm:
            np.testing.assert_array_equal(objective.pack(coef, intercept), problem.params)
        again = objective.unpack(objective.pack(coef, intercept))
        np.testing.assert_allclose(again[0], coef, atol=1e-15)
        assert (fit_intercept and not objective.unit_norm) or not intercept.any()

    def test_gauge_makes_the_hessian_invertible_and_keeps_the_newton_step(self, problem):
        objective = problem.objective
        if not objective.has_hessian:
            return
        zero = np.zeros(objective.n_params)
        _, gradient = objective.value_and_gradient(zero)
        hessian = objective.hessian(zero)
        expected = -np.linalg.lstsq(hessian, gradient, rcond=1e-12)[0]
        objective.regularise_null_space(hessian)
        assert np.linalg.cond(hessian) < 1e6
        np.testing.assert_allclose(np.linalg.solve(hessian, -gradient), expected, atol=1e-9)


@pytest.mark.large
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@LAYOUTS
def test_same_bits_on_any_number_of_threads(rng, container, dtype):
    X = rng.normal(size=(20_000, 40)).astype(dtype)
    X[:, 3:][rng.uniform(size=(20_000, 37)) < 0.3] = 0
    labels = rng.integers(9, size=len(X))

    def evaluate(pool, n_threads):
        objective = make_objective(container(X), labels, 9, pool=pool, n_threads=n_threads)
        assert len(segments(objective)) > 3
        params = np.random.default_rng(1).normal(size=objective.n_params) * 0.1
        direction = np.random.default_rng(2).normal(size=objective.n_params)
        value, gradient = objective.value_and_gradient(params)
        product, hessian = objective.hessian_product(params, direction), objective.hessian(params)
        return np.concatenate([[value], gradient, product, hessian.ravel()])

    results = [run_fit(n_threads, lambda pool, n=n_threads: evaluate(pool, n)) for n_threads in (1, 2, 3)]
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


def test_rows_that_are_decided_count_through_the_gram_matrix(make_problem):
    X, labels, _ = make_problem(500, 3, 3)
    objective = make_objective(X, labels, 3, C=np.inf)
    params = objective.pack(40 * np.eye(3), np.zeros(3))
    hessian = objective.hessian(params)
    for k, block in enumerate(objective.class_blocks(params)):
        positions = objective.layout.positions()[k]
        exact = hessian[np.ix_(positions, positions)]
        # The total curvature is kept; its direction is that of all rows, for the little that decided ones add.
        np.testing.assert_allclose(block[-1, -1], exact[-1, -1], rtol=1e-12)
        np.testing.assert_allclose(block, exact, atol=0.01)
        assert np.linalg.eigvalsh(block).min() > 0


@pytest.mark.parametrize("segment", [(0, 1000), (256, 449), (64, 65)])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_a_sample_is_one_run_of_rows_in_stride(segment, stride):
    taken = [i for run in runs(segment, stride) for i in range(*run)]
    assert taken == [i for i in range(*segment) if (i - segment[0]) // RUN % stride == 0]


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
    rows = objective.gather_blocks(params)
    assert rows.shape == (objective.n_logits, objective.block_size) == (objective.n_logits, 4 + fit_intercept)
    np.testing.assert_array_equal(rows[0], params[objective.layout.positions()[0]])
    copy = np.zeros_like(params)
    objective.scatter_blocks(copy, rows)
    np.testing.assert_array_equal(copy, params)


@CLASSES
@INTERCEPT
def test_the_head_of_sparse_rows_is_their_heaviest_columns(make_problem, rng, n_classes, fit_intercept):
    X, labels, _ = make_problem(60, 200, n_classes)
    X[rng.random(X.shape) < 0.9] = 0
    heavy = np.sort(rng.permutation(200)[:MIN_BLOCK_COLUMNS])
    X = X.clip(-1, 1)
    X[:, heavy] = 0
    X[np.arange(MIN_BLOCK_COLUMNS) % 60, heavy] = 6  # less than many small numbers together, but not squared
    objective = make_objective(sparse.csr_array(X), labels, n_classes, fit_intercept=fit_intercept)
    assert not objective.covers_all_columns
    params = 0.1 * rng.normal(size=objective.n_params)
    positions = objective.layout.positions()
    head = np.concatenate([positions[:, heavy], positions[:, 200:]], axis=1)
    np.testing.assert_array_equal(objective.gather_blocks(params), params[head])
    zero = np.zeros(objective.n_params)
    hessian = objective.hessian(zero)
    for block, at in zip(objective.class_blocks(zero), head, strict=True):
        np.testing.assert_allclose(block, hessian[np.ix_(at, at)], atol=1e-12 * np.abs(hessian).max())
    copy = params.copy()
    objective.scatter_blocks(copy, np.zeros(head.shape))
    assert np.all(copy[head] == 0)
    assert np.count_nonzero(copy) == objective.n_params - head.size


@LAYOUTS
@CLASSES
@INTERCEPT
def test_centring_takes_the_mean_over_the_classes(make_problem, rng, container, n_classes, fit_intercept):
    X, labels, _ = make_problem(20, 4, n_classes)
    objective = make_objective(container(X), labels, n_classes, fit_intercept=fit_intercept)
    params = rng.normal(size=objective.n_params)
    rows = params[objective.layout.positions()]
    objective.project_out_shift(params)
    expected = rows - rows.mean(axis=0) if n_classes > 2 else rows
    np.testing.assert_allclose(params[objective.layout.positions()], expected, atol=1e-15)


@pytest.mark.usefixtures("small_blocks")
@LAYOUTS
@INTERCEPT
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("name", ["cross_entropy", "logit_adjusted", "margin"])
def test_smoothness_is_the_greatest_curvature_of_a_row(make_problem, rng, name, container, n_classes, fit_intercept):
    """One row's loss, as an estimate of the sum, along the steepest direction, at the parameters where it bends most."""
    X, labels, weight = make_problem(11, 3, n_classes)
    weight[3] = 0
    X[3] *= 100
    options = OPTIONS[name] | ({"class_prior": rng.dirichlet(np.ones(n_classes))} if name == "logit_adjusted" else {})
    share, loss = weight / weight.sum(), LOSSES[name](**options)

    def make(rows, share):
        targets = Targets(n_classes, share, labels=labels[rows].astype(np.int32))
        data = in_memory(container(X[rows]), targets)
        return LinearObjective(data, loss.bind(targets), L2(), 0.0, fit_intercept=fit_intercept)

    every = make(np.arange(len(X)), share)
    assert every.n_weighted_rows == len(X) - 1
    greatest = 0.0
    for i in np.flatnonzero(weight):
        alone = make([i], np.ones(1))
        squared_norm = X[i] @ X[i] + fit_intercept
        for lead in np.linspace(-2, 2, 41):
            logits = np.full(n_classes, -40.0)
            logits[labels[i]], logits[labels[i] - 1] = lead, 0
            logits = (logits[1:] - logits[:1] if n_classes == 2 else logits) / squared_norm
            hessian = alone.hessian(alone.pack(np.outer(logits, X[i]), logits))
            greatest = max(greatest, every.n_weighted_rows * share[i] * np.linalg.eigvalsh(hessian)[-1])
    assert 0.99 * every.lipschitz_constant < greatest < (1 + 1e-10) * every.lipschitz_constant


@pytest.mark.usefixtures("small_blocks")
@LAYOUTS
@CLASSES
@INTERCEPT
@pytest.mark.parametrize("row", [0, 37, 72])
def test_rows_that_have_weight_decide_whether_all_are_separated(rng, container, n_classes, fit_intercept, row):
    """One row that is predicted wrongly, in the first block, in the midst or in the last one."""
    X = rng.normal(size=(73, 4))
    make = partial(make_objective, container(X), n_classes=n_classes, fit_intercept=fit_intercept)
    coef = rng.normal(size=(n_classes, 4))
    labels = (X @ coef.T).argmax(axis=1)
    coef = coef[1:] - coef[:1] if n_classes == 2 else coef
    wrong, weight = labels.copy(), np.ones(73)
    wrong[row] = (labels[row] + 1) % n_classes

    def separates(labels, weight):
        objective = make(labels=labels, weight=weight)
        return objective.separates_classes(objective.pack(coef, np.zeros(len(coef))))

    assert separates(labels, weight)
    assert not separates(wrong, weight)
    weight[row] = 0
    assert separates(wrong, weight)
