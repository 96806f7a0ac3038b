"""Softmax of scaled cosines with margins; ``parameters`` is (scale, margin, cos and sin of the angular margin); labels only.

The loss is cross-entropy of s φ for the true class and s z_j for the others, where ``logits`` are the cosines z and
φ = cos(θ + m_a) - m_c with z_y = cos θ. By the chain rule the true cosine's derivative has the factor dφ / dz_y. Not convex:
without second derivatives.
"""

import numpy as np

from .._compile import kernel
from ..rowwise import argmax, softmax_row
from . import BlockKernels, LossKernels


# cos(θ + m) = c cos m - √(1 - c²) sin m with c = cos θ, with the derivative
# sin(θ + m) / sin θ = cos m + sin m c / √(1 - c²) by c.
# Beyond a half turn, θ + m > π or c < -cos m, the cosine would rise again as c falls. There -2 - cos(θ + m) stands for it:
# both are -1 with slope zero where θ + m = π, so that value and derivative are continuous and the loss falls in c everywhere.
# Options not taken: c - m sin m beyond the half turn (as implementations of ArcFace have it), which jumps.
@kernel
def _less_margins(cosine, margin, cos_angle, sin_angle):
    """Return φ and its derivative by the cosine."""
    if sin_angle == 0.0:
        return cosine - margin, 1.0
    cosine = min(max(cosine, -1.0 + 1e-7), 1.0 - 1e-7)  # at ±1 the derivative has no bound
    sine = np.sqrt(1.0 - cosine * cosine)
    turned = cosine * cos_angle - sine * sin_angle
    slope = cos_angle + sin_angle * cosine / sine
    if cosine < -cos_angle:
        return -2.0 - turned - margin, -slope
    return turned - margin, slope


@kernel
def cosine_labels(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient."""
    scale, margin, cos_angle, sin_angle = parameters[0], parameters[1], parameters[2], parameters[3]
    n_logits = logits.shape[1]
    value = 0.0
    for i in range(stop - start):
        label, row_weight = labels[start + i], weight[start + i]
        own, slope = _less_margins(np.float64(logits[i, label]), margin, cos_angle, sin_angle)
        logits[i, label] = own
        for k in range(n_logits):
            logits[i, k] *= scale
        top = argmax(logits, i)
        target_margin = np.float64(logits[i, top]) - np.float64(logits[i, label])
        rest = softmax_row(logits, i, top)
        one_less = rest / (1.0 + rest) if label == top else 1.0 - np.float64(logits[i, label])
        losses[i] = np.log1p(rest) + target_margin
        for k in range(n_logits):
            logits[i, k] *= row_weight * scale
        logits[i, label] = -row_weight * scale * slope * one_less
        value += row_weight * losses[i]
    return value


@kernel
def one_cosine_labels(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient of one cosine, that to class 1, whose opposite is that to class 0."""
    scale, margin, cos_angle, sin_angle = parameters[0], parameters[1], parameters[2], parameters[3]
    value = 0.0
    for i in range(stop - start):
        label, row_weight = labels[start + i], weight[start + i]
        side = 1.0 if label == 1 else -1.0
        cosine = side * np.float64(logits[i, 0])
        own, slope = _less_margins(cosine, margin, cos_angle, sin_angle)
        lead = scale * (own + cosine)  # of the true class's logit over the other one's
        exp_minus_abs = np.exp(-abs(lead))
        losses[i] = max(-lead, 0.0) + np.log1p(exp_minus_abs)
        one_less = exp_minus_abs / (1.0 + exp_minus_abs) if lead >= 0.0 else 1.0 / (1.0 + exp_minus_abs)
        logits[i, 0] = -side * row_weight * scale * (slope + 1.0) * one_less
        value += row_weight * losses[i]
    return value


COSINE = LossKernels(one_logit=BlockKernels(one_cosine_labels), logits=BlockKernels(cosine_labels))
