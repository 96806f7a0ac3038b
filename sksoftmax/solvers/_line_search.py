"""A backtracking line search, and what it cannot see for rounding.

What lives here: the step length along a descent direction, and the noise of a value as a convex function shows it. What
doesn't: directions.
"""

from __future__ import annotations

import numpy as np

from ..objectives._contracts import Objective, Vector


def observed_noise(objective: Objective, value: float, new_value: float, gradient: Vector, step: Vector) -> float:
    """Return how much of the change of value along step, which ended at gradient, can only be rounding.

    Zero of an objective that is not convex, of which nothing can be said.
    """
    # A convex f lies above its tangents, f(x) ≥ f(x + s) - f'(x + s)ᵀs: what computed values rise by beyond f'(x + s)ᵀs is
    # their error. In float32 it comes from the logits, and no multiple of the value bounds it.
    #
    # The gradient's own error enters by its product with s, which is small where s is. An estimate from differences of values
    # at neighbouring points (Moré & Wild 2011) was not taken: it would cost passes of its own.
    if not objective.convex:
        return 0.0
    return max(0.0, new_value - value - float(gradient @ step))


def line_search(
    objective: Objective,
    params: Vector,
    value: float,
    direction: Vector,
    slope: float,
    *,
    max_trials: int = 30,
) -> tuple[Vector, float, Vector] | None:
    """Return point, value and gradient of the first step from 1 downwards of sufficient decrease, or None.

    Parameters
    ----------
    objective : Objective
    params : ndarray of shape (n_params,), float64
    value : float
        At params.
    direction : ndarray of shape (n_params,), float64
    slope : float
        Derivative along direction, negative.
    max_trials : int, default=30
    """
    # Sufficient is a decrease of 1e-4 of what the slope predicts, the condition of Armijo (Nocedal & Wright, "Numerical
    # Optimization", equation 3.4). Where even that is below the noise of the value, not to rise beyond the noise is enough. Of
    # a convex objective the slope φ' along the step is the sharper test, as its rounding error is not relative to the value: φ'
    # does not fall, so that φ(t) - φ(0) = ∫ φ' ≤ t φ'(t), and φ'(t) ≤ 1e-4 φ'(0) implies the condition of Armijo. (The
    # approximate Wolfe conditions of Hager & Zhang 2005 replace values by slopes for the same reason.)
    #
    # A step that fails is followed by the minimum of the cubic through both values and slopes, at least a tenth and at most
    # four fifths of it (their section 3.5): the gradient comes with each value anyway, in the same pass over the rows, and the
    # bounds keep trials apart where noisy values misplace the cubic's minimum. The condition of Wolfe, which would ask for
    # longer steps as well, was not taken: of a convex objective yᵀs ≥ 0 holds without, and the methods' own step, 1, is the
    # right one near the optimum.
    noise = objective.value_noise(value)
    step = 1.0
    for _ in range(max_trials):
        point = params + step * direction
        new_value, gradient = objective.value_and_gradient(point)
        new_slope = float(gradient @ direction)
        still_falls = objective.convex and new_slope <= 1e-4 * slope
        if new_value <= value + 1e-4 * step * slope + noise or still_falls:
            return point, new_value, gradient
        step = min(max(cubic_minimum(step, new_value - value, slope, new_slope), step / 10), 0.8 * step)
    return None


def cubic_minimum(step: float, rise: float, slope: float, new_slope: float) -> float:
    """Return where the cubic with these slopes at 0 and step, and this rise between them, is least; zero if it overflows."""
    # Nocedal & Wright, "Numerical Optimization", equation 3.59, from the points 0 and step: with d₁ = slope + new_slope - 3
    # rise / step and d₂ = √(d₁² - slope · new_slope), the minimum is at step - step (new_slope + d₂ - d₁) / (new_slope - slope
    # + 2 d₂). A negative radicand, of a cubic without a minimum, counts as zero: the caller bounds the result. The parabola
    # through both values and the first slope was not taken, which ignores the second slope.
    with np.errstate(over="ignore", invalid="ignore"):
        bend = slope + new_slope - 3 * rise / step
        root = np.sqrt(np.maximum(bend * bend - slope * new_slope, 0.0))
        least = step - step * (new_slope + root - bend) / (new_slope - slope + 2 * root)
    return float(least) if np.isfinite(least) else 0.0
