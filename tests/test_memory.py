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
from sklearn.utils.fixes import parse_version, sp_version

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.data import threads as threads_module
from sksoftmax.data.dataset import in_memory
from sksoftmax.data.rows import BLOCK_BYTES
from sksoftmax.losses import CrossEntropy, Targets
from sksoftmax.objectives.class_blocks import STEP_NUMBERS
from sksoftmax.objectives.linear import LinearObjective
from sksoftmax.penalties import L2
from sksoftmax.solvers import LBFGS, MAX_MATRIX_BYTES, BlockLBFGS, NewtonCG, NewtonCholesky, choose_solver

N_THREADS = 2
N_ROWS, N_CLASSES = 2000, 1000
MEMORY = 3  # pairs: as many as the iterations of these tests can fill
PAIRS = 2 * MEMORY

pytestmark = pytest.mark.large


@pytest.fixture(autouse=True)
def two_threads(monkeypatch):
    monkeypatch.setattr(threads_module, "_openmp_effective_n_threads", lambda: N_THREADS)


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
STEP_BYTES = 6 * 8 * STEP_NUMBERS // 16

# Vectors of a solver's own. lbfgs: SciPy's workspace of 2 m + 5, its bounds, points and gradients, and our copies of these.
# newton-cg: point, gradient, the four of conjugate gradients, a trial point and temporaries. block-lbfgs: the pairs and the
# preconditioned change of each, point, gradient, direction, a trial point and its gradient, and temporaries of the
# preconditioner.
# SciPy before 1.15 wraps Fortran, with copies of its own.
SCIPY_VECTORS = 20 if sp_version >= parse_version("1.15") else 28
OWN_VECTORS = {LBFGS: PAIRS + SCIPY_VECTORS, NewtonCG: 10, BlockLBFGS: PAIRS + MEMORY + 14}
SOLVERS = [LBFGS(memory=MEMORY), NewtonCG(max_inner=3), BlockLBFGS(memory=MEMORY)]


def bound(solver, n_features):
    """Return the bytes that a solver may hold, matrices not counted."""
    best = 1  # which an interrupted fit keeps
    vectors = OWN_VECTORS[type(solver)] + best + N_THREADS + 2
    return vectors * vector_bytes(n_features) + N_THREADS * 4 * BLOCK_BYTES


@pytest.mark.parametrize("n_features", [64, 256])
@pytest.mark.parametrize("solver", SOLVERS[:2], ids=str)
def test_first_order_and_truncated_newton_hold_vectors_only(solver, n_features):
    assert peak(*many_classes(n_features), solver) <= bound(solver, n_features)


def test_blocks_that_are_not_worth_their_memory_are_a_basis_and_spectra():
    """Beside the vectors: Gram matrix, basis, and what finding that and turning rows to it take; spectra of a few segments."""
    solver = BlockLBFGS(memory=MEMORY)
    matrices = 8 * 257**2 * (N_THREADS + 6) + (N_THREADS + 2) * vector_bytes(256)
    assert peak(*many_classes(256), solver, max_iter=8) <= bound(solver, 256) + STEP_BYTES + matrices
    assert bound(solver, 256) + STEP_BYTES + matrices < block_bytes(256) / 4


@pytest.mark.slow
def test_block_lbfgs_holds_one_matrix_a_class():
    """The blocks of all classes are made twice here, after six and after twelve iterations."""
    solver = BlockLBFGS(memory=MEMORY)
    matrices = block_bytes(32) + 8 * 33**2 * (N_THREADS + 4)
    held = peak(*many_classes(32), solver, max_iter=14)
    assert held <= bound(solver, 32) + STEP_BYTES + matrices
    assert held > block_bytes(32)


@pytest.mark.parametrize(
    ("n_classes", "n_features"),
    [(2, 700), (10, 69)],
)
def test_newton_cholesky_holds_two_matrices(n_classes, n_features):
    """As it states: the Hessian, and the absolute values of it whose norm the condition is judged by."""
    X = np.random.default_rng(0).normal(size=(200, n_features))
    n_params = (1 if n_classes == 2 else n_classes) * (n_features + 1)
    assert peak(X, np.arange(len(X)) % n_classes, NewtonCholesky(), max_iter=1) <= 2.1 * 8 * n_params**2 + X.nbytes


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_twice_the_rows_take_no_more_memory(solver, monkeypatch):
    """Neither a copy of X nor an array of rows times classes: both would double.

    On one thread: whether the blocks of two are held at once is a matter of chance.
    """
    monkeypatch.setattr(threads_module, "_openmp_effective_n_threads", lambda: 1)
    X, y = many_classes(16, 2 * N_ROWS)
    half = peak(X[:N_ROWS], y[:N_ROWS], solver, max_iter=1)
    whole = peak(X, y, solver, max_iter=1)
    assert whole - half < X[:N_ROWS].nbytes / 2 < 8 * N_ROWS * N_CLASSES


def test_newton_cholesky_asked_for_more_memory_than_there_is_falls_back_or_says_so(monkeypatch):
    """Fifty thousand parameters: the Hessian alone would be 20 GB, which some systems promise and then kill for."""
    made = []

    def hessian(self, params):
        made.append(8 * self.n_params**2)
        raise InterruptedError

    monkeypatch.setattr(LinearObjective, "hessian", hessian)
    X = np.random.default_rng(0).normal(size=(500, 499))
    clf = SoftmaxRegressionClassifier(solver="newton-cholesky", max_iter=2)
    with warnings.catch_warnings(), suppress(InterruptedError):
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            said = clf.fit(X, np.arange(500) % 100).solution_.message
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
    assert chosen == {NewtonCholesky, BlockLBFGS}  # whose matrices keep within max_bytes, whatever the size


@pytest.mark.parametrize("n_bytes", [0, 2 * 8 * 6**2, 8 * 3 * 6**2])
def test_matrices_keep_within_their_limit(make_problem, n_bytes):
    X, y, _ = make_problem(60, 5, 3)
    targets = Targets(3, np.full(60, 1 / 60), labels=y.astype(np.int32))
    objective = LinearObjective(in_memory(X, targets), CrossEntropy().bind(targets), L2(), 0.1, fit_intercept=True)
    params = np.random.default_rng(0).normal(size=objective.n_params)
    precondition = objective.preconditioner(params, max_bytes=n_bytes)
    arrays = [array for array in vars(precondition).values() if isinstance(array, np.ndarray)]
    assert sum(array.nbytes for array in arrays if array.size > objective.n_params) <= n_bytes
    vector = np.random.default_rng(1).normal(size=objective.n_params)
    assert vector @ precondition(vector) > 0
