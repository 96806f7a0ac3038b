r"""How far a point is at most above the minimum of a convex objective with a quadratic penalty: its duality gap.

.. math:: F(W, b) - \min F \; \le \; \sum_j \frac{(\partial F / \partial W_j)^2}{2 \alpha \lambda_j}
          \qquad \text{where} \quad \frac{\partial F}{\partial b} = 0

What lives here: this bound and the intercept that it needs. What doesn't: what solvers make of it.

With the rows' losses :math:`\ell_i`, convex functions of the logits :math:`z_i = W x_i + b`, and
:math:`u_i = \nabla \ell_i(z_i)`, Fenchel's dual of :math:`F = \sum_i w_i \ell_i + \tfrac{\alpha}{2} \sum_j \lambda_j W_j^2`
is :math:`D(u) = -\sum_i w_i \ell_i^*(u_i) - \tfrac{1}{2 \alpha} \sum_j N_j^2 / \lambda_j` with
:math:`N = \sum_i w_i u_i x_i^\top`, for all u with :math:`\sum_i w_i u_i = 0`, which the free intercept asks for. As
:math:`\ell_i^*(u_i) = u_i^\top z_i - \ell_i`, the difference of F and D is a complete square: that of N plus the penalty's
gradient. The intercept has to be exact for W: what its gradient leaves makes the bound hundreds of times looser, and costs a
few Newton steps in n_logits dimensions on logits that are kept.

References
----------
Boyd & Vandenberghe (2004), "Convex Optimization", section 5.5.1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

MAX_STEPS = 20
# The gradient by the intercept is a sum of n_rows numbers that weights sum to one: what is less is rounding.
EXACT = 1e-14


def best_shift(value_and_derivatives: Callable[[Vector], tuple[float, Vector, Vector]], n_logits: int) -> Vector:
    """Return what added to every row's logits makes the loss least, (n_logits,), by damped Newton steps.

    Parameters
    ----------
    value_and_derivatives : callable
        From a shift to the weighted loss, its gradient, (n_logits,), and its Hessian, (n_logits, n_logits).
    n_logits : int
    """
    shift = np.zeros(n_logits)
    value, gradient, hessian = value_and_derivatives(shift)
    for _ in range(MAX_STEPS):
        if np.abs(gradient).max() <= EXACT:
            break
        diagonal = np.maximum(hessian.diagonal(), 1e-12 * max(hessian.diagonal().max(), 1e-300))
        scale = 1 / np.sqrt(diagonal)
        # Classes' shifts in common have no curvature, and no gradient: least squares leaves them alone.
        step = -scale * np.linalg.lstsq(hessian * scale * scale[:, None], scale * gradient, rcond=1e-11)[0]
        slope = float(gradient @ step)
        if not np.isfinite(slope) or slope >= 0:
            break
        length = 1.0
        for _ in range(30):
            new = value_and_derivatives(shift + length * step)
            if new[0] <= value + 1e-4 * length * slope or np.abs(new[1]).max() < 0.5 * np.abs(gradient).max():
                break
            length /= 4
        else:
            break
        shift = shift + length * step
        value, gradient, hessian = new
    return shift
