"""Cross-entropy of logits plus a number for each class; ``parameters`` is (smoothing, number of each logit)."""

from .._compile import kernel
from . import BlockKernels, LossKernels
from .cross_entropy import (
    cross_entropy_curvature,
    cross_entropy_hessian_product,
    cross_entropy_labels,
    cross_entropy_pairs,
    cross_entropy_proba,
    logistic_curvature,
    logistic_hessian_product,
    logistic_labels,
    logistic_pairs,
    logistic_proba,
)

# The loss is cross-entropy of z + a, with the classes' shares π in
#
#   a_k = τ log π_k,    of one logit, that of class 1 against class 0, a = τ (log π_1 - log π_0)
#
# (Menon et al. 2021, the logit adjusted loss); a comes in parameters, after the smoothing that cross-entropy's kernels read. As
# a does not depend on z, derivatives by z are those of cross-entropy at z + a, without a factor: each kernel shifts the logits
# in place and goes on as cross-entropy's.
#
# Not a shift of the intercepts that a pass is given, which would save the loop: whoever scores rows would have to know of the
# loss.


@kernel
def _shift(parameters, logits, n_rows):
    """Replace logits by those whose cross-entropy the loss is."""
    for i in range(n_rows):
        for k in range(logits.shape[1]):
            logits[i, k] += parameters[1 + k]


@kernel
def logit_adjusted_labels(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient against labels."""
    _shift(parameters, logits, stop - start)
    if logits.shape[1] == 1:
        return logistic_labels(labels, proba, class_weight, weight, parameters, start, stop, logits, losses)
    return cross_entropy_labels(labels, proba, class_weight, weight, parameters, start, stop, logits, losses)


@kernel
def logit_adjusted_proba(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient against rows of class probabilities."""
    _shift(parameters, logits, stop - start)
    if logits.shape[1] == 1:
        return logistic_proba(labels, proba, class_weight, weight, parameters, start, stop, logits, losses)
    return cross_entropy_proba(labels, proba, class_weight, weight, parameters, start, stop, logits, losses)


@kernel
def logit_adjusted_hessian_product(labels, parameters, weight, start, stop, logits, direction):
    """Hessian product."""
    _shift(parameters, logits, stop - start)
    if logits.shape[1] == 1:
        logistic_hessian_product(labels, parameters, weight, start, stop, logits, direction)
    else:
        cross_entropy_hessian_product(labels, parameters, weight, start, stop, logits, direction)


@kernel
def logit_adjusted_curvature(labels, parameters, start, stop, logits):
    """Second derivatives by each logit."""
    _shift(parameters, logits, stop - start)
    if logits.shape[1] == 1:
        logistic_curvature(labels, parameters, start, stop, logits)
    else:
        cross_entropy_curvature(labels, parameters, start, stop, logits)


@kernel
def logit_adjusted_pairs(labels, parameters, weight, start, stop, logits, out):
    """Second derivatives by pairs of logits."""
    _shift(parameters, logits, stop - start)
    if logits.shape[1] == 1:
        logistic_pairs(labels, parameters, weight, start, stop, logits, out)
    else:
        cross_entropy_pairs(labels, parameters, weight, start, stop, logits, out)


_BLOCK_KERNELS = BlockKernels(
    logit_adjusted_labels,
    logit_adjusted_proba,
    logit_adjusted_hessian_product,
    logit_adjusted_curvature,
    logit_adjusted_pairs,
)
LOGIT_ADJUSTED = LossKernels(one_logit=_BLOCK_KERNELS, logits=_BLOCK_KERNELS)
