"""Focal loss; ``parameters`` is (gamma,). Not convex: without second derivatives."""

import numpy as np

from .._compile import kernel
from ..rowwise import argmax, softmax_row, sum_exp_rest
from . import BlockKernels, LossKernels

# Of the class y, with p = softmax(z) and L = log p_y, the loss is f(L) = -(1 - p_y)^γ L (Lin et al. 2017, equation 4). As p_y
# is exp(L), its derivative by L is p_y itself and
#
#   f'(L) = -(1 - p_y)^γ + γ (1 - p_y)^(γ - 1) p_y L = (1 - p_y)^γ (γ p_y L / (1 - p_y) - 1).
#
# - p_y -> 1: L / (1 - p_y) -> -1, and f' vanishes as -(1 + γ) (1 - p_y)^γ. The quotient is formed apart from the power: the
#   middle form has (1 - p_y)^(γ - 1), which γ < 1 makes infinite. Where 1 - p_y underflows to zero the quotient is its limit.
# - p_y -> 0: p_y L -> 0 and f' -> -1, as cross-entropy has it. γ = 0 has f' = -1 everywhere, since 0^0 is one here.


@kernel
def _focal(log_proba, proba, one_less, gamma):
    """Return f and f' from log p, p and 1 - p."""
    power = one_less**gamma
    ratio = log_proba / one_less if one_less > 0.0 else -1.0
    return -power * log_proba, power * (gamma * proba * ratio - 1.0)


# By the chain rule, with ∂L / ∂z_k = [k = y] - p_k, the gradient is
#
#   f'(L) (1 - p_y) for the class's own logit,    -f'(L) p_k for each other one.
#
# With m the largest logit and r = Σ_{k ≠ top} exp(z_k - m), L is -(m - z_y) - log1p(r). 1 - p_y is r / (1 + r) where y is at
# the top; elsewhere p_y ≤ 1/2 and the difference keeps its digits. So both have theirs where p_y rounds to one.


@kernel
def focal_labels(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient against labels."""
    gamma = parameters[0]
    value = 0.0
    for i in range(stop - start):
        label = labels[start + i]
        top = argmax(logits, i)
        target_margin = np.float64(logits[i, top]) - np.float64(logits[i, label])
        sum_exp_rest = softmax_row(logits, i, top)
        own = np.float64(logits[i, label])
        one_less = sum_exp_rest / (1.0 + sum_exp_rest) if label == top else 1.0 - own
        losses[i], slope = _focal(-(target_margin + np.log1p(sum_exp_rest)), own, one_less, gamma)
        value += weight[start + i] * losses[i]
        for k in range(logits.shape[1]):
            logits[i, k] *= -weight[start + i] * slope
        logits[i, label] = weight[start + i] * slope * one_less
    return value


# With v_y the class-weighted probabilities, normalised, the gradient of the mean loss is
#
#   Σ_y v_y f'_y ([k = y] - p_k) = v_k f'_k - p_k Σ_y v_y f'_y,
#
# whose sum is the same for all k: one loop for the sum, one for the gradient. f'_k is computed in both, as there is no scratch
# for it beside the logits, which hold log p between the loops. p and 1 - p are exp and -expm1 of log p: with log p = -log1p(r)
# at the top, -expm1 gives r / (1 + r) again. Classes whose v is zero are skipped, and with them two exponentials and a power
# each.


@kernel
def focal_proba(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient against rows of class probabilities: the mean of the classes' losses, and of their gradients."""
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


# One logit z is that of class 1 against 0 for class 0. With L_1 = log p_1, L_0 = log p_0 and t the target of class 1,
#
#   ∂L_1 / ∂z = p_0,    ∂L_0 / ∂z = -p_1,    gradient = t f'(L_1) p_0 - (1 - t) f'(L_0) p_1.
#
# Both probabilities, and both logarithms, come from e = exp(-|z|) as in ``cross_entropy``: 1 - p of one class is p of the
# other.


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
