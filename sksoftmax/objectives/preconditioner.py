"""Approximate inverses of the Hessian that act within each class.

What lives here: their kinds, the choice among them by memory, and the inversion of blocks. What doesn't: the curvature they
are made of (``class_blocks``), and the algorithm that they speed up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from ._contracts import Objective, Vector

SMALL_BYTES = 2**27


class HasHessianDiagonal(Objective, Protocol):
    """What a diagonal preconditioner is made from."""

    def hessian_diagonal(self, params: Vector) -> Vector:
        """Return the diagonal of the model at params, of shape (n_params,)."""


class HasClassBlocks(HasHessianDiagonal, Protocol):
    """What a preconditioner of blocks within each class is made from; solvers do not ask for it."""

    @property
    def n_rows(self) -> int:
        """Rows summed over."""

    @property
    def n_logits(self) -> int:
        """Logits of a row, each with a block."""

    @property
    def shift_invariant(self) -> bool:
        """Whether ``project_out_shift`` subtracts the mean over the classes, or nothing."""

    @property
    def block_size(self) -> int:
        """Order of a block."""

    @property
    def covers_all_columns(self) -> bool:
        """Whether every parameter belongs to a block."""

    @property
    def stride(self) -> int:
        """The largest stride of a sample of the rows that blocks are worth making from."""

    def class_blocks(self, params: Vector, *, shared: bool = False, stride: int = 1) -> NDArray[np.float64]:
        """Return blocks of the model, (n_logits, block_size, block_size); (1, …) of mean curvature if shared."""

    def class_diagonals(self, params: Vector, basis: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the curvature along the columns of basis, (block_size, m), for each class: (n_logits, m)."""

    def gather_blocks(self, vector: Vector) -> NDArray[np.float64]:
        """Return what vector holds for the blocks, (n_logits, block_size)."""

    def scatter_blocks(self, vector: Vector, rows: NDArray[np.float64]) -> None:
        """Write rows, as ``gather_blocks`` returns them, into vector."""

    def parallel_for(self, function: Callable[[NDArray[np.float64]], None], items: list[NDArray[np.float64]]) -> None:
        """Call function on each of items, in the objective's threads."""


