"""L-BFGS preconditioned by the Hessian's class blocks: few passes over X, whatever the scale of the columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..objectives._contracts import HasPreconditioner, Vector
from ._base import Solver, advise_newton
from ._lbfgs_memory import LBFGSMemory
from ._optimality import BLOCK_LBFGS_SHARE
from ._quasi_newton import CONVERGED, NO_LOWER_POINT, Method, Point, Step, Verdict, descend, what_is_left
from ._solution import History, Solution, Status, StoppingRule

KINK = " (at a kink of the loss, where no bound on the decrease left is known)"
# Corrections kept at least, and beyond these most memory for them.
MIN_CORRECTIONS, MEMORY_BYTES = 6, 2**27
# Iterations in a row that lower an objective that is not convex by no more than rounding, after which it counts as stalled; a
# convex one stalls where the line search finds no lower point.
MAX_STALLED = 5


@dataclass
class BlockLBFGS(Solver[HasPreconditioner]):
    r"""L-BFGS whose initial inverse Hessian is that of the class blocks, projected.

    .. math:: H_0 = Q \, \mathrm{blockdiag}(H_1^{-1}, \ldots, H_K^{-1}) \, Q, \qquad
              H_k = X^\top \mathrm{diag}(w \, p_k (1 - p_k)) X + \alpha I

    at a recent point, with the intercept's row and column in each block. Q subtracts the mean over the classes: the loss is
    constant along a vector added to every class's coefficients, and without Q steps would have components along such vectors,
    where only the penalty has curvature. The blocks hold scale and correlation of the columns; the
    corrections add how the classes are coupled.

    Making the blocks costs about ``n_rows * n_features²`` operations for each class that a row is undecided about, and
    ``n_classes * n_features²`` numbers of memory. An iteration is one pass over X as in plain L-BFGS, and some tens of them
    are usual where that takes hundreds or thousands. At the start, where the classes are alike, one block is that of all;
    they are made anew after 10, 40, 160, … iterations, or 6, 12, 24, … where that is cheap. Of many wide rows the first
    blocks are made from a quarter, then from half, then from all.

    Where the blocks would take more than ``max_bytes``, the curvatures of each class along the eigenvectors of the classes'
    mean block stand for them. In sparse rows the heaviest columns have blocks and the others the diagonal of the Hessian.

    Stops when the gradient is within the tolerance and the decrease that the inverse Hessian predicts, in nats, within 5e-5
    of it, or when that decrease is below the rounding error of the objective. Unlike the gradient, the prediction does not
    depend on the scale of the columns.

    Parameters
    ----------
    memory : int, default=20
        Corrections kept: three vectors each, a step, the change of the gradient along it and that preconditioned.
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
        method = PreconditionedLBFGS(objective, stop.gradient_tol, memory=self.memory, max_bytes=self.max_bytes)
        return descend(method, objective, start, stop=stop, history=history)

    def _advise(self, solution: Solution, stop: StoppingRule) -> str:
        return advise_newton(solution, stop)


