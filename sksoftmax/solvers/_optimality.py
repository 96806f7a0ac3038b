r"""What is left to the optimum, and how much may be left where a solver says that it has converged.

What lives here: the allowances of all solvers, ``OptimalityTest``, a bound or an estimate from the outside, and ``Distance``,
from the Newton step. What doesn't: the bound's derivation (``objectives.duality_gap``), and the tolerance of the gradient.

What is left is always a *predicted decrease* of the objective, in nats: with a model H of the Hessian and the gradient
g, :math:`\tfrac{1}{2} g^\top H^{-1} g`, half the square of the Newton decrement. Unlike the gradient it does not depend on the
scale of the columns. The better the model, the more may be left.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from ..objectives._contracts import FiniteSum, HasDual, HasHessian, HasPreconditioner, Objective, Vector
from ._base import without_shift
from ._conjugate_gradients import conjugate_gradients, diagonal_scale
from ._requirements import meets

# The tolerance over the predicted decrease that is allowed, in nats.
# By a Newton step that is solved for. What is left after it is of the order of its square.
NEWTON_SHARE = 100
# By class blocks at the point, which leave out how the classes are coupled and may predict too little.
BLOCKS_SHARE = 5_000
# By the approximate inverse Hessian of block L-BFGS. Dense and sparse fits of the same rows, whose preconditioners differ, are
# within 3e-4 of each other in probability on tables of hundreds of columns, for 3 to 9 % more iterations than with 5,000.
BLOCK_LBFGS_SHARE = 20_000
# A stochastic solver may be so many nats above the optimum, and off by so much in any row's probability: half of what
# ``converged_`` is documented to mean, as the model has an error.
NATS, PROBABILITY = 0.5e-4, 0.5e-2

# Most memory for the matrices of a model that is asked once.
MAX_BYTES = 2**29
# Relative residual of the Newton system; most products, and most of them once the point is known to be far away.
RESIDUAL, MAX_PRODUCTS, MAX_PRODUCTS_AFAR = 1e-3, 100, 10


# With f(x + d) = f(x) + gᵀd + ½ dᵀH d + O(‖d‖³), the minimum over d is -½ gᵀH⁻¹g, at d = -H⁻¹g: f(x) - min f is about half the
# square of the Newton decrement (gᵀH⁻¹g)^½ (Boyd & Vandenberghe, "Convex Optimization", section 9.5.1). Under a linear map of
# the parameters x = A u, g becomes Aᵀg and H becomes AᵀH A: the decrement is the same, and so is any one by a model that is
# mapped alike. That is so of the whole Hessian for any A, and of class blocks for those that scale and mix columns.
#
# A model M in the place of H is off by at most the extreme eigenvalues of M⁻¹H, and from below where M has more curvature: the
# allowance is the less the coarser the model, by the SHAREs above. The duality gap is no estimate but a bound, loose by the
# ratio of the data's curvature to the penalty's: it is asked first, as what it proves needs no allowance, and the model where
# it proves nothing. Neither the change of the value nor of the parameters by an iteration was taken: both are small where
# progress is slow.


class OptimalityTest:
    """Whether a point is near the optimum, for solvers whose own steps give no evidence of it.

    By the duality gap, a bound, or else by the decrease that the class blocks of the Hessian predict. A gradient alone is
    no evidence: its components are in the units of the columns, and along small or correlated columns much may be left where
    all of them are small. Of an objective that has neither a bound nor a preconditioner it is all that is known.

    Parameters
    ----------
    objective : Objective
    tol : float
        What is left may be ``tol`` of the objective by the bound, or ``tol / BLOCKS_SHARE`` nats by the estimate.

    Attributes
    ----------
    left : float
        What was found to be left at the last point asked for, in nats; inf if nothing is known.
    """

    def __init__(self, objective: Objective, tol: float) -> None:
        self._objective, self._tol = objective, tol
        self.left = np.inf

    def holds(self, params: Vector, value: float, gradient: Vector) -> bool:
        """Return whether a point is near the optimum."""
        objective, tol = self._objective, self._tol
        if not objective.smooth:
            return False
        noise = objective.value_noise(value)
        if meets(objective, HasDual):
            self.left = objective.duality_gap(params)
            if self.left <= max(tol * abs(value), noise):
                return True
        if not np.any(gradient):
            return True
        if meets(objective, HasPreconditioner):
            self.left = predicted_decrease(objective, params, gradient)
            return self.left <= max(tol / BLOCKS_SHARE, noise / 8)
        return not meets(objective, HasDual) and objective.gradient_norm(gradient) <= tol


def predicted_decrease(objective: HasPreconditioner, params: Vector, gradient: Vector) -> float:
    """Return what a step by the class blocks at params would lower the objective by, were these the whole Hessian."""
    return 0.5 * float(gradient @ objective.preconditioner(params, max_bytes=MAX_BYTES)(gradient))


class HasNewtonStep(FiniteSum, HasHessian, HasPreconditioner, Protocol):
    """What the distance is found by."""


class Distance(NamedTuple):
    """What the Newton step says of the way to the optimum.

    Attributes
    ----------
    predicted_decrease : float
        Of the mean loss plus penalty, in nats; less than the step's where that is not solved for.
    change_of_proba : float
        The most that the step changes a row's probability by; NaN where the decrease shows that the optimum is far.
    solved : bool
        Whether the step is that of Newton, and not cut short.
    """

    predicted_decrease: float
    change_of_proba: float
    solved: bool

    @property
    def near(self) -> bool:
        """Whether the point is the optimum as ``converged_`` means it."""
        return self.solved and self.predicted_decrease <= NATS and self.change_of_proba <= PROBABILITY

    def __str__(self) -> str:
        if self.predicted_decrease > NATS:
            return f"about {self.predicted_decrease:.2g} nats a row{'' if self.solved else ' or more'} above the optimum"
        if self.solved:
            return f"where a Newton step would change probabilities by up to {self.change_of_proba:.2g}"
        return f"where {MAX_PRODUCTS} Hessian products do not bound the distance to the optimum"


def distance(objective: FiniteSum, params: Vector, gradient: Vector) -> Distance | None:
    """Return how far params, of that gradient, are from the optimum; None for a loss without a Hessian.

    Parameters
    ----------
    objective : FiniteSum
    params, gradient : ndarray of shape (n_params,), float64
    """
    # The Newton step d, H d = -g, by conjugate gradients: the objective is about -½ gᵀd above its minimum, and d changes each
    # row's probabilities by about as much as the way to the optimum would. Conjugate gradients lower the model in every
    # iteration: cut short they give a lower bound, so that a point far away is found to be so after a few products, each about
    # as dear as an epoch. A quadratic model made of gradients met on the way was not taken: their noise is of the order of what
    # is looked for. Nor was the bound ‖g‖² / 2μ with the strong convexity μ, which is the penalty's and makes this the duality
    # gap: what the steps' noise leaves in the gradient lies along columns of large curvature, and the bound takes it to lie
    # along the flattest.
    if not meets(objective, HasNewtonStep):
        return None
    scale = diagonal_scale(objective.hessian_diagonal(np.zeros_like(params)))
    residual = -without_shift(objective, gradient)
    squared = float(residual @ (residual / scale))
    # With the residual r of the system, ½ rᵀH⁻¹r is left of the decrease: at most rᵀM⁻¹r max(M) / 2λ, as the penalty gives H at
    # least the curvature λ along coefficients. ``enough`` makes that a hundredth of NATS.
    enough = NATS / 50 * objective.l2_strength / float(np.max(scale))
    bound = max(RESIDUAL**2 * squared, enough)
    iterates = conjugate_gradients(lambda vector: objective.hessian_product(params, vector), residual, scale)
    step, nats, solved = np.zeros_like(gradient), 0.0, squared <= bound
    for n_products in range(MAX_PRODUCTS):
        if solved or (nats > NATS and n_products >= MAX_PRODUCTS_AFAR):
            break
        iterate = next(iterates, None)
        if iterate is None:
            break  # flat, as where the classes are separated and nothing is penalised
        step = iterate.solution
        nats += iterate.decrease
        solved = iterate.residual_norm <= bound
    if not solved or nats > NATS:
        return Distance(nats, np.nan, solved)
    # The residual is relative to curvature where all classes are equally likely. An outlier's is far above that at the point,
    # so that residuals of ordinary rows, with which the optimum is far, look like nothing: blocks at the point are free of
    # that.
    by_blocks = predicted_decrease(objective, params, gradient)
    if by_blocks > NATS:
        return Distance(by_blocks, np.nan, solved=False)
    objective.project_out_shift(step)
    return Distance(nats, objective.change_of_proba(params, step), solved)
