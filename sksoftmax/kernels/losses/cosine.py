"""Softmax of cosines with margins: value, gradient in place of the cosines."""

import numpy as np

from .._compile import kernel
from ..rowwise import argmax, softmax_row


@kernel
def _less_margins(cosine, margin, cos_angle, sin_angle):
    """Return the cosine of the angle plus another one, less margin, and its derivative by cosine.

    Where both angles sum to more than a half turn, minus two less that cosine: it falls on, and smoothly.
    """
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
def cosine_labels(logits, labels, weight, start, stop, parameters, losses):
    """Fill losses with the rows' cross-entropy of scaled cosines, the true one less its margins; logits are the cosines.

    They become the weighted gradient; the weighted sum is returned. One logit is the cosine to class 1, its opposite that to
    class 0.
    """
    scale, margin, cos_angle, sin_angle = parameters[0], parameters[1], parameters[2], parameters[3]
    n_logits = logits.shape[1]
    value = 0.0
    for i in range(stop - start):
        label, row_weight = labels[start + i], weight[start + i]
        if n_logits == 1:
            side = 1.0 if label == 1 else -1.0
            cosine = side * np.float64(logits[i, 0])
            own, slope = _less_margins(cosine, margin, cos_angle, sin_angle)
            lead = scale * (own + cosine)
            decay = np.exp(-abs(lead))
            losses[i] = max(-lead, 0.0) + np.log1p(decay)
            others = decay / (1.0 + decay) if lead >= 0.0 else 1.0 / (1.0 + decay)
            logits[i, 0] = -side * row_weight * scale * (slope + 1.0) * others
        else:
            own, slope = _less_margins(np.float64(logits[i, label]), margin, cos_angle, sin_angle)
            logits[i, label] = own
            for k in range(n_logits):
                logits[i, k] *= scale
            leader = argmax(logits, i)
            gap = np.float64(logits[i, leader]) - np.float64(logits[i, label])
            rest = softmax_row(logits, i, leader)
            others = rest / (1.0 + rest) if label == leader else 1.0 - np.float64(logits[i, label])
            losses[i] = np.log1p(rest) + gap
            for k in range(n_logits):
                logits[i, k] *= row_weight * scale
            logits[i, label] = -row_weight * scale * slope * others
        value += row_weight * losses[i]
    return value
