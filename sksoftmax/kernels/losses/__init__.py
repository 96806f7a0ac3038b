"""Losses of a block of rows, one a file, and how passes over rows call them: by address.

What lives here: ``LossKernels``, the kernels of a loss, and the signature of each kind. What doesn't: any particular loss.

Kinds
-----
value_and_gradient(labels, proba, class_weight, weight, parameters, start, stop, logits, losses)
    Fill losses with those of the rows and turn logits into their weighted gradient; return the weighted sum of losses.
hessian_product(labels, parameters, weight, start, stop, logits, direction)
    Replace direction, on logits, by the weighted Hessian times it; logits are scratch afterwards.
curvature(labels, parameters, start, stop, logits)
    Replace logits by the second derivatives of the rows' losses by each, without the rows' weights.
pairs(labels, parameters, weight, start, stop, logits, out)
    Fill out, (n_pairs, rows), with the rows' weighted second derivatives by logits k and l ≤ k, in the order (0, 0), (1, 0),
    (1, 1), (2, 0), …; logits are scratch afterwards.

Arguments
---------
labels : (n_rows,), int32
    Class indices; empty if the targets are rows of class probabilities.
proba, class_weight : (n_rows, n_classes), float32 or float64, and (n_classes,), float64
    A row of class probabilities q counts as n_classes copies of itself, copy k of label k and weight ``q_k * class_weight_k``.
    The row's ``weight`` already holds the sum of these, so that only their proportions matter. Empty if there are labels.
weight : (n_rows,), float64
parameters : float64
    The loss's hyperparameters.
start, stop : int
    The block's rows among labels, proba and weight.
logits : (rows, n_logits), float32 or float64
    The block's rows come first. One logit is that of class 1 against 0 for class 0.
losses : (rows,), float64
"""

from typing import Any, NamedTuple

import numpy as np

from .._compile import kernel
from .._pointers import Signature

# One call by address for each block of rows: what the call costs is shared by some hundreds of rows, and the loop over them,
# with the loss's formula in it, is compiled as one. Labels are int32 and row weights float64 whatever X is: only logits, which
# have X's dtype, and class probabilities come in two dtypes, for each of which a loss is compiled when it is asked for.
#
# ``pairs`` writes the lower triangle of a row's symmetric matrix: the pair (k, l) stands at k (k + 1) / 2 + l. A pair's numbers
# for all rows are contiguous, as they are the row weights of one Gram matrix.
_LABELS, _PROBA, _VECTOR, _LOGITS, _INDEX = (np.int32, 1), ("proba", 2), (np.float64, 1), ("logits", 2), (np.int64, 0)

VALUE_AND_GRADIENT = Signature(np.float64, [_LABELS, _PROBA, _VECTOR, _VECTOR, _VECTOR, _INDEX, _INDEX, _LOGITS, _VECTOR])
HESSIAN_PRODUCT = Signature(None, [_LABELS, _VECTOR, _VECTOR, _INDEX, _INDEX, _LOGITS, _LOGITS])
CURVATURE = Signature(None, [_LABELS, _VECTOR, _INDEX, _INDEX, _LOGITS])

call_value_and_gradient, call_hessian_product, call_curvature = VALUE_AND_GRADIENT.call, HESSIAN_PRODUCT.call, CURVATURE.call

# What callers pass for targets that they do not have.
NO_LABELS, NO_PROBA, NO_CLASS_WEIGHT = np.empty(0, np.int32), np.empty((0, 0)), np.empty(0)


class BlockKernels(NamedTuple):
    """The kernels of a loss for some number of logits, each of the kind that its name begins with; None where it has none.

    ``value_and_gradient_of_labels`` reads no probabilities, ``value_and_gradient_of_proba`` no labels: each is compiled when it
    is needed.
    """

    value_and_gradient_of_labels: Any
    value_and_gradient_of_proba: Any = None
    hessian_product: Any = None
    curvature: Any = None
    pairs: Any = None


class LossKernels(NamedTuple):
    """The kernels of a loss: for two classes, which have one logit, and for more."""

    one_logit: BlockKernels
    logits: BlockKernels

    def of(self, n_logits):
        """Return the kernels for n_logits."""
        return self.one_logit if n_logits == 1 else self.logits


@kernel
def weighted_curvature(curvature, labels, parameters, weight, start, stop, logits):
    """Replace logits by the weighted second derivatives of the rows' losses by each; ``curvature`` is an address."""
    call_curvature(curvature, (labels, parameters, start, stop, logits))
    for i in range(stop - start):
        for k in range(logits.shape[1]):
            logits[i, k] *= weight[start + i]
