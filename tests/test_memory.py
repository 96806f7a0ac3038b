"""Memory of a fit beside X: so many vectors of the parameters' length, the matrices that a solver states, and no more.

tracemalloc sees NumPy's allocations. A bound counts float64 vectors of n_params = n_classes * (n_features + 1), partial
gradients (one for each thread, one waiting and their sum) and a few cache-sized blocks for each thread.
"""

import tracemalloc
import warnings
from contextlib import suppress

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax import classifier as classifier_module
from sksoftmax.blocks import BLOCK_BYTES
from sksoftmax.objective import BLOCKS_NUMBERS, Objective
from sksoftmax.solvers import LBFGS, MAX_MATRIX_BYTES, BlockLBFGS, NewtonCG, NewtonCholesky, choose_solver

N_THREADS = 2
N_ROWS, N_CLASSES = 2000, 1000
MEMORY = 3  # pairs: as many as the iterations of these tests can fill
PAIRS = 2 * MEMORY

pytestmark = pytest.mark.large


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    monkeypatch.setattr(classifier_module, "_openmp_effective_n_threads", lambda: N_THREADS)


def peak(X, y, solver, max_iter=4):
    """Return the most bytes that a fit held beside its input."""
    clf = SoftmaxRegressionClassifier(solver=solver, tol=0.0, max_iter=max_iter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        clf.fit(X[:8], np.arange(8) % 4)  # compiles
        tracemalloc.start()
        try:
            clf.fit(X, y)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def many_classes(n_features, n_rows=N_ROWS):
    X = np.random.default_rng(0).normal(size=(n_rows, n_features))
    return X, np.arange(n_rows) % N_CLASSES


def vector_bytes(n_features):
    return 8 * N_CLASSES * (n_features + 1)


def block_bytes(n_features):
    """Return the size of one matrix for each class."""
    return vector_bytes(n_features) * (n_features + 1)


# A few arrays of the rows of one step of the class blocks by the classes.
STEP_BYTES = 6 * 8 * BLOCKS_NUMBERS // 16

# Vectors of a solver's own. lbfgs: SciPy's workspace of 2 m + 5, its bounds, points and gradients, and our copies of these.
# newton-cg: point, gradient, the four of conjugate gradients, a trial point and temporaries. block-lbfgs: the pairs, point,
# gradient, direction, a trial point and its gradient, and temporaries of the preconditioner.
OWN_VECTORS = {LBFGS: PAIRS + 20, NewtonCG: 10, BlockLBFGS: PAIRS + 14}
SOLVERS = [LBFGS(memory=MEMORY), NewtonCG(max_inner=3), BlockLBFGS(memory=MEMORY)]


def bound(solver, n_features):
    """Return the bytes that a solver may hold, matrices not counted."""
    vectors = OWN_VECTORS[type(solver)] + N_THREADS + 2
    return vectors * vector_bytes(n_features) + N_THREADS * 4 * BLOCK_BYTES


@pytest.mark.parametrize("n_features", [64, 256])
@pytest.mark.parametrize("solver", SOLVERS[:2], ids=str)
def test_first_order_and_truncated_newton_hold_vectors_only(solver, n_features):
    assert peak(*many_classes(n_features), solver) <= bound(solver, n_features)


def test_blocks_that_would_not_fit_are_one_for_all_classes():
    solver = BlockLBFGS(memory=MEMORY)
    assert block_bytes(256) > solver.max_bytes
    assert peak(*many_classes(256), solver) <= bound(solver, 256) + STEP_BYTES + 8 * 257**2 * (N_THREADS + 4)


@pytest.mark.parametrize(
    "n_sets",
    [
        3,
        pytest.param(
            1,
            marks=pytest.mark.xfail(
                reason="the last inverse blocks and a temporary of the decided rows' share stand beside the new blocks",
                strict=True,
            ),
        ),
    ],
)
def test_block_lbfgs_holds_one_matrix_a_class(n_sets):
    """The blocks are made twice here, before the first iteration and after the third."""
    solver = BlockLBFGS(memory=MEMORY)
    assert block_bytes(32) <= solver.max_bytes
    matrices = n_sets * block_bytes(32) + 8 * 33**2 * (N_THREADS + 4)
    assert peak(*many_classes(32), solver) <= bound(solver, 32) + STEP_BYTES + matrices


@pytest.mark.parametrize(
    ("n_classes", "n_features"),
    [
        pytest.param(
            2,
            700,
            marks=pytest.mark.xfail(
                reason="the product and a gathered copy of its block stand beside the Hessian", strict=True
            ),
        ),
        (10, 69),
    ],
)
def test_newton_cholesky_holds_two_matrices(n_classes, n_features):
    """As it states: the Hessian, and the absolute values of it whose norm the condition is judged by."""
    X = np.random.default_rng(0).normal(size=(200, n_features))
    n_params = (1 if n_classes == 2 else n_classes) * (n_features + 1)
    assert peak(X, np.arange(len(X)) % n_classes, NewtonCholesky(), max_iter=1) <= 2.1 * 8 * n_params**2 + X.nbytes


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_twice_the_rows_take_no_more_memory(solver):
    """Neither a copy of X nor an array of rows times classes: both would double."""
    X, y = many_classes(16, 2 * N_ROWS)
    half = peak(X[:N_ROWS], y[:N_ROWS], solver, max_iter=1)
    whole = peak(X, y, solver, max_iter=1)
    assert whole - half < X[:N_ROWS].nbytes / 2 < 8 * N_ROWS * N_CLASSES


@pytest.mark.xfail(reason="makes the Hessian whatever its size", strict=True)
def test_newton_cholesky_asked_for_more_memory_than_there_is_falls_back_or_says_so(monkeypatch):
    """Fifty thousand parameters: the Hessian alone would be 20 GB, which some systems promise and then kill for."""
    made = []

    def hessian(self, params):
        made.append(8 * self.n_params**2)
        raise InterruptedError

    monkeypatch.setattr(Objective, "hessian", hessian)
    X = np.random.default_rng(0).normal(size=(200, 499))
    clf = SoftmaxRegressionClassifier(solver="newton-cholesky", max_iter=2)
    with warnings.catch_warnings(), suppress(InterruptedError):
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            said = clf.fit(X, np.arange(200) % 100).solution_.message
        except (MemoryError, ValueError) as error:
            said = str(error)
        assert "Hessian" in said
    assert made == []


def test_auto_takes_no_solver_whose_matrices_exceed_the_limit():
    chosen = set()
    sizes = np.unique(np.geomspace(1, 1_000_000, 25).astype(int))
    for n_features in sizes:
        for n_logits in [1, 3, 10, 100, 1000, 10_000]:
            for n_rows in [10, 1000, 100_000, 10_000_000]:
                for density in [1e-3, 1.0]:
                    n_stored = int(n_rows * n_features * density)
                    solver = choose_solver(n_stored, n_rows, int(n_features), n_logits)
                    width = int(n_features) + 1
                    chosen.add(type(solver))
                    if isinstance(solver, NewtonCholesky):
                        assert 8 * (n_logits * width) ** 2 <= MAX_MATRIX_BYTES
                    elif isinstance(solver, BlockLBFGS):
                        assert min(n_logits * 8 * width**2, solver.max_bytes) <= MAX_MATRIX_BYTES
                        assert 8 * width**2 <= MAX_MATRIX_BYTES
    assert chosen == {NewtonCholesky, BlockLBFGS, LBFGS}


@pytest.mark.parametrize("n_bytes", [0, 8 * 3 * 6**2 - 1, 8 * 3 * 6**2])
def test_class_blocks_keep_within_their_limit(make_problem, n_bytes, monkeypatch):
    X, y, _ = make_problem(60, 5, 3)
    shapes = []
    class_blocks = Objective.class_blocks

    def watch(self, params, *, max_bytes):
        blocks = class_blocks(self, params, max_bytes=max_bytes)
        shapes.append(blocks.shape)
        return blocks

    monkeypatch.setattr(Objective, "class_blocks", watch)
    SoftmaxRegressionClassifier(solver=BlockLBFGS(max_bytes=n_bytes)).fit(X, y)
    assert set(shapes) == {(3 if n_bytes >= 8 * 3 * 6**2 else 1, 6, 6)}
