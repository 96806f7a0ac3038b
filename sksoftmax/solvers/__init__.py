"""Solvers: how ``SoftmaxRegressionClassifier(solver=...)`` minimises, by a name in ``SOLVERS`` or as an object with parameters.

``BATCH_SOLVERS`` look at all rows in every iteration and differ in speed alone; ``solver="auto"`` takes the one of them that
should be fastest. ``STOCHASTIC_SOLVERS`` step after each minibatch, have learning rates (``solvers.schedules``) and offer
``partial_fit``; ``SAGA`` steps after each row. ``Solution``, an estimator's ``solution_``, is what a solver returns.
"""

from typing import Any

from ..objectives._contracts import Differentiable, FiniteSum, HasDual, HasHessian, HasPreconditioner, HasProx, Objective
from . import schedules
from ._base import Solver
from ._solution import History, Iteration, Observer, Solution, Status, StoppingRule
from ._stochastic import State, StochasticSolver
from .block_lbfgs import BlockLBFGS
from .lbfgs import LBFGS
from .newton_cg import NewtonCG
from .newton_cholesky import NewtonCholesky
from .saga import SAGA
from .stochastic import SGD, AdaGrad, Adam, RMSProp

BATCH_SOLVERS: dict[str, type[Solver[Any]]] = {
    "block-lbfgs": BlockLBFGS,
    "lbfgs": LBFGS,
    "newton-cg": NewtonCG,
    "newton-cholesky": NewtonCholesky,
}
# Those that learn from minibatches, and from parts of the data: what ``partial_fit`` asks for.
STOCHASTIC_SOLVERS: dict[str, type[StochasticSolver]] = {
    "adagrad": AdaGrad,
    "adam": Adam,
    "rmsprop": RMSProp,
    "sgd": SGD,
}
SOLVERS: dict[str, type[Solver[Any]]] = {**BATCH_SOLVERS, **STOCHASTIC_SOLVERS, "saga": SAGA}


def solver_class(solver: str | Solver[Any]) -> type[Solver[Any]]:
    """Return the class of a solver given by name or as an object; that of all solvers for ``"auto"`` and what is none."""
    if isinstance(solver, Solver):
        return type(solver)
    return SOLVERS.get(solver, Solver) if isinstance(solver, str) else Solver


def as_solver(solver: str | Solver[Any]) -> Solver[Any]:
    """Return the solver that a name in ``SOLVERS`` stands for, with default parameters; a solver itself."""
    return solver if isinstance(solver, Solver) else SOLVERS[solver]()


# What "auto" expects of a fit, in operations of BLAS on a matrix (some 0.1 ns), measured on tables of 150 to 50,000 rows.
NEWTON_ITERATIONS, BLOCK_ITERATIONS, BLOCK_REFRESHES = 7, 12, 2
NEWTON_OVERHEAD, BLOCK_OVERHEAD = 1.5e6, 3e6  # of an iteration, whatever the size
PASS_COST = 5  # of an operation of a pass over X
PAIR_COST = 40  # of a row's second derivative by a pair of logits
MAX_MATRIX_BYTES = 2**28


def choose_solver(
    n_stored: int, n_rows: int, n_features: int, n_logits: int, *, has_hessian: bool = True, strictly_convex: bool = True
) -> Solver[Any]:
    """Return the solver that ``"auto"`` stands for: the one that should cost the fewest operations.

    Parameters
    ----------
    n_stored : int
        Numbers stored in X.
    n_rows, n_features, n_logits : int
    has_hessian, strictly_convex : bool, default=True
        Whether the loss has second derivatives, and whether they vanish nowhere.

    Returns
    -------
    Solver
        ``NewtonCholesky`` for few coefficients, whose Hessian must fit in 256 MiB, else ``BlockLBFGS``; ``BlockLBFGS`` for
        a loss that has no Hessian, or one that may be singular.

    Examples
    --------
    >>> from sksoftmax.solvers import choose_solver
    >>> choose_solver(n_stored=150 * 4, n_rows=150, n_features=4, n_logits=3)
    NewtonCholesky(max_bytes=8589934592)
    >>> choose_solver(n_stored=60_000 * 784, n_rows=60_000, n_features=784, n_logits=10)
    BlockLBFGS(memory=20, max_bytes=536870912)
    """
    # Both need a number of iterations that hardly depends on the problem: scaling the Hessian, or the blocks, takes the
    # columns' units out. An iteration of Newton's costs the pairs of logits' weighted Gram matrices and a factor, p³ / 3. One
    # of block L-BFGS costs two products with X, of two operations a stored number, for each logit; its blocks cost a weighted
    # Gram matrix for each class that a row is undecided about, and a factor a class.
    width = n_features + 1
    n_params, n_pairs = n_logits * width, n_logits * (n_logits + 1) / 2
    newton = NEWTON_ITERATIONS * (NEWTON_OVERHEAD + n_rows * n_pairs * (width**2 + PAIR_COST) + n_params**3 / 3)
    # A row is undecided about two classes, most often.
    refresh = n_rows * width**2 * min(n_logits, 2) + n_logits * width**3
    block = BLOCK_ITERATIONS * (BLOCK_OVERHEAD + PASS_COST * 4 * n_stored * n_logits) + BLOCK_REFRESHES * refresh
    return (
        NewtonCholesky()
        if has_hessian and strictly_convex and newton <= block and 8 * n_params**2 <= MAX_MATRIX_BYTES
        else BlockLBFGS()
    )


__all__ = [
    "BATCH_SOLVERS",
    "LBFGS",
    "SAGA",
    "SGD",
    "SOLVERS",
    "STOCHASTIC_SOLVERS",
    "AdaGrad",
    "Adam",
    "BlockLBFGS",
    "Differentiable",
    "FiniteSum",
    "HasDual",
    "HasHessian",
    "HasPreconditioner",
    "HasProx",
    "History",
    "Iteration",
    "NewtonCG",
    "NewtonCholesky",
    "Objective",
    "Observer",
    "RMSProp",
    "Solution",
    "Solver",
    "State",
    "Status",
    "StochasticSolver",
    "StoppingRule",
    "choose_solver",
    "schedules",
]
