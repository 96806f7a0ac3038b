r"""How far a point is from the optimum, for solvers whose own steps do not tell.

What lives here: ``distance``, from the Newton step d at the point, H d = −g, by conjugate gradients as in ``newton_cg``: the
objective is about :math:`-\tfrac{1}{2} g^\top d` above its minimum, and the step changes each row's probabilities by about as
much as the optimum would. What doesn't: any step that is taken.

Conjugate gradients lower the quadratic model in every iteration: cut short, they give a lower bound of what is left, and a
point that is far away is told from one that is near after a few Hessian products, each about as dear as an epoch.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from ..objectives._contracts import FiniteSum, HasHessian, HasPreconditioner
from ._base import Vector, without_shift
from ._proof import MAX_BYTES
from ._requirements import meets

# What a fit that has converged may be off by: nats a row, and any row's probability. Half of that for the error of the model.
NATS, PROBABILITY = 0.5e-4, 0.5e-2
# Relative residual of the system; most products, and most of them once the point is known to be far away.
RESIDUAL, MAX_PRODUCTS, MAX_PRODUCTS_AFAR = 1e-3, 100, 10


class HasNewtonStep(FiniteSum, HasHessian, HasPreconditioner, Protocol):
    """What the distance is found by."""


class Distance(NamedTuple):
    """What the Newton step says of the way to the optimum.

    Attributes
    ----------
    nats : float
        What it promises to lower the mean loss plus penalty by; less than that where it is not solved for.
    probability : float
        The most that it changes a row's probability by; NaN where the nats have told that the optimum is far.
    solved : bool
        Whether the step is that of Newton, and not cut short.
    """

    nats: float
    probability: float
    solved: bool

    @property
    def near(self) -> bool:
        """Whether the point is the optimum as far as ``converged_`` promises."""
        return self.solved and self.nats <= NATS and self.probability <= PROBABILITY

    def __str__(self) -> str:
        if self.nats > NATS:
            return f"about {self.nats:.2g} nats a row{'' if self.solved else ' or more'} above the optimum"
        if self.solved:
            return f"where a Newton step would change probabilities by up to {self.probability:.2g}"
        return f"where {MAX_PRODUCTS} Hessian products do not tell how far the optimum is"


def distance(objective: FiniteSum, params: Vector, gradient: Vector) -> Distance | None:
    """Return how far params, of that gradient, are from the optimum; None for a loss without a Hessian.

    Parameters
    ----------
    objective : FiniteSum
    params, gradient : ndarray of shape (n_params,), float64
    """
    if not meets(objective, HasNewtonStep):
        return None
    scale = objective.hessian_diagonal(np.zeros_like(params))
    scale[(scale <= 0) | ~np.isfinite(scale)] = 1
    step, nats = np.zeros_like(gradient), 0.0
    residual = -without_shift(objective, gradient)
    search = residual / scale
    squared = float(residual @ search)
    # What is left of the system is less than squared / (2 · the least curvature by scale), of which the penalty is a part.
    enough = NATS / 50 * objective.l2_strength / float(np.max(scale))
    bound = max(RESIDUAL**2 * squared, enough)
    solved = squared <= bound
    for n_products in range(MAX_PRODUCTS):
        if solved or (nats > NATS and n_products >= MAX_PRODUCTS_AFAR):
            break
        product = objective.hessian_product(params, search)
        curvature = float(search @ product)
        if not curvature > 3 * np.finfo(np.float64).eps * float(search @ (scale * search)):
            break  # flat, as where the classes are separated and nothing is penalised
        length = squared / curvature
        step += length * search
        residual -= length * product
        nats += length * squared / 2
        product = residual / scale
        previous, squared = squared, float(residual @ product)
        solved = squared <= bound
        search = product + (squared / previous) * search
    if not solved or nats > NATS:
        return Distance(nats, np.nan, solved)
    # The residual is relative to curvature where all classes are equally likely. An outlier's is far above that at the point,
    # so that residuals of ordinary rows, with which the optimum is far, look like nothing: blocks at the point tell.
    promised = 0.5 * float(gradient @ objective.preconditioner(params, max_bytes=MAX_BYTES)(gradient))
    if promised > NATS:
        return Distance(promised, np.nan, solved=False)
    objective.project_out_shift(step)
    return Distance(nats, objective.change_of_proba(params, step), solved)
