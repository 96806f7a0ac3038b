"""Softmax of scaled cosines with margins; ``parameters`` is (scale, margin, cos and sin of the angular margin); labels only.

``logits`` are the cosines. Not convex: without second derivatives.
"""

import numpy as np

from .._compile import kernel
from ..rowwise import argmax, softmax_row
from . import BlockKernels, LossKernels

# The true class's cosine c = cos θ is replaced by φ = cos(θ + m) - m_c with an angular margin m and one of the cosine, m_c
# (Deng et al. 2019, equation 4, whose factor of the angle is left out). By the addition theorem, without an arccosine,
#
#   cos(θ + m) = c cos m - √(1 - c²) sin m,
#
# and since dθ / dc = -1 / sin θ its derivative by c is sin(θ + m) / sin θ = cos m + sin m c / √(1 - c²).
#
# - Beyond a half turn, θ + m > π or c < -cos m, the cosine would rise again as c falls. There -2 - cos(θ + m) stands for it:
#   both are -1 with slope zero where θ + m = π, so that value and derivative are continuous and the loss falls in c everywhere.
#   Not c - m sin m beyond the half turn, as implementations of ArcFace have it, which jumps.
# - At c = ±1 sin θ is zero and the derivative infinite: c is kept 1e-7 away, where it is about 2,200 sin m. Rounding may have
#   brought a cosine beyond ±1.
# - With m = 0 φ is c - m_c, with derivative one also at c = ±1.


@kernel
def _less_margins(cosine, margin, cos_angle, sin_angle):
    """Return φ and its derivative by the cosine."""
    if sin_angle == 0.0:
        return cosine - margin, 1.0
    cosine = min(max(cosine, -1.0 + 1e-7), 1.0 - 1e-7)
    sine = np.sqrt(1.0 - cosine * cosine)
    turned = cosine * cos_angle - sine * sin_angle
    slope = cos_angle + sin_angle * cosine / sine
    if cosine < -cos_angle:
        return -2.0 - turned - margin, -slope
    return turned - margin, slope


# The loss is cross-entropy of the logits s φ(z_y) for the true class y and s z_j for the others. By the chain rule its gradient
# is
#
#   s p_j by the cosine of another class,    -s φ'(z_y) (1 - p_y) by that of the true class.
#
# log1p(r), and 1 - p_y = r / (1 + r) where the true class is at the top, are those of ``cross_entropy``, r being the sum of the
# other exponentials.


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
        sum_exp_rest = softmax_row(logits, i, top)
        one_less = sum_exp_rest / (1.0 + sum_exp_rest) if label == top else 1.0 - np.float64(logits[i, label])
        losses[i] = np.log1p(sum_exp_rest) + target_margin
        for k in range(n_logits):
            logits[i, k] *= row_weight * scale
        logits[i, label] = -row_weight * scale * slope * one_less
        value += row_weight * losses[i]
    return value


# Two classes have one cosine z, that to class 1, and -z to class 0. With c = ±z the true class's cosine, its logit is s φ(c)
# and the other one's -s c. By their difference v,
#
#   v = s (φ(c) + c),    l = log(1 + exp(-v)),    ∂l / ∂c = -s (φ'(c) + 1) (1 - p_y),    1 - p_y = 1 / (1 + exp(v)).
#
# As in ``cross_entropy`` all come from exp(-|v|).


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
        logit = scale * (own + cosine)  # of the true class against the other
        exp_minus_abs = np.exp(-abs(logit))
        losses[i] = max(-logit, 0.0) + np.log1p(exp_minus_abs)
        one_less = exp_minus_abs / (1.0 + exp_minus_abs) if logit >= 0.0 else 1.0 / (1.0 + exp_minus_abs)
        logits[i, 0] = -side * row_weight * scale * (slope + 1.0) * one_less
        value += row_weight * losses[i]
    return value


COSINE = LossKernels(one_logit=BlockKernels(one_cosine_labels), logits=BlockKernels(cosine_labels))
