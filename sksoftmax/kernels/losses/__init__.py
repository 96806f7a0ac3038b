"""The loss of a block of rows, whichever loss it is: a new loss is a number here and a branch in each function."""

from .._compile import kernel
from .cosine import cosine_labels
from .cross_entropy import (
    cross_entropy_curvature,
    cross_entropy_curvatures,
    cross_entropy_hessian_product,
    cross_entropy_labels,
    cross_entropy_proba,
    logistic_labels,
    logistic_proba,
)
from .focal import focal_labels, focal_logit, focal_proba
from .hinge import hinge_curvature, hinge_curvatures, hinge_hessian_product, hinge_labels

# Cross-entropy of the logits as they are, and two of shifted ones: parameters[0] of the three is the label smoothing.
CROSS_ENTROPY = 0
MARGIN = 1
LOGIT_ADJUSTED = 2
_LAST_CROSS_ENTROPY = 2
HINGE = 3
# Without second derivatives.
FOCAL = 4
COSINE = 5


@kernel
def _shift(loss, labels, parameters, start, stop, logits):
    """Replace logits by those whose cross-entropy the loss is; return the derivative of the new ones by the old."""
    n_logits = logits.shape[1]
    if loss == MARGIN:
        margin, scale = parameters[1], parameters[2]
        for i in range(stop - start):
            label = labels[start + i]
            if n_logits > 1:
                logits[i, label] -= margin
            else:
                logits[i, 0] -= margin if label == 1 else -margin
            for k in range(n_logits):
                logits[i, k] *= scale
        return scale
    if loss == LOGIT_ADJUSTED:
        for i in range(stop - start):
            for k in range(n_logits):
                logits[i, k] += parameters[1 + k]
    return 1.0


@kernel
def loss_block(loss, labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Turn logits into their weighted gradient and return the weighted loss.

    ``labels`` is empty if the targets are rows of class probabilities, ``proba`` if they are labels.
    """
    value = 0.0
    if loss <= _LAST_CROSS_ENTROPY:
        scale = _shift(loss, labels, parameters, start, stop, logits)
        smoothing = parameters[0]
        if logits.shape[1] == 1 and len(labels) > 0:
            value = logistic_labels(logits, labels, weight, start, stop, smoothing, losses)
        elif logits.shape[1] == 1:
            value = logistic_proba(logits, proba, class_weight, weight, start, stop, smoothing, losses)
        elif len(labels) > 0:
            value = cross_entropy_labels(logits, labels, weight, start, stop, smoothing, losses)
        else:
            value = cross_entropy_proba(logits, proba, class_weight, weight, start, stop, smoothing, losses)
        if scale != 1.0:
            for i in range(stop - start):
                for k in range(logits.shape[1]):
                    logits[i, k] *= scale
    elif loss == FOCAL:
        gamma = parameters[0]
        if logits.shape[1] == 1:
            value = focal_logit(logits, labels, proba, class_weight, weight, start, stop, gamma, losses)
        elif len(labels) > 0:
            value = focal_labels(logits, labels, weight, start, stop, gamma, losses)
        else:
            value = focal_proba(logits, proba, class_weight, weight, start, stop, gamma, losses)
    elif loss == COSINE:
        value = cosine_labels(logits, labels, weight, start, stop, parameters, losses)
    elif loss == HINGE:
        value = hinge_labels(logits, labels, weight, start, stop, parameters[0], parameters[1], losses)
    return value


@kernel
def hessian_product_block(loss, labels, parameters, weight, start, stop, logits, direction):
    """Turn direction, on logits, into the weighted Hessian times it."""
    if loss == HINGE:
        hinge_hessian_product(logits, direction, labels, weight, start, stop, parameters[0], parameters[1])
        return
    scale = _shift(loss, labels, parameters, start, stop, logits)
    if scale != 1.0:
        for i in range(stop - start):
            for k in range(logits.shape[1]):
                direction[i, k] *= scale * scale
    cross_entropy_hessian_product(logits, direction, weight, start, stop)


@kernel
def curvature(loss, labels, parameters, start, stop, logits):
    """Replace logits by the second derivatives of the rows' losses by each, without their weights."""
    if loss == HINGE:
        hinge_curvature(logits, labels, start, stop - start, parameters[0], parameters[1])
        return
    scale = _shift(loss, labels, parameters, start, stop, logits)
    cross_entropy_curvature(logits, stop - start)
    if scale != 1.0:
        for i in range(stop - start):
            for k in range(logits.shape[1]):
                logits[i, k] *= scale * scale


@kernel
def weighted_curvature(loss, labels, parameters, weight, start, stop, logits):
    """Do as ``curvature``, and multiply by the rows' weights."""
    curvature(loss, labels, parameters, start, stop, logits)
    for i in range(stop - start):
        for k in range(logits.shape[1]):
            logits[i, k] *= weight[start + i]


@kernel
def curvatures(loss, labels, parameters, weight, start, stop, logits, out):
    """Fill out with the weighted second derivatives of the rows' losses, as ``cross_entropy_curvatures`` does."""
    if loss == HINGE:
        hinge_curvatures(logits, labels, weight, start, stop, parameters[0], parameters[1], out)
        return
    scale = _shift(loss, labels, parameters, start, stop, logits)
    cross_entropy_curvatures(logits, weight, start, stop, out)
    if scale != 1.0:
        for pair in range(len(out)):
            for i in range(stop - start):
                out[pair, i] *= scale * scale
