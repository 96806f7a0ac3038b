r"""An objective whose every class has one column of its own: cross-entropy after scaling and shifting given logits.

.. math:: F(v, b) = \sum_i w_i \, H\bigl(t_i, \mathrm{softmax}(v \circ z_i + b)\bigr) + P(v, b), \qquad \sum_i w_i = 1

What lives here: this sum over row blocks with its derivatives, as solvers ask for them, for vector scaling (v has an entry a
class) and for one v that all classes share. What doesn't: matrices, a ``LinearObjective`` on the logits' columns; what
logits, prior and solver to take (``calibration``).

Its 2K parameters would be K(K + 1) of a ``LinearObjective`` that has to keep all but these at zero: here a pass costs
O(n_rows · K) and the Hessian O(n_rows · K²).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..data.threads import Item, map_in_order
from ..kernels import rowwise as rowwise_kernels
from ..kernels.losses import NO_CLASS_WEIGHT, NO_LABELS, NO_PROBA
from ..kernels.losses import cross_entropy as cross_entropy_kernels
from ..kernels.losses.cross_entropy import NO_SMOOTHING
from ..losses import Targets
from ..penalties import Penalty
from .preconditioner import BlockPreconditioner

Vector = NDArray[np.float64]

BLOCK_NUMBERS = 2**15  # a block of logits and its gradient stay in a core's cache
SEGMENT_NUMBERS, MAX_SEGMENTS = 2**17, 16


class LogitScalingObjective:
    """Cross-entropy of scaled and shifted logits plus a penalty on all parameters.

    The flat vector holds v, one number or n_classes, then b, n_classes. The penalty has to include b, as the
    loss does not depend on its mean.

    Parameters
    ----------
    logits : ndarray of shape (n_rows, n_classes)
        float32 or float64, finite, C-contiguous.
    targets : Targets
    penalty : Penalty
        On the whole flat vector, with its strength in it.
    shared : bool
        Whether v is one number.
    pool : executor or None
        Threads to map over segments of the rows.
    n_threads : int
    """

    # What it answers where solvers ask an objective what its loss is.
    convex = has_hessian = smooth = strictly_convex = True
    shift_invariant = False
    stride = 1

    def __init__(
        self,
        logits: NDArray,
        targets: Targets,
        penalty: Penalty,
        *,
        shared: bool,
        pool: ThreadPoolExecutor | None = None,
        n_threads: int = 1,
    ) -> None:
        self._logits, self._targets, self._penalty, self._shared = logits, targets, penalty, shared
        self.n_rows, self.n_logits = logits.shape
        self.n_params = (1 if shared else self.n_logits) + self.n_logits
        # Blocks of b's class alone, or of v's and b's; a shared v is seen by the diagonal.
        self.block_size, self.covers_all_columns = (1, False) if shared else (2, True)
        n_segments = int(np.clip(logits.size // SEGMENT_NUMBERS, 1, MAX_SEGMENTS))
        self._segments = list(pairwise(self.n_rows * i // n_segments for i in range(n_segments + 1)))
        self._block_rows = max(BLOCK_NUMBERS // self.n_logits, 8)
        self._pool, self._n_threads = pool if n_segments > 1 else None, n_threads

    def lacks(self, contract: type) -> str | None:
        """Return None: it meets what it has the methods of."""
        return None

    def value_noise(self, value: float) -> float:
        """Return how far the computed objective may be from the true one near value."""
        return 8 * float(np.finfo(np.float64).eps) * abs(value)

    def duality_gap(self, params: Vector) -> float:
        """Return inf: no bound is known."""
        return np.inf

    def split(self, params: Vector) -> tuple[Vector, Vector]:
        """Return views of v, of shape (1,) or (n_classes,), and of b."""
        return params[: -self.n_logits], params[-self.n_logits :]

    # -- sums over rows ------------------------------------------------------------------------------------------

    def value_and_gradient(self, params: Vector) -> tuple[float, Vector]:
        """Return F(params) and its gradient, of params' shape."""

        def add(given: Vector, scaled: Vector, start: int, stop: int, out: Vector) -> float:
            value = self._loss(scaled, start, stop)
            self._add_along(given, scaled, out)
            return value

        value, gradient = self._sum(params, add, self.n_params)
        return value + self._penalty.value(params), gradient + self._penalty.gradient(params)

    def hessian_product(self, params: Vector, direction: Vector) -> Vector:
        """Return the Hessian at params times direction."""
        scale, bias = self.split(direction)

        def add(given: Vector, scaled: Vector, start: int, stop: int, out: Vector) -> float:
            along = scale * given + bias
            cross_entropy_kernels.cross_entropy_hessian_product(
                NO_LABELS, NO_SMOOTHING, self._targets.weight, start, stop, scaled, along
            )
            self._add_along(given, along, out)
            return 0.0

        return self._sum(params, add, self.n_params)[1] + self._penalty.hessian_product(direction)

    # With J_i = [diag(z_i)  I], or [z_i  I] for a shared v, the derivatives of row i's scaled logits by the parameters,
    #
    #     H = Σ_i w_i J_iᵀ (diag(p_i) - p_i p_iᵀ) J_i
    #
    # J_iᵀp_i is (p_i ∘ z_i, p_i), or (p_iᵀz_i, p_i): the outer products are one symmetric product of matrices a block of rows.
    # J_iᵀ diag(p_i) J_i has p z² and p z and p on the diagonals of its four parts: sums over rows.

    def hessian(self, params: Vector) -> Vector:
        """Return the Hessian at params, of shape (n_params, n_params)."""
        n_scale = self.n_params - self.n_logits
        scales, biases = np.arange(n_scale), np.arange(n_scale, self.n_params)

        def add(given: Vector, proba: Vector, start: int, stop: int, flat: Vector) -> float:
            out = flat.reshape(self.n_params, self.n_params)
            rowwise_kernels.softmax(proba, len(proba))
            weight = self._targets.weight[start:stop, None]
            weighted = weight * proba
            means = proba * given
            outer = np.column_stack([means.sum(axis=1) if self._shared else means, proba])
            outer *= np.sqrt(weight)
            out -= outer.T @ outer
            cross = np.einsum("ik,ik->k", weighted, given)
            square = np.einsum("ik,ik,ik->k", weighted, given, given)
            out[scales, scales] += square.sum() if self._shared else square
            out[0 if self._shared else scales, biases] += cross
            out[biases, 0 if self._shared else scales] += cross
            out[biases, biases] += weighted.sum(axis=0)
            return 0.0

        hessian = self._sum(params, add, self.n_params**2)[1].reshape(self.n_params, self.n_params)
        diagonal = np.arange(self.n_params)
        hessian[diagonal, diagonal] += self._penalty.hessian_diagonal(self.n_params)
        return hessian

    def _sum(self, params: Vector, add: Callable[[Vector, Vector, int, int, Vector], float], size: int) -> tuple[float, Vector]:
        """Return the sums over blocks of what add returns, and of what it adds to a vector, in segment order.

        Its arguments are a block's logits, the same scaled and shifted by params (scratch), start and stop, and the vector.
        """
        scale, bias = self.split(params)

        def segment_sum(segment: tuple[int, int]) -> tuple[float, Vector]:
            value, out = 0.0, np.zeros(size)
            for start in range(*segment, self._block_rows):
                stop = min(start + self._block_rows, segment[1])
                given = self._logits[start:stop].astype(np.float64, copy=False)
                scaled = given * scale
                scaled += bias
                value += add(given, scaled, start, stop, out)
            return value, out

        partials = map_in_order(self._pool, self._n_threads, segment_sum, self._segments)
        value, total = next(partials)
        for other_value, other in partials:
            value += other_value
            total += other
        return value, total

    def _loss(self, scaled: Vector, start: int, stop: int) -> float:
        """Turn logits into the weighted gradient by them and return the weighted loss."""
        targets, losses = self._targets, np.empty(stop - start)
        if targets.labels is not None:
            return cross_entropy_kernels.cross_entropy_labels(
                targets.labels, NO_PROBA, NO_CLASS_WEIGHT, targets.weight, NO_SMOOTHING, start, stop, scaled, losses
            )
        proba, per_class = targets.proba, targets.class_weight
        return cross_entropy_kernels.cross_entropy_proba(
            NO_LABELS, proba, per_class, targets.weight, NO_SMOOTHING, start, stop, scaled, losses
        )

    def _add_along(self, given: Vector, gradient: Vector, out: Vector) -> None:
        """Add to out the derivatives by the parameters that those by the logits make."""
        scale, bias = self.split(out)
        ones = np.ones(len(given))  # BLAS adds up columns sooner than NumPy does
        by_scale = ones @ (given * gradient)
        scale += by_scale.sum() if self._shared else by_scale
        bias += ones @ gradient

    def gradient_norm(self, gradient: Vector) -> float:
        """Return the largest absolute component of a gradient."""
        return float(np.max(np.abs(gradient)))

    # -- what preconditioners ask for --------------------------------------------------------------------------------

    def class_blocks(self, params: Vector, *, shared: bool = False, stride: int = 1) -> Vector:
        """Return each class's own block of the Hessian, (n_logits, block_size, block_size)."""
        blocks = np.empty((self.n_logits, self.block_size, self.block_size))
        square, cross, first = self._curvature(params)
        penalty = self._penalty.hessian_diagonal(self.n_params)
        if not self._shared:
            blocks[:, 0, 0] = square + penalty[: self.n_logits]
            blocks[:, 0, 1] = blocks[:, 1, 0] = cross
        blocks[:, -1, -1] = first + penalty[-self.n_logits :]
        return blocks

    def class_diagonals(self, params: Vector, basis: Vector) -> Vector:
        """Return the curvature at params along the columns of basis, (block_size, m), for each class: (n_logits, m)."""
        return np.einsum("im,kij,jm->km", basis, self.class_blocks(params), basis)

    def hessian_diagonal(self, params: Vector) -> Vector:
        """Return the diagonal of the Hessian at params, a shared v's without what couples the classes."""
        square, _, first = self._curvature(params)
        return np.append(square.sum() if self._shared else square, first) + self._penalty.hessian_diagonal(self.n_params)

    def _curvature(self, params: Vector) -> Vector:
        """Return the second derivative by each logit, times its square, itself and one: (3, n_logits)."""

        def add(given: Vector, curvature: Vector, start: int, stop: int, flat: Vector) -> float:
            cross_entropy_kernels.cross_entropy_curvature(NO_LABELS, NO_SMOOTHING, start, stop, curvature)
            curvature *= self._targets.weight[start:stop, None]
            out = flat.reshape(3, self.n_logits)
            out[2] += curvature.sum(axis=0)
            curvature *= given
            out[1] += curvature.sum(axis=0)
            out[0] += np.einsum("ik,ik->k", curvature, given)
            return 0.0

        return self._sum(params, add, 3 * self.n_logits)[1].reshape(3, self.n_logits)

    def gather_blocks(self, vector: Vector) -> Vector:
        """Return what vector holds for the class blocks, (n_logits, block_size)."""
        scale, bias = self.split(vector)
        return bias[:, None].copy() if self._shared else np.column_stack([scale, bias])

    def scatter_blocks(self, vector: Vector, rows: Vector) -> None:
        """Write rows, as ``gather_blocks`` returns them, into vector."""
        scale, bias = self.split(vector)
        bias[:] = rows[:, -1]
        if not self._shared:
            scale[:] = rows[:, 0]

    def project_out_shift(self, vector: Vector) -> None:
        """Leave vector as it is: the penalty holds the level of b."""

    def regularise_null_space(self, hessian: Vector) -> None:
        """Leave the Hessian as it is: the penalty makes it positive."""

    def preconditioner(self, params: Vector, *, max_bytes: int, n_made: int = 0) -> BlockPreconditioner:
        """Return the inverse of the class blocks at params; see ``BlockPreconditioner``."""
        return BlockPreconditioner(self, params, max_bytes=max_bytes, n_made=n_made)

    def longest_step(self, params: Vector, direction: Vector) -> float:
        """Return one: steps may have any length."""
        return 1.0

    def parallel_for(self, function: Callable[[Item], None], items: Iterable[Item]) -> None:
        """Call function on each of items, in the objective's threads."""
        for _ in map_in_order(self._pool, self._n_threads, function, items):
            pass
