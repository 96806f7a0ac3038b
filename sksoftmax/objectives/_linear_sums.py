r"""A loss and a penalty summed over a data set, as a function of one flat vector, and its derivatives.

.. math:: F(\text{params}) = \sum_i w_i \, \ell(y_i, x_i W^\top + b) + \alpha \, P(W), \qquad \sum_i w_i = 1

What lives here: the sum, its gradient, Hessian products and Hessian. What doesn't: any particular loss, penalty or solver,
where the rows are (``data``), how coefficients and intercept sit in a vector (``_layout``), what solvers ask for besides
(``linear``).

Each row block is scored, its loss gradient taken and projected back while it is in cache: X is read from memory once an
evaluation and no array of (n_rows, n_logits) exists.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import daxpy

from ..data.dataset import Dataset, InMemoryDataset
from ..data.rows import LinearParams
from ..data.terms import HessianProduct, ModelDiagonal, ValueAndGradient
from ..kernels import rowwise as rowwise_kernels
from ..losses import BoundLoss
from ..penalties import Penalty
from ._layout import Layout
from .hessian import add_hessian

Vector = NDArray[np.float64]


class LinearSums:
    """Loss plus penalty over a data set; see the module's formula.

    Parameters
    ----------
    data : Dataset
    loss : BoundLoss
        Joined to the classes of the data.
    penalty : Penalty
    alpha : float
        Strength of the penalty against the mean loss, ≥ 0.
    fit_intercept : bool

    Attributes
    ----------
    unit_norm : bool
        Whether weights have unit length, as the loss has it.
    """

    unit_norm = False

    def __init__(
        self,
        data: Dataset,
        loss: BoundLoss,
        penalty: Penalty,
        alpha: float,
        *,
        fit_intercept: bool,
    ) -> None:
        if loss.unit_norm != self.unit_norm:
            raise TypeError(f"{type(self).__name__} is not made for a loss with unit_norm={loss.unit_norm}.")
        self.data, self.loss = data, loss
        self._penalty, self._alpha = penalty, alpha
        self._fit_intercept = fit_intercept
        self.layout = Layout(loss.n_logits, data.n_features, class_major=data.class_major, fit_intercept=fit_intercept)
        self.n_rows, self.n_logits = data.n_rows, loss.n_logits
        self._relative_noise = (1 if data.dtype == np.float32 else 8) * float(np.finfo(data.dtype).eps)
        self.n_coef, self.n_params = self.layout.n_coef, self.layout.n_params

    @property
    def in_memory(self) -> InMemoryDataset:
        """The data set, for what needs its rows here.

        Raises
        ------
        TypeError
            They are elsewhere.
        """
        if not isinstance(self.data, InMemoryDataset):
            raise TypeError(f"The rows of {type(self.data).__name__} are not in memory.")
        return self.data

    def value_noise(self, value: float) -> float:
        """Return how far the computed objective may be from the true one near value, for line searches and stopping."""
        return self._relative_noise * abs(value)

    # -- the flat vector -----------------------------------------------------------------------------------------

    def pack(self, coef: NDArray, intercept: NDArray) -> Vector:
        """Return the flat vector of coef (n_logits, columns of X) and intercept (n_logits,)."""
        return self.layout.join(self.data.reduce(coef), intercept)

    def unpack(self, params: NDArray) -> tuple[NDArray, NDArray]:
        """Return coef (n_logits, columns of X) and intercept (n_logits,) as new C-contiguous arrays of X's dtype."""
        coef, intercept = self.layout.by_logit(params)
        return np.array(self.data.expand(coef), dtype=self.data.dtype, order="C"), np.array(intercept, dtype=self.data.dtype)

    def _kernel_params(self, params: NDArray) -> LinearParams:
        """Return coefficients and intercept as the rows' kernels take them, of the rows' dtype."""
        return self.in_memory.rows.kernel_params(self.layout.for_kernels(params))

    # -- sums over rows ------------------------------------------------------------------------------------------

    def value_and_gradient(self, params: Vector) -> tuple[float, Vector]:
        """Return F(params) and its gradient, of params' shape; the gradient is that of the smooth part where F has another."""
        value, gradient = self.smooth_value_and_gradient(params)
        return value if self._penalty.is_smooth else value + self._rest_of_penalty(params), gradient

    def smooth_value_and_gradient(self, params: Vector) -> tuple[float, Vector]:
        """Return the smooth part of F, all but what ``prox`` is of, and its gradient."""
        value, gradient = self.data.sum(ValueAndGradient(), self.loss, self.layout.for_kernels(params))
        gradient = gradient[: self.n_params]
        if self._alpha > 0:
            weights = params[: self.n_coef]
            value += self._alpha * self._penalty.smooth_value(weights)
            # In place: with many features times classes, a temporary here costs as much as the rows.
            daxpy(self._penalty.gradient(weights), gradient, n=self.n_coef, a=self._alpha)
        return value, gradient

    def _rest_of_penalty(self, params: Vector) -> float:
        weights = params[: self.n_coef]
        return self._alpha * (self._penalty.value(weights) - self._penalty.smooth_value(weights))

    def prox(self, params: Vector, step: float) -> Vector:
        """Return the proximal map of the part of the penalty that is not smooth, at a step; the intercept stays."""
        moved = params.copy()
        moved[: self.n_coef] = self._penalty.prox(params[: self.n_coef], self._alpha * step)
        return moved

    def gradient_norm(self, gradient: Vector) -> float:
        """Return the largest absolute component of a gradient, in the coordinates of X's columns."""
        coef, intercept = self.layout.for_kernels(gradient)
        coef = self.data.expand(coef)
        return float(max(np.max(np.abs(coef)), np.max(np.abs(intercept))))

    def hessian_product(self, params: Vector, direction: Vector) -> Vector:
        """Return the Hessian at params times direction."""
        term = HessianProduct(self.layout.for_kernels(direction))
        product = self.data.sum(term, self.loss, self.layout.for_kernels(params))[1][: self.n_params]
        if self._alpha > 0:
            product[: self.n_coef] += self._alpha * self._penalty.hessian_product(direction[: self.n_coef])
        return product

    def hessian_diagonal(self, params: Vector) -> Vector:
        """Return the diagonal of the Hessian at params, of the loss's model."""
        diagonal = self.data.sum(ModelDiagonal(), self.loss, self.layout.for_kernels(params))[1][: self.n_params]
        if self._alpha > 0:
            diagonal[: self.n_coef] += self._alpha * self._penalty.hessian_diagonal(self.n_coef)
        return diagonal

    def hessian(self, params: Vector) -> Vector:
        """Return the Hessian at params, of shape (n_params, n_params): n_params² float64 numbers."""
        hessian = np.zeros((self.n_params, self.n_params))
        add_hessian(
            self.in_memory,
            self.loss,
            self._kernel_params(params),
            positions=self.layout.positions(),
            fit_intercept=self._fit_intercept,
            hessian=hessian,
        )
        if self._alpha > 0:
            diagonal = np.arange(self.n_coef)
            hessian[diagonal, diagonal] += self._alpha * self._penalty.hessian_diagonal(self.n_coef)
        return hessian

    def separates_classes(self, params: Vector) -> bool:
        """Return whether params separate the classes where the loss then vanishes: without a penalty it has no minimum."""
        kernel_params = self._kernel_params(params)
        return all(
            self.loss.is_separated_by(self.in_memory.score(kernel_params, start, stop), self.in_memory.targets[start:stop])
            for start, stop in self.in_memory.blocks(self.n_logits)
        )

    def has_no_minimum(self, params: Vector) -> bool:
        """Return whether there is no minimum: nothing is penalised and params separate the classes."""
        return self._alpha == 0 and self.separates_classes(params)

    def change_of_proba(self, params: Vector, step: Vector) -> float:
        """Return the most by which a step from params changes the softmax of a row's logits."""
        here, there = self._kernel_params(params), self._kernel_params(params + step)
        return max(
            float(np.max(np.abs(self._softmax(there, start, stop) - self._softmax(here, start, stop))))
            for start, stop in self.in_memory.blocks(self.n_logits)
        )

    def _softmax(self, kernel_params: LinearParams, start: int, stop: int) -> NDArray:
        logits = self.in_memory.score(kernel_params, start, stop)
        if self.n_logits == 1:
            logits = np.column_stack([np.zeros_like(logits), logits])
        rowwise_kernels.softmax(logits, len(logits))
        return logits

    # -- properties of the loss ------------------------------------------------------------------------------------

    @property
    def convex(self) -> bool:
        """Whether the objective is convex."""
        return self.loss.convex

    @property
    def has_hessian(self) -> bool:
        """Whether the loss has second derivatives."""
        return self.loss.has_hessian

    @property
    def smooth(self) -> bool:
        """Whether loss and penalty have no kinks."""
        return self._penalty.is_smooth and self.loss.smooth

    @property
    def strictly_convex(self) -> bool:
        """Whether the loss's second derivatives vanish nowhere."""
        return self.loss.strictly_convex

    # -- the softmax's null space ----------------------------------------------------------------------------------

    @property
    def shift_invariant(self) -> bool:
        """Whether adding one vector to every class's parameters leaves the loss as it is, and their mean is best zero."""
        return self.loss.shift_invariant and (self._alpha == 0 or self._penalty.commutes_with_class_mean)

    def project_out_shift(self, vector: Vector) -> None:
        """Project vector onto the complement of the softmax's null space: subtract its mean over the classes.

        Nothing is done unless the objective is shift invariant.
        """
        if self.shift_invariant:
            self.layout.subtract_class_mean(vector)

    # A softmax does not change where all classes' coefficients of column j change by the same c_j. Along these directions the
    # loss has neither slope nor curvature, and a penalty that commutes with the mean over the classes, as L2, is least where
    # that mean is zero: the optimum lies in their complement, and iterates that start there with steps from there stay there.
    #
    # H' = H + Σ_j γ_j e_j e_jᵀ, e_j having a one for column j of every class. With γ_j the mean over the classes of H's
    # diagonal for column j over K, H' has that mean as its curvature along e_j / √K: of the size of the other curvatures of
    # that column, whatever its unit. H maps the complement to itself and H' is H there, so that H' d = -g and g ⟂ e_j give the
    # d that is ⟂ e_j. To drop a class, as textbooks do, was not taken: the penalty is then another, and so is the optimum. Nor
    # were K - 1 orthogonal coordinates, which mix the classes and leave no class blocks.

    def regularise_null_space(self, hessian: Vector) -> None:
        """Add curvature along the null space, a common shift of all classes: a Cholesky factor then exists in floating point.

        Newton steps do not change: the gradient is orthogonal to such shifts, and so is the penalty's where the parameters
        have no mean over the classes (``project_out_shift``). The penalty's own curvature along the shifts, which may be 1e-2
        beside 1e16 of large columns, would be lost in rounding.
        """
        if not self.shift_invariant:
            return
        positions = self.layout.positions()
        curvature = hessian[positions, positions].mean(axis=0) / self.n_logits
        hessian[positions[:, None], positions[None]] += curvature
