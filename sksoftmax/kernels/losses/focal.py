"""Focal loss; ``parameters`` is (gamma,). Not convex: without second derivatives.

Of the class y, with p = softmax(z) and L = log p_y, the loss is f(L) = -(1 - p_y)^γ L. Since d p_y / d L = p_y,

    f'(L) = (1 - p_y)^γ (γ p_y L / (1 - p_y) - 1),

and by ∂L / ∂z_k = [k = y] - p_k the gradient is f'(L) (1 - p_y) for the class's own logit and -f'(L) p_k for the others. As
p_y goes to one, L / (1 - p_y) goes to -1: the quotient is formed apart from the power, so that no γ < 1 divides by zero. L and
1 - p_y come from sums of exponentials without the largest one, as in ``cross_entropy``: neither cancels where p_y rounds to
one.
"""

import numpy as np

from .._compile import kernel
from ..rowwise import argmax, softmax_row, sum_exp_rest
from . import BlockKernels, LossKernels


@kernel
def _focal(log_proba, proba, one_less, gamma):
    """Return f and f' from log p, p and 1 - p."""
    power = one_less**gamma
    ratio = log_proba / one_less if one_less > 0.0 else -1.0
    return -power * log_proba, power * (gamma * proba * ratio - 1.0)


@kernel
def focal_labels(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient against labels."""
    gamma = parameters[0]
    value = 0.0
    for i in range(stop - start):
        label = labels[start + i]
        top = argmax(logits, i)
        target_margin = np.float64(logits[i, top]) - np.float64(logits[i, label])
        rest = softmax_row(logits, i, top)
        own = np.float64(logits[i, label])
        one_less = rest / (1.0 + rest) if label == top else 1.0 - own
        losses[i], slope = _focal(-(target_margin + np.log1p(rest)), own, one_less, gamma)
        value += weight[start + i] * losses[i]
        for k in range(logits.shape[1]):
            logits[i, k] *= -weight[start + i] * slope
        logits[i, label] = weight[start + i] * slope * one_less
    return value


@kernel
def focal_proba(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient against rows of class probabilities: the mean of the classes' losses, and of their gradients.

    Of the mean over y of f'_y ([k = y] - p_k), the second term is p_k times one sum for all k.
    """
    n_classes = logits.shape[1]
    gamma = parameters[0]
    value = 0.0
    for i in range(stop - start):
        total = 0.0
        for k in range(n_classes):
            total += class_weight[k] * proba[start + i, k]
        scale = 1.0 / total if total > 0.0 else 0.0
        top = argmax(logits, i)
        largest = np.float64(logits[i, top])
        log_total = np.log1p(sum_exp_rest(logits, i, top))
        loss = slope_sum = 0.0
        for k in range(n_classes):
            log_proba = (np.float64(logits[i, k]) - largest) - log_total
            logits[i, k] = log_proba
            target = scale * class_weight[k] * proba[start + i, k]
            if target > 0.0:
                own, slope = _focal(log_proba, np.exp(log_proba), -np.expm1(log_proba), gamma)
                loss += target * own
                slope_sum += target * slope
        losses[i] = loss
        value += weight[start + i] * loss
        for k in range(n_classes):
            log_proba = np.float64(logits[i, k])
            gradient = -np.exp(log_proba) * slope_sum
            target = scale * class_weight[k] * proba[start + i, k]
            if target > 0.0:
                gradient += target * _focal(log_proba, np.exp(log_proba), -np.expm1(log_proba), gamma)[1]
            logits[i, k] = weight[start + i] * gradient
    return value


@kernel
def _focal_row(logits, i, target, row_weight, gamma):
    """Replace the one logit of row i by its weighted gradient; return the row's loss against P(class 1)."""
    logit = np.float64(logits[i, 0])
    exp_minus_abs = np.exp(-abs(logit))
    log_total = np.log1p(exp_minus_abs)
    high, low = 1.0 / (1.0 + exp_minus_abs), exp_minus_abs / (1.0 + exp_minus_abs)
    proba_1, proba_0 = (high, low) if logit >= 0.0 else (low, high)
    loss_1, slope_1 = _focal(-(max(-logit, 0.0) + log_total), proba_1, proba_0, gamma)
    loss_0, slope_0 = _focal(-(max(logit, 0.0) + log_total), proba_0, proba_1, gamma)
    logits[i, 0] = row_weight * (target * slope_1 * proba_0 - (1.0 - target) * slope_0 * proba_1)
    return target * loss_1 + (1.0 - target) * loss_0


@kernel
def focal_logit_labels(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient of one logit against labels."""
    value = 0.0
    for i in range(stop - start):
        losses[i] = _focal_row(logits, i, np.float64(labels[start + i]), weight[start + i], parameters[0])
        value += weight[start + i] * losses[i]
    return value


@kernel
def focal_logit_proba(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient of one logit against rows of class probabilities."""
    value = 0.0
    for i in range(stop - start):
        one = class_weight[1] * proba[start + i, 1]
        total = class_weight[0] * proba[start + i, 0] + one
        target = one / total if total > 0.0 else 0.0
        losses[i] = _focal_row(logits, i, target, weight[start + i], parameters[0])
        value += weight[start + i] * losses[i]
    return value


FOCAL = LossKernels(
    one_logit=BlockKernels(focal_logit_labels, focal_logit_proba), logits=BlockKernels(focal_labels, focal_proba)
)
