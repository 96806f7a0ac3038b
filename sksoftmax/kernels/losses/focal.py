"""Focal loss: value, gradient in place of the logits."""

import numpy as np

from .._compile import kernel
from ..rowwise import argmax, softmax_row, sum_exp_rest


@kernel
def _focal(log_proba, proba, rest, gamma):
    """Return ``-(1 - p)^gamma log p`` and its derivative by log p, from log p, p and 1 - p, each without cancellation."""
    power = rest**gamma
    ratio = log_proba / rest if rest > 0.0 else -1.0
    return -power * log_proba, power * (gamma * proba * ratio - 1.0)


@kernel
def focal_labels(logits, labels, weight, start, stop, gamma, losses):
    """Fill losses with the rows' focal loss; logits become the weighted gradient. Returns the weighted sum."""
    value = 0.0
    for i in range(stop - start):
        label = labels[start + i]
        leader = argmax(logits, i)
        gap = np.float64(logits[i, leader]) - np.float64(logits[i, label])
        rest = softmax_row(logits, i, leader)
        proba = np.float64(logits[i, label])
        others = rest / (1.0 + rest) if label == leader else 1.0 - proba
        losses[i], slope = _focal(-(gap + np.log1p(rest)), proba, others, gamma)
        value += weight[start + i] * losses[i]
        for k in range(logits.shape[1]):
            logits[i, k] *= -weight[start + i] * slope
        logits[i, label] = weight[start + i] * slope * others
    return value


@kernel
def focal_proba(logits, proba, class_weight, weight, start, stop, gamma, losses):
    """Do as ``focal_labels`` for rows of class probabilities, which count as in ``cross_entropy_proba``."""
    n_classes = logits.shape[1]
    value = 0.0
    for i in range(stop - start):
        mass = 0.0
        for k in range(n_classes):
            mass += class_weight[k] * proba[start + i, k]
        scale = 1.0 / mass if mass > 0.0 else 0.0
        leader = argmax(logits, i)
        largest = np.float64(logits[i, leader])
        log_total = np.log1p(sum_exp_rest(logits, i, leader))
        loss = total = 0.0
        for k in range(n_classes):
            log_proba = (np.float64(logits[i, k]) - largest) - log_total
            logits[i, k] = log_proba
            target = scale * class_weight[k] * proba[start + i, k]
            if target > 0.0:
                own, slope = _focal(log_proba, np.exp(log_proba), -np.expm1(log_proba), gamma)
                loss += target * own
                total += target * slope
        losses[i] = loss
        value += weight[start + i] * loss
        for k in range(n_classes):
            log_proba = np.float64(logits[i, k])
            gradient = -np.exp(log_proba) * total
            target = scale * class_weight[k] * proba[start + i, k]
            if target > 0.0:
                gradient += target * _focal(log_proba, np.exp(log_proba), -np.expm1(log_proba), gamma)[1]
            logits[i, k] = weight[start + i] * gradient
    return value


@kernel
def focal_logit(logits, labels, proba, class_weight, weight, start, stop, gamma, losses):
    """Do as ``focal_labels`` or ``focal_proba``, whichever targets there are, for two classes and one logit."""
    value = 0.0
    for i in range(stop - start):
        if len(labels) > 0:
            one = np.float64(labels[start + i])
        else:
            one = class_weight[1] * proba[start + i, 1]
            mass = class_weight[0] * proba[start + i, 0] + one
            one = one / mass if mass > 0.0 else 0.0
        logit = np.float64(logits[i, 0])
        decay = np.exp(-abs(logit))
        tail = np.log1p(decay)
        high, low = 1.0 / (1.0 + decay), decay / (1.0 + decay)
        proba_1, proba_0 = (high, low) if logit >= 0.0 else (low, high)
        loss_1, slope_1 = _focal(-(max(-logit, 0.0) + tail), proba_1, proba_0, gamma)
        loss_0, slope_0 = _focal(-(max(logit, 0.0) + tail), proba_0, proba_1, gamma)
        losses[i] = one * loss_1 + (1.0 - one) * loss_0
        value += weight[start + i] * losses[i]
        logits[i, 0] = weight[start + i] * (one * slope_1 * proba_0 - (1.0 - one) * slope_0 * proba_1)
    return value
