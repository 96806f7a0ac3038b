"""Weston and Watkins' multiclass hinge loss, its kinks rounded; ``parameters`` is (margin, width); labels only."""

import numpy as np

from .._compile import kernel
from . import BlockKernels, LossKernels

# h(u) is max(0, u) but for |u| < δ / 2, where the parabola stands that has value and slope 0 at -δ / 2 and slope 1 at δ / 2:
#
#   h'' = 1 / δ,  h' = u / δ + 1/2,  h = (u + δ / 2)² / 2δ = δ h'² / 2.
#
# Its value at δ / 2 is δ / 2, that of the side which it joins (Chapelle 2007, with the kink at zero): h is convex, its slope is
# continuous, and it is at most δ / 8 above max(0, u), at u = 0. With δ = 0 nothing is rounded and nothing divided by δ; at the
# kink the subgradient is 0, that of the flat side. Not the squared hinge, which needs no δ but weighs outliers by their square.


@kernel
def _hinge(violation, width):
    """Return h and h'."""
    if violation >= 0.5 * width:
        return (violation, 1.0) if violation > 0.0 else (0.0, 0.0)
    if violation <= -0.5 * width:
        return 0.0, 0.0
    slope = violation / width + 0.5
    return 0.5 * width * slope * slope, slope


# The loss is Σ_{j ≠ y} h(u_j) with the violations u_j = z_j - z_y + Δ (Weston & Watkins 1999). Each depends on two logits:
#
#   ∂u_j / ∂z_j = 1,    ∂u_j / ∂z_y = -1,    gradient: h'(u_j) by each other logit, -Σ_j h'(u_j) by the true one.
#
# One logit z of class 1 against 0 for class 0 has u = Δ - z in class 1 and u = Δ + z in class 0: the loss is h(Δ ∓ z), side in
# the code being ±1.
#
# Not Crammer & Singer's (2001) max_j u_j: it has kinks also where two classes tie, which rounding h leaves as they are.


@kernel
def hinge_labels(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient."""
    margin, width = parameters[0], parameters[1]
    n_logits = logits.shape[1]
    value = 0.0
    for i in range(stop - start):
        label, row_weight = labels[start + i], weight[start + i]
        if n_logits == 1:
            side = 1.0 if label == 1 else -1.0
            losses[i], slope = _hinge(margin - side * np.float64(logits[i, 0]), width)
            logits[i, 0] = -side * row_weight * slope
        else:
            own = np.float64(logits[i, label])
            losses[i] = total = 0.0
            for k in range(n_logits):
                if k != label:
                    loss, slope = _hinge(np.float64(logits[i, k]) - own + margin, width)
                    losses[i] += loss
                    total += slope
                    logits[i, k] = row_weight * slope
            logits[i, label] = -row_weight * total
        value += row_weight * losses[i]
    return value


# With a_j = e_j - e_y the gradient of u_j by z, the Hessian of a row is Σ_{j ≠ y} h''(u_j) a_j a_jᵀ, where h'' is 1 / δ inside
# the parabola and 0 outside. By logits, with c_j = h''(u_j):
#
#   (j, j): c_j,    (y, y): Σ_j c_j,    (j, y): -c_j,    two other classes: 0.
#
# Times a direction d, entry j is c_j (d_j - d_y), and entry y minus the sum of these. One logit has ∂u / ∂z = ∓1, of which the
# square is one: its second derivative is c.


@kernel
def hinge_curvature(labels, parameters, start, stop, logits):
    """Second derivatives by each logit."""
    margin, width = parameters[0], parameters[1]
    n_logits = logits.shape[1]
    for i in range(stop - start):
        label = labels[start + i]
        if n_logits == 1:
            side = 1.0 if label == 1 else -1.0
            logits[i, 0] = 1.0 / width if abs(margin - side * np.float64(logits[i, 0])) < 0.5 * width else 0.0
            continue
        own = np.float64(logits[i, label])
        total = 0.0
        for k in range(n_logits):
            if k != label:
                logits[i, k] = 1.0 / width if abs(np.float64(logits[i, k]) - own + margin) < 0.5 * width else 0.0
                total += logits[i, k]
        logits[i, label] = total


@kernel
def hinge_hessian_product(labels, parameters, weight, start, stop, logits, direction):
    """Hessian product; logits become second derivatives."""
    hinge_curvature(labels, parameters, start, stop, logits)
    n_logits = logits.shape[1]
    for i in range(stop - start):
        if n_logits == 1:
            direction[i, 0] *= weight[start + i] * logits[i, 0]
            continue
        label = labels[start + i]
        own, total = np.float64(direction[i, label]), 0.0
        for k in range(n_logits):
            if k != label:
                direction[i, k] = weight[start + i] * logits[i, k] * (direction[i, k] - own)
                total += direction[i, k]
        direction[i, label] = -total


@kernel
def hinge_pairs(labels, parameters, weight, start, stop, logits, out):
    """Second derivatives by pairs of logits."""
    hinge_curvature(labels, parameters, start, stop, logits)
    for i in range(stop - start):
        label = labels[start + i]
        pair = 0
        for k in range(logits.shape[1]):
            for other in range(k):
                shared = logits[i, other] if k == label else logits[i, k] if other == label else 0.0
                out[pair, i] = -weight[start + i] * shared
                pair += 1
            out[pair, i] = weight[start + i] * logits[i, k]
            pair += 1


_BLOCK_KERNELS = BlockKernels(hinge_labels, None, hinge_hessian_product, hinge_curvature, hinge_pairs)
HINGE = LossKernels(one_logit=_BLOCK_KERNELS, logits=_BLOCK_KERNELS)
