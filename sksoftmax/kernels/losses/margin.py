"""Cross-entropy of scaled logits, the true one less a margin; ``parameters`` is (smoothing, margin, scale)."""

from .._compile import kernel
from . import BlockKernels, LossKernels
from .cross_entropy import (
    cross_entropy_curvature,
    cross_entropy_hessian_product,
    cross_entropy_labels,
    cross_entropy_pairs,
    logistic_curvature,
    logistic_hessian_product,
    logistic_labels,
    logistic_pairs,
)

# The loss is l(t) with l cross-entropy and t = s (z - Δ e_y), for a scale s and a margin Δ (Wang, Cheng, Liu & Liu 2018, with
# logits in place of their cosines). As ∂t / ∂z is s times the identity, the chain rule gives
#
#   gradient by z: s ∇l(t),    Hessian by z: s² ∇²l(t):
#
# one factor s for each derivative, and none for the shift by Δ. So cross-entropy's kernels are run on t, in place of the
# logits, and what they return is multiplied. They read the smoothing as the first of parameters. A Hessian product is linear in
# the direction, which is multiplied first.
#
# One logit z stands for z_1 - z_0: a margin off class 1 gives z - Δ, one off class 0 gives z + Δ.


@kernel
def _shift(labels, parameters, start, stop, logits):
    """Replace logits by those whose cross-entropy the loss is."""
    margin, scale = parameters[1], parameters[2]
    n_logits = logits.shape[1]
    for i in range(stop - start):
        label = labels[start + i]
        if n_logits > 1:
            logits[i, label] -= margin
        else:
            logits[i, 0] -= margin if label == 1 else -margin
        for k in range(n_logits):
            logits[i, k] *= scale


@kernel
def _multiply(array, factor, n_rows):
    for i in range(n_rows):
        for k in range(array.shape[1]):
            array[i, k] *= factor


@kernel
def margin_labels(labels, proba, class_weight, weight, parameters, start, stop, logits, losses):
    """Value and gradient."""
    _shift(labels, parameters, start, stop, logits)
    if logits.shape[1] == 1:
        value = logistic_labels(labels, proba, class_weight, weight, parameters, start, stop, logits, losses)
    else:
        value = cross_entropy_labels(labels, proba, class_weight, weight, parameters, start, stop, logits, losses)
    _multiply(logits, parameters[2], stop - start)
    return value


@kernel
def margin_hessian_product(labels, parameters, weight, start, stop, logits, direction):
    """Hessian product."""
    _shift(labels, parameters, start, stop, logits)
    _multiply(direction, parameters[2] * parameters[2], stop - start)
    if logits.shape[1] == 1:
        logistic_hessian_product(labels, parameters, weight, start, stop, logits, direction)
    else:
        cross_entropy_hessian_product(labels, parameters, weight, start, stop, logits, direction)


@kernel
def margin_curvature(labels, parameters, start, stop, logits):
    """Second derivatives by each logit."""
    _shift(labels, parameters, start, stop, logits)
    if logits.shape[1] == 1:
        logistic_curvature(labels, parameters, start, stop, logits)
    else:
        cross_entropy_curvature(labels, parameters, start, stop, logits)
    _multiply(logits, parameters[2] * parameters[2], stop - start)


@kernel
def margin_pairs(labels, parameters, weight, start, stop, logits, out):
    """Second derivatives by pairs of logits."""
    _shift(labels, parameters, start, stop, logits)
    if logits.shape[1] == 1:
        logistic_pairs(labels, parameters, weight, start, stop, logits, out)
    else:
        cross_entropy_pairs(labels, parameters, weight, start, stop, logits, out)
    square = parameters[2] * parameters[2]
    for pair in range(len(out)):
        for i in range(stop - start):
            out[pair, i] *= square


_BLOCK_KERNELS = BlockKernels(margin_labels, None, margin_hessian_product, margin_curvature, margin_pairs)
MARGIN = LossKernels(one_logit=_BLOCK_KERNELS, logits=_BLOCK_KERNELS)
