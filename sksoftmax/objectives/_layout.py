"""Coefficients and intercept as one flat vector: the one place where the order of its entries is written.

What lives here: ``Layout``. What doesn't: the functions of such vectors (``linear``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..data.rows import LinearParams

Vector = NDArray[np.float64]


class Layout:
    """Order of a flat vector: the coefficients as the rows' kernels read them, then the intercept if there is one.

    Parameters
    ----------
    n_logits, n_features : int
    class_major : bool
        Whether kernels read coefficients as (n_logits, n_features), as those of dense rows do, or else as their transpose.
    fit_intercept : bool

    Attributes
    ----------
    n_coef, n_params : int
        Numbers of coefficients, and of all entries.
    """

    def __init__(self, n_logits: int, n_features: int, *, class_major: bool, fit_intercept: bool) -> None:
        self.n_logits, self.n_features = n_logits, n_features
        self.class_major, self.fit_intercept = class_major, fit_intercept
        self.n_coef = n_logits * n_features
        self.n_params = self.n_coef + fit_intercept * n_logits
        self._shape = (n_logits, n_features) if class_major else (n_features, n_logits)
        self._made_positions: NDArray[np.intp] | None = None  # when first asked for: each Newton step asks twice

    def join(self, coef: NDArray, intercept: NDArray) -> Vector:
        """Return the flat vector of coef (n_logits, n_features) and intercept (n_logits,), float64."""
        params = np.empty(self.n_params)
        params[: self.n_coef] = np.ravel(coef if self.class_major else coef.T)
        if self.fit_intercept:
            params[self.n_coef :] = intercept
        return params

    def for_kernels(self, params: NDArray) -> LinearParams:
        """Return views of the coefficients as kernels read them, and of the intercept; zeros if there is none."""
        return params[: self.n_coef].reshape(self._shape), self._intercept(params)

    def by_logit(self, params: NDArray) -> LinearParams:
        """Return views of the coefficients, (n_logits, n_features), and of the intercept; zeros if there is none."""
        coef = params[: self.n_coef].reshape(self._shape)
        return coef if self.class_major else coef.T, self._intercept(params)

    def _intercept(self, params: NDArray) -> NDArray:
        return params[self.n_coef :] if self.fit_intercept else np.zeros(self.n_logits)

    @property
    def feature_axis(self) -> int:
        """The axis of coefficients, as kernels read them, along which the features lie."""
        return 1 - self.class_axis

    @property
    def class_axis(self) -> int:
        """The axis of coefficients, as kernels read them, along which the classes lie."""
        return 0 if self.class_major else 1

    def positions(self) -> NDArray[np.intp]:
        """Return where each logit's parameters sit in the vector, (n_logits, n_features), and those of the intercept last."""
        if self._made_positions is None:
            coef, intercept = self.by_logit(np.arange(self.n_params))
            positions = np.column_stack([coef, intercept]) if self.fit_intercept else np.ascontiguousarray(coef)
            self._made_positions = positions
        return self._made_positions

    def from_other(self, vector: Vector) -> Vector:
        """Return a copy, in this order, of a vector in that of rows of the other kind, dense or sparse."""
        shape = (-1, self.n_logits) if self.class_major else (self.n_logits, -1)
        return np.concatenate([vector[: self.n_coef].reshape(shape).T.ravel(), vector[self.n_coef :]])

    def subtract_class_mean(self, vector: Vector) -> None:
        """Subtract from vector, in place, its mean over the classes."""
        coef, intercept = self.for_kernels(vector)
        coef -= np.add.reduce(coef, axis=self.class_axis, keepdims=True) / self.n_logits
        intercept -= np.add.reduce(intercept) / self.n_logits
