"""L-BFGS preconditioned by the Hessian's class blocks: few passes over X, whatever the scale of the columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.linalg import lapack

from ..objectives._contracts import HasPreconditioner, Preconditioner
from ._base import History, Solution, Solver, Status, StoppingRule, Vector, advise_newton, without_shift
from ._line_search import line_search

MIN_PAIRS, PAIRS_BYTES = 6, 2**27
# The tolerance over what a step may promise, in nats. Dense and sparse fits of the same rows, whose preconditioners differ, are
# within 3e-4 of each other in probability on tables of hundreds of columns, for 3 to 9 % more iterations than with 5,000.
SHARE = 20_000
# Iterations in a row that lower an objective that is not convex by no more than rounding: a convex one's line search tells.
MAX_STALLED = 5


@dataclass
class BlockLBFGS(Solver[HasPreconditioner]):
    r"""L-BFGS whose initial inverse Hessian is that of the class blocks, projected.

    .. math:: H_0 = Q \, \mathrm{blockdiag}(H_1^{-1}, \ldots, H_K^{-1}) \, Q, \qquad
              H_k = X^\top \mathrm{diag}(w \, p_k (1 - p_k)) X + \alpha I

    at a recent point, with the intercept's row and column in each block. Q subtracts the mean over the classes: a softmax
    does not feel a vector added to every class's coefficients, and without Q steps would drift along such vectors, where only
    the penalty pulls back. The blocks see scale and correlation of the columns, L-BFGS learns how the classes are coupled.

    Making the blocks costs about ``n_rows * n_features²`` operations for each class that a row is undecided about, and
    ``n_classes * n_features²`` numbers of memory. An iteration is one pass over X as in plain L-BFGS, and some tens of them
    are usual where that takes hundreds or thousands. At the start, where the classes are alike, one block serves them all;
    they are made anew after 10, 40, 160, … iterations, or 6, 12, 24, … where that is cheap. Of many wide rows the first ones
    see a quarter, then half, then all.

    Where the blocks would take more than ``max_bytes``, the curvatures of each class along the eigenvectors of the classes'
    mean block stand for them. In sparse rows the heaviest columns have blocks and the others the diagonal of the Hessian.

    Stops when the gradient is within the tolerance and the decrease that the inverse Hessian promises, in nats, within 5e-5
    of it, or when that decrease is lost in the rounding of the objective. The promise does not depend on the scale of the
    columns, which the gradient does.

    Parameters
    ----------
    memory : int, default=20
        Pairs of steps and gradient changes kept: three vectors each.
    max_bytes : int, default=2**29
        Most memory for the blocks.

    References
    ----------
    Nocedal & Wright (2006), "Numerical Optimization", algorithm 7.4.
    Böhning (1992), "Multinomial logistic regression algorithm", for the curvature at equal probabilities.
    """

    memory: int = 20
    max_bytes: int = 2**29

    requires: ClassVar[tuple[type, ...]] = (HasPreconditioner,)

    def minimise(self, objective: HasPreconditioner, start: Vector, *, stop: StoppingRule, history: History) -> Solution:
        tol, max_iter = stop.gradient_tol, stop.max_iter
        params = without_shift(objective, start)
        value, gradient = objective.value_and_gradient(params)
        pairs = LBFGSMemory(min(self.memory, max(MIN_PAIRS, PAIRS_BYTES // (3 * params.nbytes))), len(params))
        converged = objective.gradient_norm(gradient) == 0
        reason, refresh_at, n_made, promised = "", 0, 0, np.inf
        n_stalled, before_value, status = 0, np.inf, Status.MAX_ITER
        precondition: Preconditioner | None = None
        while not converged and len(history.iterations) < max_iter and not history.stopped:
            if precondition is None or len(history.iterations) >= refresh_at:
                precondition = None  # gives its memory back before the next one takes as much
                precondition = objective.preconditioner(params, max_bytes=self.max_bytes, n_made=n_made)
                n_made += 1
                refresh_at = next_refresh(refresh_at, is_costly=precondition.is_costly)
                preconditioned = precondition(gradient)
                pairs.precondition(precondition)
            direction = -pairs.inverse_hessian_product(gradient, preconditioned)
            slope = float(gradient @ direction)
            promised = -slope / 2
            if not objective.convex:
                # Pairs from where it bends downwards may shorten steps beyond reason: the blocks alone must promise little too.
                promised = max(promised, 0.5 * float(gradient @ preconditioned))
                n_stalled = n_stalled + 1 if before_value - value <= objective.value_noise(value) else 0
            before_value = value
            # An eighth, as steps below the rounding of the value still lower the gradient.
            # Gradients are small near saddle points, too: it takes more to tell them from minima.
            bound = tol if objective.convex or not history.iterations else tol / 10
            if promised <= objective.value_noise(value) / 8 or (
                promised <= bound / SHARE and (objective.gradient_norm(gradient) <= bound or n_stalled >= MAX_STALLED)
            ):
                converged = objective.smooth
                reason, status = "" if converged else " (at a kink of the loss, nothing tells what is left)", Status.KINK
                break
            longest = objective.longest_step(params, direction)
            found = line_search(objective, params, value, longest * direction, longest * slope)
            if found is None:
                reason, status = " (the line search found no lower point)", Status.LINE_SEARCH_FAILED
                break
            before = params, gradient, preconditioned
            params, value, gradient = found
            preconditioned = precondition(gradient)
            step, change = params - before[0], gradient - before[1]
            curvature = float(step @ change)
            if curvature > np.finfo(np.float64).eps * (change @ change):
                pairs.add(step, change, preconditioned - before[2])
            history.record(params, value, gradient)
        if not converged and objective.gradient_norm(gradient) <= tol and np.isfinite(promised):
            reason = f" (the last step promised to lower the objective by {promised:.1g} nats, more than {tol / SHARE:.1g})"
        outcome = "converged" if converged else "failed to converge"
        message = f"block-lbfgs {outcome} after {len(history.iterations)} iterations{reason}"
        return history.solution(params, value, gradient, status=Status.CONVERGED if converged else status, message=message)

    def _advise(self, solution: Solution, stop: StoppingRule) -> str:
        return advise_newton(solution, stop)


def next_refresh(iteration: int, *, is_costly: bool) -> int:
    """Return the iteration after which the preconditioner is made anew next."""
    if is_costly:
        return 4 * iteration or 10
    return 2 * iteration or 6


class LBFGSMemory:
    """Steps s, gradient changes y and these preconditioned, Py, as rows of three matrices, and the products that L-BFGS needs.

    The newest pair takes the oldest one's row. The compact form of the inverse Hessian asks for a few products with whole
    matrices where the two-loop recursion takes a hundred short steps.

    Parameters
    ----------
    capacity : int
    n_params : int

    References
    ----------
    Byrd, Nocedal & Schnabel (1994), "Representations of quasi-Newton matrices and their use in limited memory methods".
    """

    def __init__(self, capacity: int, n_params: int) -> None:
        self._capacity = capacity
        self._order = np.empty(0, dtype=np.intp)  # rows in use, oldest first
        self._shape = (capacity, n_params)
        # Made with the first pair: a start that is the optimum needs none.
        self._steps = self._changes = self._preconditioned = np.empty((0, n_params))
        # By row: s_i @ y_j, and y_i @ P y_j.
        self._curvatures, self._metrics = np.zeros((capacity, capacity)), np.zeros((capacity, capacity))

    def add(self, step: Vector, change: Vector, preconditioned: Vector) -> None:
        """Keep a pair."""
        if len(self._order) == 0:
            self._steps, self._changes, self._preconditioned = (np.empty(self._shape) for _ in range(3))
        full = len(self._order) == self._capacity
        row = self._order[0] if full else len(self._order)
        self._order = np.append(self._order[full:], row)
        self._steps[row], self._changes[row], self._preconditioned[row] = step, change, preconditioned
        used = len(self._order)
        self._curvatures[:used, row] = self._steps[:used] @ change
        self._metrics[row, :used] = self._metrics[:used, row] = self._preconditioned[:used] @ change

    def precondition(self, precondition: Preconditioner) -> None:
        """Apply a new preconditioner to the changes."""
        used = len(self._order)
        for row in range(used):
            self._preconditioned[row] = precondition(self._changes[row])
        self._metrics[:used, :used] = self._changes[:used] @ self._preconditioned[:used].T

    def inverse_hessian_product(self, gradient: Vector, preconditioned: Vector) -> Vector:
        """Return the approximate inverse Hessian times gradient; ``preconditioned`` is the preconditioner times it."""
        used, order = len(self._order), self._order
        if used == 0:
            return preconditioned
        grid = np.ix_(order, order)
        curvatures, metrics = self._curvatures[grid], self._metrics[grid]
        # Blocks made where the classes were less decided promise too long a step: the last pair tells by how much.
        scale = min(1.0, curvatures[-1, -1] / metrics[-1, -1])
        along, across = (self._steps[:used] @ gradient)[order], (self._preconditioned[:used] @ gradient)[order]
        # With R the upper triangle of curvatures: R p = S g, then Rᵀ q = (D + Yᵀ P Y) p - Yᵀ P g.
        outer, _ = lapack.dtrtrs(curvatures, along)
        inner, _ = lapack.dtrtrs(curvatures, curvatures.diagonal() * outer + scale * (metrics @ outer - across), trans=1)
        shares = np.empty((2, used))
        shares[0, order], shares[1, order] = inner, -scale * outer
        product = scale * preconditioned
        product += shares[0] @ self._steps[:used]
        product += shares[1] @ self._preconditioned[:used]
        return product