class BlockPreconditioner:
    r"""The inverse of the Hessian's class blocks at a point, projected: Q H⁻¹ Q.

    Q subtracts the mean over the classes. Columns of sparse rows other than the block columns enter by the diagonal of the
    Hessian.

    * Blocks of all classes where they fit in max_bytes and the rows are many enough. At zero coefficients all are the same one.
    * Else each class's curvature along the eigenvectors of the classes' mean block, (n_logits, m) numbers.
    * The diagonal where not even two matrices fit, or where the rows are fewer than the columns.

    Parameters
    ----------
    objective : HasClassBlocks
    params : ndarray of shape (n_params,)
    max_bytes : int
        Most memory for matrices.
    n_made : int
        How many were made before: the first of a costly kind are made from samples of the rows, each twice as large.

    Attributes
    ----------
    is_costly : bool
        Whether making it anew costs many passes over X.
    """

    # The Hessian of a softmax has K × K blocks Xᵀ diag(w p_k (δ_kl - p_l)) X. Those off the diagonal, which couple the classes,
    # are left out: L-BFGS's corrections add them in some tens of steps, where it would need hundreds for the scale and the
    # correlation of the columns, which the blocks hold. The blocks alone have curvature along a shift of all classes by the
    # same vector, where the loss has none: without Q steps would have components along such shifts, where only the penalty has
    # curvature. The whole Hessian, or Böhning's bound of it (1992), which one matrix serves, were not taken: K times the order,
    # or loose where classes are decided.
    #
    # In a common basis V the blocks are taken to differ in their spectra alone: H_k⁻¹ ≈ V diag(1 / d_k) Vᵀ, with d_k the
    # curvature along V's columns. The penalty is part of the block that V is of: eigenvectors of the Gram matrix would not do
    # where the penalty outweighs the data along some columns and not along others. A product is then two with the one matrix
    # that all classes share.

    def __init__(self, objective: HasClassBlocks, params: Vector, *, max_bytes: int, n_made: int = 0) -> None:
        self._objective = objective
        matrix = 8 * objective.block_size**2
        self._inverse: NDArray[np.float64] | None = None
        self._basis: NDArray[np.float64] | None = None
        self._diagonal: Vector | None = None
        # With fewer rows than columns matrices cost more than many passes; with more coefficients than several times the
        # rows, the blocks of all classes do.
        tall = objective.n_rows + 1 >= objective.block_size
        worth_it = objective.n_params <= 4 * objective.n_rows or matrix * objective.n_logits <= SMALL_BYTES
        all_fit = tall and worth_it and matrix * objective.n_logits <= max_bytes
        basis_fits = tall and 2 * matrix <= max_bytes
        self.is_costly = all_fit and objective.covers_all_columns and objective.block_size >= 128
        if all_fit:
            stride = max(objective.stride >> max(n_made - 1, 0), 1)
            self._inverse = objective.class_blocks(params, shared=not params.any(), stride=stride)
            objective.parallel_for(invert, list(self._inverse))
        elif basis_fits:
            self._basis = eigenbasis(objective.class_blocks(params, shared=True)[0])
            self._spectra = positive(objective.class_diagonals(params, self._basis))
        if not objective.covers_all_columns or not (all_fit or basis_fits):
            self._diagonal = 1 / positive(objective.hessian_diagonal(params))

    def __call__(self, vector: Vector) -> Vector:
        """Return the preconditioned vector, a new array."""
        if self._diagonal is None:
            product = np.empty_like(vector)
            rows = self._solve(self._without_shift(self._objective.gather_blocks(vector)))
            self._objective.scatter_blocks(product, self._without_shift(rows))
            return product
        vector = vector.copy()
        self._objective.project_out_shift(vector)
        rows = self._solve(self._objective.gather_blocks(vector))
        vector *= self._diagonal
        if self._inverse is not None or self._basis is not None:
            self._objective.scatter_blocks(vector, rows)
        self._objective.project_out_shift(vector)
        return vector

    def _without_shift(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return rows - np.add.reduce(rows) / len(rows) if self._objective.shift_invariant else rows

    def _solve(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._basis is not None:
            return ((rows @ self._basis) / self._spectra) @ self._basis.T
        if self._inverse is None:
            return rows
        if len(self._inverse) == 1:
            return rows @ self._inverse[0]
        return np.matmul(self._inverse, rows[:, :, None])[:, :, 0]


class DiagonalPreconditioner:
    """The inverse of the Hessian's diagonal at a point, projected: all that needs only sums over rows.

    Parameters
    ----------
    objective : HasHessianDiagonal
    params : ndarray of shape (n_params,)

    Attributes
    ----------
    is_costly : bool
        False: it takes one pass.
    """

    is_costly = False

    def __init__(self, objective: HasHessianDiagonal, params: Vector) -> None:
        self._objective = objective
        self._inverse = 1 / positive(objective.hessian_diagonal(params))

    def __call__(self, vector: Vector) -> Vector:
        """Return the preconditioned vector, a new array."""
        vector = vector.copy()
        self._objective.project_out_shift(vector)
        vector *= self._inverse
        self._objective.project_out_shift(vector)
        return vector


def positive(diagonal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return diagonal with ones where it is zero or not a number: no preconditioning, but a descent direction."""
    return np.where((diagonal > 0) & np.isfinite(diagonal), diagonal, 1)


# V for a block B, D = diag(B)^-½: with the eigendecomposition D B D = U Λ Uᵀ, V = D U has VᵀB V = Λ and V Λ⁻¹ Vᵀ = B⁻¹. With
# d_k the diagonal of VᵀH_k V in the place of Λ it is exact for every multiple of B. Without D the eigenvectors would be those
# of the column of largest unit, and the others' curvature would be lost in its rounding.


def eigenbasis(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the eigenvectors of a block scaled to a unit diagonal, for coefficients of the unscaled columns."""
    scale = 1 / np.sqrt(positive(block.diagonal()))
    scaled = block * scale * scale[:, None]
    if not np.all(np.isfinite(scaled)):
        return np.eye(len(block))
    return scale[:, None] * np.linalg.eigh(scaled)[1]


# By Cholesky (potrf, potri), in coordinates in which the block has a unit diagonal, as in ``solvers.newton_cholesky``. What
# rounding makes indefinite is lifted along the diagonal, by 1e-14 of it and then a hundred times more until a factor exists: a
# preconditioner may be off along directions of hardly any curvature, as L-BFGS corrects it. The inverse itself, not its factor,
# is kept: all classes' products are then one batch of matrix products in each iteration, where triangular solves would be two
# calls a class, and a preconditioner does not need the factor's smaller error.


def invert(block: NDArray[np.float64]) -> None:
    """Overwrite a positive semi-definite matrix by its inverse, scaled to a unit diagonal and lifted until it has one.

    Where squares of the columns overflow, that is the identity: no preconditioner, but a descent direction.
    """
    if not np.all(np.isfinite(block)):
        block[:] = np.eye(len(block))
        return
    scale = 1 / np.sqrt(positive(block.diagonal()))
    block *= scale
    block *= scale[:, None]
    lift = 1e-14
    while True:
        np.fill_diagonal(block, 1 + lift)
        factor, info = lapack.dpotrf(block, lower=1)  # with zeros above the diagonal
        if info == 0:
            break
        lift *= 100
    inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    diagonal = inverse.diagonal().copy()
    np.add(inverse, inverse.T, out=block)
    np.fill_diagonal(block, diagonal)
    block *= scale
    block *= scale[:, None]