class PreconditionedLBFGS(Method):
    """Steps by the approximate inverse Hessian, and what these predict of the optimum.

    Parameters
    ----------
    objective, tol
        As ``Method`` has them.
    memory, max_bytes : int
        As ``BlockLBFGS`` has them.
    """

    # H₀ = γ P with P = Q blockdiag(H_k⁻¹) Q. L-BFGS with H₀ in the place of γ I is L-BFGS in the coordinates L⁻¹ params, P =
    # LLᵀ, in which the blocks are the identity (H₀ is free in each iteration: Nocedal & Wright, section 7.2). Preconditioned
    # nonlinear conjugate gradients, which keep one correction, were not taken: a correction costs a few products of vectors,
    # little beside a pass over the rows, and more corrections make for fewer passes.
    #
    # A refresh changes P alone. The corrections stay: yᵀs is the mean curvature along s and holds whatever H₀ is. Their
    # products P y are made anew then, and otherwise come without a product of their own: P y = P g' - P g, and P g' is needed
    # for the next direction anyway. To start the memory anew at each refresh was not taken, as the coupling of the classes,
    # which the blocks leave out, would be lost.
    #
    # Where the objective is not convex the Hessian may have negative curvature, and a gradient may be small near a saddle
    # point. The blocks are of a positive definite model whatever the loss, and corrections of no curvature are left out, so
    # that the inverse Hessian stays positive definite and each step one of descent. No damped update (Powell 1978), which would
    # take such corrections in part: where they come up, the blocks at the next refresh are the better information.

    label = "block-lbfgs"

    def __init__(self, objective: HasPreconditioner, tol: float, *, memory: int, max_bytes: int) -> None:
        super().__init__(objective, tol)
        self._models, self._max_bytes = objective, max_bytes
        fits = max(MIN_CORRECTIONS, MEMORY_BYTES // (3 * 8 * objective.n_params))
        self._memory = LBFGSMemory(min(memory, fits), objective.n_params)
        self._n_made = self._refresh_at = self._n_stalled = 0
        self._previous_value = np.inf

    def step(self, point: Point) -> Step:
        if point.n_iter >= self._refresh_at:
            self._refresh(point)
        direction = -self._memory.inverse_hessian_product(point.gradient, self._preconditioned)
        slope = float(point.gradient @ direction)
        predicted_decrease = -slope / 2
        if not self._objective.convex:
            # Corrections from where it bends downwards may shorten steps beyond reason: blocks alone must predict little too.
            predicted_decrease = max(predicted_decrease, 0.5 * float(point.gradient @ self._preconditioned))
            is_stalled = self._previous_value - point.value <= self._objective.value_noise(point.value)
            self._n_stalled = self._n_stalled + 1 if is_stalled else 0
        self._previous_value = point.value
        max_length = self._models.longest_step(point.params, direction)
        return Step(direction, slope, predicted_decrease, max_length)

    def _refresh(self, point: Point) -> None:
        """Make the preconditioner anew."""
        vars(self).pop("_precondition", None)  # gives its memory back before the next one takes as much
        self._precondition = self._models.preconditioner(point.params, max_bytes=self._max_bytes, n_made=self._n_made)
        self._preconditioned = self._precondition(point.gradient)
        self._memory.precondition(self._precondition)
        self._n_made += 1
        self._refresh_at = next_refresh(self._refresh_at, is_costly=self._precondition.is_costly)

    def before_step(self, point: Point, step: Step, *, has_budget: bool) -> Verdict | None:
        left, noise = step.predicted_decrease, self._objective.value_noise(point.value)
        bound = self._bound(point)
        # An eighth, as steps below the noise of the value still lower the gradient.
        met = left <= bound / BLOCK_LBFGS_SHARE and (point.gradient_norm <= bound or self._n_stalled >= MAX_STALLED)
        if not (met or left <= noise / 8):
            return None
        return CONVERGED if self._objective.smooth else Verdict(Status.KINK, KINK)

    def _bound(self, point: Point) -> float:
        """Return the tolerance at a point."""
        # Gradients are small near saddle points, too: a smaller bound passes over more of them.
        return self._tol if self._objective.convex or point.n_iter == 0 else self._tol / 10

    def without_lower_point(self, point: Point, step: Step) -> Verdict:
        return Verdict(Status.LINE_SEARCH_FAILED, self.remark(point, step) or NO_LOWER_POINT)

    def remark(self, point: Point, step: Step) -> str:
        return what_is_left(
            point, "last step", step.predicted_decrease, tol=self._tol, allowed=self._bound(point) / BLOCK_LBFGS_SHARE
        )

    def update(self, previous: Point, accepted: Point) -> None:
        preconditioned = self._precondition(accepted.gradient)
        step, change = accepted.params - previous.params, accepted.gradient - previous.gradient
        curvature = float(step @ change)
        # yᵀs ≤ ε yᵀy: curvature lost in the rounding of the gradients, or none.
        if curvature > np.finfo(np.float64).eps * (change @ change):
            self._memory.add(step, change, preconditioned - self._preconditioned)
        self._preconditioned = preconditioned


def next_refresh(iteration: int, *, is_costly: bool) -> int:
    """Return the iteration after which the preconditioner is made anew next."""
    # In geometric progression: a solve of n iterations makes about log n of them, and none is older than a fixed share of the
    # way. The point moves far at first, when the classes part, and little later. A refresh in each iteration would make this a
    # block Newton method, at n_rows · n_features² operations for each class and iteration; one when steps or predictions get
    # worse would depend on rounding, and so would the iterates after it.
    if is_costly:
        return 4 * iteration or 10
    return 2 * iteration or 6
