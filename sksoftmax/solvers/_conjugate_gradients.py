"""Conjugate gradients on Hessian products, one iteration at a time: the caller says when to stop.

What lives here: the iteration. What doesn't: what its iterates are taken for (``newton_cg``, ``_optimality``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ..objectives._contracts import Vector

# Curvature along a search direction, relative to that of the preconditioner, that is lost in rounding.
FLAT = 3 * float(np.finfo(np.float64).eps)


class Iterate(NamedTuple):
    """The state after an iteration.

    Attributes
    ----------
    solution : ndarray of shape (n_params,), float64
        The same array each time, changed by the next iteration.
    residual_norm : float
        Squared, in the norm of the inverse of the preconditioner.
    decrease : float
        How much the iteration has lowered the quadratic model.
    """

    solution: Vector
    residual_norm: float
    decrease: float


def conjugate_gradients(multiply: Callable[[Vector], Vector], right_hand_side: Vector, scale: Vector) -> Iterator[Iterate]:
    """Yield the iterates for H x = b from zero; end where H has no curvature along the next search direction.

    Parameters
    ----------
    multiply : callable
        From a vector to H times it.
    right_hand_side : ndarray of shape (n_params,), float64
        b; overwritten.
    scale : ndarray of shape (n_params,), float64
        Diagonal preconditioner, positive: residuals are divided by it.
    """
    # Hestenes & Stiefel (1952), in the form of Nocedal & Wright, "Numerical Optimization", algorithm 5.3, with M = diag(scale):
    #     α = rᵀM⁻¹r / pᵀHp,   x ← x + α p,   r ← r - α H p,   β = rᵀM⁻¹r / (that before),   p ← M⁻¹r + β p
    # Each iterate is the least of the model ½ xᵀHx - bᵀx over a growing subspace, so cut short anywhere it is a direction of
    # descent, and α rᵀM⁻¹r / 2 is what the iteration lowers the model by. As r is orthogonal to x, bᵀx = xᵀHx: the model at x
    # is -½ bᵀx, cut short or not. Steihaug's boundary of a trust region and directions of negative curvature are not needed:
    # objectives are convex here, and a flat direction ends the iteration.
    residual, solution = right_hand_side, np.zeros_like(right_hand_side)
    search = residual / scale
    squared = float(residual @ search)
    while True:
        product = multiply(search)
        curvature = float(search @ product)
        if not curvature > FLAT * float(search @ (scale * search)):
            return
        length = squared / curvature
        solution += length * search
        residual -= length * product
        product = residual / scale
        previous, squared = squared, float(residual @ product)
        yield Iterate(solution, squared, length * previous / 2)
        search = product + (squared / previous) * search


def diagonal_scale(diagonal: Vector) -> Vector:
    """Return the diagonal of a Hessian as a preconditioner, in place: one where it is zero or not a number."""
    diagonal[(diagonal <= 0) | ~np.isfinite(diagonal)] = 1
    return diagonal
