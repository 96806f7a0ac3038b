"""Solvers: one a file, all behind the contract in ``_base``.

What lives here: the table ``SOLVERS`` of their names and ``choose_solver``, the rule behind ``solver="auto"``.
"""

from ._base import Iteration, Solution, Solver
from .block_lbfgs import BlockLBFGS
from .lbfgs import LBFGS
from .newton_cg import NewtonCG
from .newton_cholesky import NewtonCholesky

SOLVERS: dict[str, type[Solver]] = {
    "block-lbfgs": BlockLBFGS,
    "lbfgs": LBFGS,
    "newton-cg": NewtonCG,
    "newton-cholesky": NewtonCholesky,
}

# Iterations to expect: those of L-BFGS without blocks are for columns that nobody scaled.
NEWTON_ITERATIONS = 8
BLOCK_ITERATIONS, BLOCK_REFRESHES = 40, 5
LBFGS_ITERATIONS = 1000
# What one operation of a pass over X costs in operations of BLAS on a matrix.
PASS_COST = 2
MAX_MATRIX_BYTES = 2**28


def choose_solver(n_stored: int, n_rows: int, n_features: int, n_logits: int) -> Solver:
    """Return the solver that ``"auto"`` stands for: the one that should cost the fewest operations.

    Parameters
    ----------
    n_stored : int
        Numbers stored in X.
    n_rows, n_features, n_logits : int

    Returns
    -------
    Solver
        ``NewtonCholesky`` for few coefficients, ``BlockLBFGS`` for up to some thousand features, ``LBFGS`` beyond; the
        matrices of the first two must fit in 256 MiB.

    Examples
    --------
    >>> from sksoftmax.solvers import choose_solver
    >>> choose_solver(n_stored=150 * 4, n_rows=150, n_features=4, n_logits=3)
    NewtonCholesky(max_bytes=8589934592)
    >>> choose_solver(n_stored=60_000 * 784, n_rows=60_000, n_features=784, n_logits=10)
    BlockLBFGS(memory=20, max_bytes=536870912)
    >>> choose_solver(n_stored=5_000_000, n_rows=100_000, n_features=50_000, n_logits=20)
    LBFGS(memory=10)
    """
    width = n_features + 1
    n_params = n_logits * width
    one_pass = PASS_COST * 4 * n_stored * n_logits
    # A row is undecided about two classes or so; the symmetric products need half the operations.
    refresh = 2 * n_rows * width**2 + n_logits * width**3
    newton = NEWTON_ITERATIONS * (n_rows * width**2 * n_logits * (n_logits + 1) + n_params**3 / 3)
    candidates = [
        (NewtonCholesky(), newton, n_params),
        (BlockLBFGS(), BLOCK_ITERATIONS * one_pass + BLOCK_REFRESHES * refresh, width),
        (LBFGS(), LBFGS_ITERATIONS * one_pass, 0),
    ]
    fitting = [(cost, solver) for solver, cost, order in candidates if 8 * order**2 <= MAX_MATRIX_BYTES]
    return min(fitting, key=lambda pair: pair[0])[1]


__all__ = ["LBFGS", "SOLVERS", "BlockLBFGS", "Iteration", "NewtonCG", "NewtonCholesky", "Solution", "Solver", "choose_solver"]
