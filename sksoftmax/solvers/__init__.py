"""Solvers: one a file, all behind the contract in ``_base``.

What lives here: the table ``SOLVERS`` of their names and ``choose_solver``, the rule behind ``solver="auto"``.
"""

from ._base import Iteration, Solution, Solver
from .lbfgs import LBFGS
from .newton_cg import NewtonCG
from .newton_cholesky import NewtonCholesky

SOLVERS: dict[str, type[Solver]] = {
    "lbfgs": LBFGS,
    "newton-cg": NewtonCG,
    "newton-cholesky": NewtonCholesky,
}

# Iterations to expect: Newton's hardly vary; those of L-BFGS are for columns that nobody scaled.
NEWTON_ITERATIONS = 8
LBFGS_ITERATIONS = 1000
MAX_HESSIAN_BYTES = 2**28


def choose_solver(n_stored: int, n_rows: int, n_features: int, n_logits: int) -> Solver:
    """Return the solver that ``"auto"`` stands for: the one that should cost fewer operations.

    Parameters
    ----------
    n_stored : int
        Numbers stored in X.
    n_rows, n_features, n_logits : int

    Returns
    -------
    Solver
        ``NewtonCholesky`` where its Hessian fits in 256 MiB and is cheap against many passes over X, else ``LBFGS``.

    Examples
    --------
    >>> from sksoftmax.solvers import choose_solver
    >>> choose_solver(n_stored=150 * 4, n_rows=150, n_features=4, n_logits=3)
    NewtonCholesky()
    >>> choose_solver(n_stored=60_000 * 784, n_rows=60_000, n_features=784, n_logits=10)
    LBFGS(memory=10)
    """
    n_params = n_logits * (n_features + 1)
    pairs = n_logits * (n_logits + 1) / 2
    newton = NEWTON_ITERATIONS * (2 * n_rows * (n_features + 1) ** 2 * pairs + n_params**3 / 3)
    lbfgs = LBFGS_ITERATIONS * 4 * n_stored * n_logits
    # BLAS works through the Hessian several times faster than a pass over X goes through its rows.
    fits = 8 * n_params**2 <= MAX_HESSIAN_BYTES
    return NewtonCholesky() if fits and newton <= 3 * lbfgs else LBFGS()


__all__ = ["LBFGS", "SOLVERS", "Iteration", "NewtonCG", "NewtonCholesky", "Solution", "Solver", "choose_solver"]
