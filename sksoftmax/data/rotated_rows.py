"""Wide dense rows in coordinates of the space that they span.

What lives here: the rotation, and when it is worth it. What doesn't: solvers, which may lose by it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .dense_rows import DenseRows
from .rows import Rows

MAX_ROTATION_BYTES = 2**28


class RotatedRows(DenseRows):
    r"""Wide rows in coordinates of the space that they span: at most as many columns as rows.

    A penalised optimum lies in the span of the rows, whatever the loss (the representer theorem), and the L2 penalty is
    invariant under rotations: the problem stays the same, and passes and Hessians shrink. By :math:`X^\top = Q R`, which is
    stable for columns of any scale where the Gram matrix of the rows would square it.

    References
    ----------
    Hastie & Tibshirani (2004), "Efficient quadratic regularization for expression arrays".
    """

    def __init__(self, X: NDArray) -> None:
        rotation, triangle = np.linalg.qr(X.T.astype(np.float64, copy=False))
        super().__init__(np.ascontiguousarray(triangle.T, dtype=X.dtype))
        self._rotation = rotation

    @staticmethod
    def is_worth_it(rows: Rows) -> bool:
        """Return whether rows are wide and the rotation is small."""
        return rows.class_major and rows.n_rows < rows.n_features and 8 * rows.n_stored <= MAX_ROTATION_BYTES

    def expand(self, coef: NDArray[np.float64]) -> NDArray[np.float64]:
        return coef @ self._rotation.T

    def reduce(self, coef: NDArray) -> NDArray:
        return coef @ self._rotation
