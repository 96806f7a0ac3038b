r"""The objective of weights on the unit sphere.

.. math:: F(V) = \sum_i w_i \, \ell \Big( y_i, \frac{(M + V)_k^\top x_i}{\lVert (M + V)_k \rVert} \Big)_{k = 1 \ldots K}

What lives here: the normalisation, its derivative, and where it starts. What doesn't: rows of unit length, which a loss
prepares, and the sum over them (``linear``).

M is the start: the directions in which the loss falls where all cosines are zero, near those of the classes' means. Parameters
count from there, so that solvers may begin at zeros as they do elsewhere, where weights have no direction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import InMemoryDataset
from ..losses import BoundLoss
from ..penalties import Penalty
from ._contracts import FiniteSum
from .linear import LinearObjective

Vector = NDArray[np.float64]


class CosineObjective(LinearObjective):
    """The mean loss of cosines, without penalty and intercept; see the module's formula.

    Parameters
    ----------
    data : InMemoryDataset
        Rows of unit length.
    loss, penalty, **options
        As ``LinearObjective`` has them.
    alpha, fit_intercept
        Of no effect: the penalty is the same everywhere, and cosines have no intercept.
    """

    unit_norm = True

    def __init__(
        self, data: InMemoryDataset, loss: BoundLoss, penalty: Penalty, alpha: float, *, fit_intercept: bool, **options: Any
    ) -> None:
        super().__init__(data, loss, penalty, 0.0, fit_intercept=False, **options)
        _, gradient = super().value_and_gradient(np.zeros(self.n_params))
        self._start, _ = self._normalised(-gradient)
        # Where all rows point nearly one way, these directions are opposite ones, and rows on the wrong side of them lose by
        # all of the scale: classes that are all alike, along the steepest of them, lose less.
        steep = self.layout.by_logit(gradient)[0]
        longest = -steep[np.argmax(np.linalg.norm(steep, axis=1))]
        if self.n_logits > 1 and np.any(longest):
            alike = np.tile(longest / np.linalg.norm(longest), (self.n_logits, 1))
            alike = super().pack(data.expand(alike), np.zeros(self.n_logits))
            if super().value_and_gradient(alike)[0] < super().value_and_gradient(self._start)[0]:
                self._start = alike

    # With v = r w, r = ‖v‖, and the projection on the sphere's tangent space P = I - w wᵀ, dw = P dv / r and dr = wᵀdv. With
    # the gradient g and the Hessian H by w of the loss of rows scored by w,
    #
    #     ∂F/∂v = P g / r,    ∂²F/∂v² = (P H P - (wᵀg) P - w (P g)ᵀ - (P g) wᵀ) / r²
    #
    # The second term of the Hessian is the sphere's own curvature: a loss that falls along w, wᵀg < 0, rises to second order
    # where w turns at a fixed length. The last two are indefinite and vanish at an optimum, where P g = 0: the model leaves
    # them out, and takes |wᵀg| for -wᵀg. Updates of w on the sphere itself (Absil, Mahony & Sepulchre 2008), which keep r at
    # one, were not taken: F is constant along w, so that solvers of flat vectors serve, and r only grows by steps orthogonal to
    # w.

    def value_and_gradient(self, params: Vector) -> tuple[float, Vector]:
        unit, norms = self._normalised(self._start + params)
        value, gradient = super().value_and_gradient(unit)
        steep, weights = self.layout.for_kernels(gradient)[0], self.layout.for_kernels(unit)[0]
        steep -= (steep * weights).sum(axis=self.layout.feature_axis, keepdims=True) * weights
        steep /= norms
        return value, gradient

    def longest_step(self, params: Vector, direction: Vector) -> float:
        """Return what turns no weight by more than an eighth of a turn: beyond, the model of the Hessian says nothing."""
        lengths = np.linalg.norm(self.layout.for_kernels(self._start + params)[0], axis=self.layout.feature_axis)
        steps = np.linalg.norm(self.layout.for_kernels(direction)[0], axis=self.layout.feature_axis)
        return float(np.min(np.divide(lengths, steps, out=np.ones_like(steps), where=steps > lengths)))

    def class_blocks(self, params: Vector, *, shared: bool = False, stride: int = 1) -> NDArray[np.float64]:
        """Return the blocks of a positive definite model of the Hessian.

        For a weight v of length r along w it is, with the block H of the loss's model and the gradient g by the weight at w,
        (P H P + w wᵀ H w wᵀ + |wᵀ g| I) / r², P = I - w wᵀ: the sphere's own curvature is part of it, and along w,
        where the objective is flat, the loss's, without which old gradients would make steps of any length.
        """
        unit, norms, bend = self._model(params)
        blocks = super().class_blocks(unit, stride=stride)
        rows = self.gather_blocks(unit)
        for block, weight, curvature, norm in zip(blocks, rows, bend, norms, strict=True):
            # Of sparse rows only some columns have blocks, which the projection would make indefinite.
            along = block @ weight if self.covers_all_columns else np.zeros(len(weight))
            along -= (weight @ along) * weight
            block -= np.outer(weight, along)
            block -= np.outer(along, weight)
            block[np.diag_indices_from(block)] += curvature
            block /= norm**2
        return blocks.mean(axis=0, keepdims=True) if shared else blocks

    def _model(self, params: Vector) -> tuple[Vector, Vector, Vector]:
        """Return weights of unit length, flat, the lengths they had and what the sphere's curvature adds, (n_logits,)."""
        unit, norms = self._normalised(self._start + params)
        _, gradient = super().value_and_gradient(unit)
        slope = (self.layout.for_kernels(gradient)[0] * self.layout.for_kernels(unit)[0]).sum(axis=self.layout.feature_axis)
        return unit, norms.ravel(), np.abs(slope)

    def class_diagonals(self, params: Vector, basis: NDArray[np.float64]) -> NDArray[np.float64]:
        unit, norms, bend = self._model(params)
        diagonals = super().class_diagonals(unit, basis) + bend[:, None] * np.square(basis).sum(axis=0)
        return diagonals / np.square(norms)[:, None]

    def hessian_diagonal(self, params: Vector) -> Vector:
        unit, norms, bend = self._model(params)
        diagonal = super().hessian_diagonal(unit)
        weights = self.layout.for_kernels(diagonal)[0]
        weights += np.expand_dims(bend, self.layout.feature_axis)
        weights /= np.expand_dims(np.square(norms), self.layout.feature_axis)
        return diagonal

    def pack(self, coef: NDArray, intercept: NDArray) -> Vector:
        return super().pack(coef, intercept) - self._start

    def unpack(self, params: NDArray) -> tuple[NDArray, NDArray]:
        return super().unpack(self._normalised(self._start + params)[0])

    def lacks(self, contract: type) -> str | None:
        if contract is FiniteSum:
            return f"A stochastic solver does not keep weights on the unit sphere, as {self.loss.loss!r} needs"
        return super().lacks(contract)

    def _normalised(self, params: Vector) -> tuple[Vector, Vector]:
        """Return weights of unit length, flat, and the lengths they had; a weight of zeros stays."""
        weights = self.layout.for_kernels(params)[0]
        norms = np.linalg.norm(weights, axis=self.layout.feature_axis, keepdims=True)
        norms[norms == 0] = 1
        return (weights / norms).ravel(), norms
