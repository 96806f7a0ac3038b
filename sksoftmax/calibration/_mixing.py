r"""Mixtures of a classifier's probabilities with the uniform distribution, as logits.

With the margins :math:`d_k = z_k - \max_j z_j`, :math:`p_k \propto e^{d_k}`, and so

.. math:: (1 - \varepsilon) p_k + \frac{\varepsilon}{m} \; \propto \; e^{d_k} + c, \qquad
          c = \frac{\varepsilon}{1 - \varepsilon} \, \frac{1}{m} \sum_j e^{d_j}

over the m possible classes. Its logarithm, less that of the largest, is :math:`\log \frac{e^{d_k} + c}{1 + c}`, which equals
:math:`\log(1 + (e^{d_k} - 1) / (1 + c))`: the first is accurate for large margins, the second for small ones.

What lives here: ``mix_uniform``. What doesn't: the decision whether to mix (``_likelihood``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._sigmoid import difference

BLOCK_ROWS = 4096


def mix_uniform(logits: NDArray, share: float) -> NDArray:
    """Return the logits, float64 and with a largest one of 0, of (1 - share) softmax(logits) + share / n_possible.

    With a share of 0 the given logits are returned, in their own dtype.

    Parameters
    ----------
    logits : ndarray of shape (n_rows, n_classes), float32 or float64
        −inf stays −inf: the uniform distribution is that over the other classes.
    share : float
        In [0, 1).
    """
    if share == 0:
        return logits
    out = np.empty(logits.shape)
    for start in range(0, len(logits), BLOCK_ROWS):
        block = logits[start : start + BLOCK_ROWS]
        margins = difference(block, block.max(axis=1, keepdims=True))
        possible = margins > -np.inf
        terms = np.exp(margins)
        odds = share / (1 - share) * terms.sum(axis=1, keepdims=True) / possible.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore"):
            mixed = np.where(margins > -1, np.log1p(np.expm1(margins) / (1 + odds)), np.log(terms + odds) - np.log1p(odds))
        out[start : start + BLOCK_ROWS] = np.where(possible, mixed, -np.inf)
    return out
