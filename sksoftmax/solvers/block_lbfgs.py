"""L-BFGS preconditioned by the Hessian's class blocks: few passes over X, whatever the scale of the columns."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from ..objective import Objective
from ._base import Callback, Solution, Solver, Trace, line_search, max_norm

Vector = NDArray[np.float64]


@dataclass
class BlockLBFGS(Solver):
    r"""L-BFGS whose initial inverse Hessian is that of the class blocks, projected.

    .. math:: H_0 = Q \, \mathrm{blockdiag}(H_1^{-1}, \ldots, H_K^{-1}) \, Q, \qquad
              H_k = X^\top \mathrm{diag}(w \, p_k (1 - p_k)) X + \alpha I

    at a recent point, with the intercept's row and column in each block. Q subtracts the mean over the classes: a softmax
    does not feel a vector added to every class's coefficients, and without Q steps would drift along such vectors, where only
    the penalty pulls back. The blocks see scale and correlation of the columns, L-BFGS learns how the classes are coupled.

    Making the blocks costs about ``n_rows * n_features²`` operations for each class that a row is undecided about, and
    ``n_classes * n_features²`` numbers of memory; it is done at the start and after 3, 8, 15, 30, 60, … iterations. An
    iteration is one pass over X as in plain L-BFGS, and some tens of them are usual where that takes hundreds or thousands.
    Where the blocks would take more than ``max_bytes``, one block with the mean curvature of the classes serves them all.

    Stops when the gradient is within the tolerance and the decrease that the inverse Hessian promises, in nats, within 1e-3
    of it, or when that decrease is lost in the rounding of the objective. The promise does not depend on the scale of the
    columns, which the gradient does.

    Parameters
    ----------
    memory : int, default=20
        Pairs of steps and gradient changes kept.
    max_bytes : int, default=2**28
        Most memory for the blocks.

    References
    ----------
    Nocedal & Wright (2006), "Numerical Optimization", algorithm 7.4.
    Böhning (1992), "Multinomial logistic regression algorithm", for the curvature at equal probabilities.
    """

    memory: int = 20
    max_bytes: int = 2**28

    def solve(
        self,
        objective: Objective,
        start: Vector,
        *,
        tol: float,
        max_iter: int,
        callback: Callback | None = None,
    ) -> Solution:
        trace = Trace(callback)
        params = centred(objective, start)
        value, gradient = objective.value_and_gradient(params)
        pairs: deque[tuple[Vector, Vector, float]] = deque(maxlen=self.memory)
        converged = max_norm(gradient) == 0
        reason, refresh_at, promised = "", 0, np.inf
        while not converged and len(trace.history) < max_iter and not trace.stopped:
            if len(trace.history) >= refresh_at:
                inverse = self._inverse_blocks(objective, params)
                refresh_at = next_refresh(refresh_at)
            direction = -two_loops(gradient, pairs, objective, inverse)
            slope = float(gradient @ direction)
            promised = -slope / 2
            # An eighth, as steps below the rounding of the value still lower the gradient.
            if promised <= objective.rounding(value) / 8 or (max_norm(gradient) <= tol and promised <= tol / 1000):
                converged = True
                break
            found = line_search(objective, params, value, direction, slope)
            if found is None:
                reason = " (the line search found no lower point)"
                break
            change = found[2] - gradient
            step = found[0] - params
            if step @ change > np.finfo(np.float64).eps * (change @ change):
                pairs.append((step, change, 1 / float(step @ change)))
            params, value, gradient = found
            trace.record(params, value, gradient)
        if not converged and max_norm(gradient) <= tol:
            reason = f" (the last step promised to lower the objective by {promised:.1g} nats, more than {tol / 1000:.1g})"
        outcome = "converged" if converged else "failed to converge"
        message = f"block-lbfgs {outcome} after {len(trace.history)} iterations{reason}"
        return trace.solution(params, value, gradient, converged=converged, message=message)

    def _inverse_blocks(self, objective: Objective, params: Vector) -> NDArray[np.float64]:
        blocks = objective.class_blocks(params, max_bytes=self.max_bytes)
        for k in range(len(blocks)):
            blocks[k] = invert(blocks[k])
        return blocks


def centred(objective: Objective, vector: Vector) -> Vector:
    """Return vector less its mean over the classes, which no step would change: the loss is the same, the penalty lower."""
    rows = objective.by_class(vector)
    return objective.from_classes(rows - rows.mean(axis=0)) if objective.shift_invariant else vector.copy()


def next_refresh(iteration: int) -> int:
    """Return the iteration after which the blocks are made anew next: 3, 8, 15, 30, 60, …"""
    return {0: 3, 3: 8, 8: 15}.get(iteration, 2 * iteration)


def invert(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse of a positive semi-definite matrix, scaled to a unit diagonal and lifted until it has one.

    Where squares of the columns overflow, that is the identity: no preconditioner, but a descent direction.
    """
    if not np.all(np.isfinite(block)):
        return np.eye(len(block))
    diagonal = block.diagonal().copy()
    scale = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1))
    scaled = block * scale * scale[:, None]
    lift = 1e-14
    while True:
        np.fill_diagonal(scaled, 1 + lift)
        factor, info = lapack.dpotrf(scaled, lower=1)
        if info == 0:
            break
        lift *= 100
    inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    return inverse * scale * scale[:, None]


def precondition(objective: Objective, inverse: NDArray[np.float64], vector: Vector) -> Vector:
    """Return ``Q blockdiag(inverse) Q vector``; one block serves all classes if there is only one."""
    rows = objective.by_class(centred(objective, vector))
    rows = rows @ inverse[0] if len(inverse) == 1 else np.matmul(inverse, rows[:, :, None])[:, :, 0]
    return centred(objective, objective.from_classes(rows))


def two_loops(
    gradient: Vector, pairs: deque[tuple[Vector, Vector, float]], objective: Objective, inverse: NDArray[np.float64]
) -> Vector:
    """Return the inverse Hessian approximation times the gradient: the preconditioner's, corrected by the pairs."""
    vector = gradient.copy()
    shares = []
    for step, change, curvature in reversed(pairs):
        shares.append(curvature * float(step @ vector))
        vector -= shares[-1] * change
    if pairs:
        # Blocks made where the classes were less decided promise too long a step: the last pair tells by how much.
        step, change, curvature = pairs[-1]
        vector *= min(1.0, 1 / (curvature * float(change @ precondition(objective, inverse, change))))
    vector = precondition(objective, inverse, vector)
    for (step, change, curvature), share in zip(pairs, reversed(shares), strict=True):
        vector += (share - curvature * float(change @ vector)) * step
    return vector
