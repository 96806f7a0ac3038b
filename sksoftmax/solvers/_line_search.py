"""A backtracking line search, and what it cannot see for rounding.

What lives here: the step length along a descent direction, and the noise of a value as a convex function shows it. What
doesn't: directions.
"""

from __future__ import annotations

import numpy as np

from ..objectives._contracts import Objective
from ._base import Vector


def observed_noise(objective: Objective, value: float, new_value: float, gradient: Vector, step: Vector) -> float:
    """Return how much of the change of value along step, which ended at gradient, can only be rounding.

    A convex function rises by at most its slope at the end; of any other nothing can be said, and zero is returned. In float32
    the error is that of the logits, which no multiple of the value bounds.
    """
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

    A step that fails is followed by the minimum of the cubic through what is known, at least a tenth and at most four fifths
    of it. Sufficient is a decrease of 1e-4 of what the slope promises (Nocedal & Wright, "Numerical Optimization", chapter 3).
    Where the promise is below the rounding error of the value, not to rise beyond that error is enough, or that the slope at
    the end still falls by 1e-4 of that at the start, if the objective is convex, and so has fallen by as much.
    """
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
    """Return where the cubic with these slopes at 0 and step, and this rise between them, is least; zero if it overflows.

    Nocedal & Wright, "Numerical Optimization", equation 3.59.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        bend = slope + new_slope - 3 * rise / step
        root = np.sqrt(np.maximum(bend * bend - slope * new_slope, 0.0))
        least = step - step * (new_slope + root - bend) / (new_slope - slope + 2 * root)
    return float(least) if np.isfinite(least) else 0.0
