"""The memory of limited-memory BFGS, and its inverse Hessian in compact form, on top of any preconditioner.

What lives here: the last corrections and the product with a vector. What doesn't: steps, and the preconditioner.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from ..objectives._contracts import Preconditioner, Vector


class LBFGSMemory:
    """The last corrections: steps s, changes of the gradient y, and these preconditioned, P y.

    Parameters
    ----------
    capacity : int
        Most corrections; the newest one takes the place of the oldest.
    n_params : int

    References
    ----------
    Byrd, Nocedal & Schnabel (1994), "Representations of quasi-Newton matrices and their use in limited memory methods".
    """

    # BFGS corrects an inverse Hessian by H ← (I - ρ s yᵀ) H (I - ρ y sᵀ) + ρ s sᵀ, ρ = 1 / yᵀs. From H₀ = γ P, with the
    # corrections as the columns of S and Y, oldest first, all of them at once are (Byrd, Nocedal & Schnabel, theorem 2.2)
    #
    #     H = H₀ + [S  H₀Y] [ R⁻ᵀ (D + Yᵀ H₀ Y) R⁻¹   -R⁻ᵀ ] [  Sᵀ  ]
    #                       [        -R⁻¹               0   ] [ YᵀH₀ ]
    #
    # with R the upper triangle of SᵀY and D its diagonal. So H g = H₀g + S q - H₀Y p, where R p = Sᵀg and
    # Rᵀq = (D + YᵀH₀Y) p - YᵀH₀g: four products with whole matrices and two triangular systems of the order of the memory. The
    # two-loop recursion (Nocedal & Wright, algorithm 7.4) gives the same in twice as many short steps as there are
    # corrections, for none of which BLAS has work enough.
    #
    # γ is the usual scale of H₀, sᵀy / yᵀy of the last correction (Nocedal & Wright, equation 7.20), in the coordinates in
    # which P is the identity: sᵀy / yᵀP y. It is below one where P predicts too long steps: blocks leave out how the classes
    # are coupled, by which a softmax of K equal probabilities has K / (K - 1) times their curvature, or were made where the
    # classes were more decided. It is never above one: the ratio along one step is no reason to lengthen those along all
    # others.
    #
    # The corrections are rows here, in a ring, and order lists them by age. Of SᵀY the entries of a step with later changes are
    # up to date, R's; the others are stale and not read.

    def __init__(self, capacity: int, n_params: int) -> None:
        self._capacity = capacity
        self._order = np.empty(0, dtype=np.intp)  # rows in use, oldest first
        self._shape = (capacity, n_params)
        # Made with the first correction: a start that is the optimum needs none.
        self._steps = self._changes = self._preconditioned_changes = np.empty((0, n_params))
        # SᵀY and YᵀPY.
        self._step_by_change, self._change_by_change = np.zeros((capacity, capacity)), np.zeros((capacity, capacity))

    def add(self, step: Vector, change: Vector, preconditioned_change: Vector) -> None:
        """Keep a correction, of positive curvature."""
        if len(self._order) == 0:
            self._steps, self._changes, self._preconditioned_changes = (np.empty(self._shape) for _ in range(3))
        is_full = len(self._order) == self._capacity
        row = self._order[0] if is_full else len(self._order)
        self._order = np.append(self._order[is_full:], row)
        self._steps[row], self._changes[row], self._preconditioned_changes[row] = step, change, preconditioned_change
        used = len(self._order)
        self._step_by_change[:used, row] = self._steps[:used] @ change
        products = self._preconditioned_changes[:used] @ change
        self._change_by_change[row, :used] = self._change_by_change[:used, row] = products

    def precondition(self, precondition: Preconditioner) -> None:
        """Apply a new preconditioner to the changes."""
        used = len(self._order)
        for row in range(used):
            self._preconditioned_changes[row] = precondition(self._changes[row])
        self._change_by_change[:used, :used] = self._changes[:used] @ self._preconditioned_changes[:used].T

    def inverse_hessian_product(self, gradient: Vector, preconditioned: Vector) -> Vector:
        """Return the approximate inverse Hessian times gradient; ``preconditioned`` is the preconditioner times it."""
        used, order = len(self._order), self._order
        if used == 0:
            return preconditioned
        grid = np.ix_(order, order)
        step_by_change, change_by_change = self._step_by_change[grid], self._change_by_change[grid]
        scale = min(1.0, step_by_change[-1, -1] / change_by_change[-1, -1])
        by_step = (self._steps[:used] @ gradient)[order]
        by_change = (self._preconditioned_changes[:used] @ gradient)[order]
        p, _ = lapack.dtrtrs(step_by_change, by_step)
        right_hand_side = step_by_change.diagonal() * p + scale * (change_by_change @ p - by_change)
        q, _ = lapack.dtrtrs(step_by_change, right_hand_side, trans=1)
        weights = np.empty((2, used))
        weights[0, order], weights[1, order] = q, -scale * p
        product = scale * preconditioned
        product += weights[0] @ self._steps[:used]
        product += weights[1] @ self._preconditioned_changes[:used]
        return product
