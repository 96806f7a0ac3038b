"""Multiclass hinge loss: value, a subgradient in place of the logits, and second derivatives of its smooth part."""

import numpy as np

from .._compile import kernel


@kernel
def _hinge(violation, width):
    """Return ``max(0, violation)`` and its slope, where |violation| < width / 2 those of the parabola that joins both sides."""
    if violation >= 0.5 * width:
        return (violation, 1.0) if violation > 0.0 else (0.0, 0.0)
    if violation <= -0.5 * width:
        return 0.0, 0.0
    slope = violation / width + 0.5
    return 0.5 * width * slope * slope, slope


@kernel
def hinge_labels(logits, labels, weight, start, stop, margin, width, losses):
    """Fill losses with the rows' Weston-Watkins hinge loss; logits become the weighted gradient. Returns the weighted sum.

    One logit is that of class 1 over class 0. Where width is zero, a kink has the slope of its flat side.
    """
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


@kernel
def hinge_curvature(logits, labels, start, n_rows, margin, width):
    """Replace logits by the second derivatives of the rows' hinge loss by each.

    Those by the true logit and another one are minus that other one's; two others have none in common.
    """
    n_logits = logits.shape[1]
    for i in range(n_rows):
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
def hinge_hessian_product(logits, direction, labels, weight, start, stop, margin, width):
    """Replace direction by the weighted Hessian of the rows' hinge loss times it; logits become second derivatives."""
    hinge_curvature(logits, labels, start, stop - start, margin, width)
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
def hinge_curvatures(logits, labels, weight, start, stop, margin, width, out):
    """Do for the rows' hinge loss as ``cross_entropy_curvatures`` does."""
    hinge_curvature(logits, labels, start, stop - start, margin, width)
    for i in range(stop - start):
        label = labels[start + i]
        pair = 0
        for k in range(logits.shape[1]):
            for other in range(k):
                own = logits[i, other] if k == label else logits[i, k] if other == label else 0.0
                out[pair, i] = -weight[start + i] * own
                pair += 1
            out[pair, i] = weight[start + i] * logits[i, k]
            pair += 1
