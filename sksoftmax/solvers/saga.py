"""SAGA: steps after each row, whose error vanishes as every row's latest gradient is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..data.epochs import SAGAMemory
from ..objectives._contracts import FiniteSum, Vector
from ._base import Solver
from ._optimality import distance
from ._solution import History, Solution, Status, StoppingRule


@dataclass
class SAGA(Solver[FiniteSum]):
    r"""SAGA: stochastic steps that reach the optimum at a constant rate, for data that are there as a whole.

    .. math:: \theta \leftarrow \theta - \eta \Bigl( n (g_i - \tilde g_i) + \sum_j \tilde g_j \Bigr)

    with :math:`\tilde g_i` the latest gradient of row i's share of the objective. An epoch passes once over the rows in an
    order drawn from the estimator's ``random_state``. Memory: n_samples × n_classes float64 numbers. CSR rows cost what their
    stored numbers do, however many columns there are.

    Parameters
    ----------
    learning_rate : float or None, default=None
        :math:`\eta`. None is 1 / (2 L), with the largest curvature L that a row's share of the objective may
        have: :math:`L = \tfrac{1}{2} \max_i (\lVert x_i \rVert^2 + 1) + \alpha` for a softmax and rows of equal weight.

    Raises
    ------
    ValueError
        When fitted with a learning rate that is not positive, or without one to a loss whose curvature has no known bound.

    References
    ----------
    Defazio, Bach & Lacoste-Julien (2014), "SAGA: A Fast Incremental Gradient Method With Support for Non-Strongly Convex
    Composite Objectives".
    Schmidt, Le Roux & Bach (2017), "Minimizing finite sums with the stochastic average gradient", section 4, for sparse rows
    and the first pass.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = SoftmaxRegressionClassifier(solver="saga", C=0.01, random_state=0).fit(X / 16, y)
    >>> clf.converged_
    True
    """

    learning_rate: float | None = None

    requires: ClassVar[tuple[type, ...]] = (FiniteSum,)
    takes_no_tol: ClassVar[bool] = True
    benefits_from_rotation: ClassVar[bool] = False
    name: ClassVar[str] = "saga"

    def minimise(self, objective: FiniteSum, start: Vector, *, stop: StoppingRule, history: History) -> Solution:
        tol, max_iter = stop.tol, stop.max_iter
        # The update and what it was chosen from stand above the kernels (``kernels.saga``). Beside its look at the table's
        # gradient, a fit ends as that of a batch solver, since the noise of steps vanishes: by the gradient, and the Newton
        # step.
        rate = self._rate(objective)
        params = start.copy()
        memory = SAGAMemory(
            params, np.zeros((objective.n_rows, objective.n_logits)), np.zeros(objective.n_coef + objective.n_logits), 0
        )
        converged, look_at = False, tol
        for _ in range(max_iter):
            order = objective.shuffled_rows()
            loss = objective.saga_epoch(order, rate, memory)
            memory = memory._replace(n_seen=len(order))
            if not (np.isfinite(loss) and np.all(np.isfinite(params))):
                raise ValueError(f"saga diverged: parameters are no longer finite. Lower learning_rate={rate:.3g}.")
            # The sum of the table's gradients, each of another point of the epoch, is that of the objective in the limit, and
            # costs nothing. Where it is within a bound, the gradient at the point itself is taken, one pass, and if that is
            # within tol the Newton step, up to 100 passes. Each such look halves the bound: a fit makes at most 1 + log₂(tol /
            # the smallest norm of the sum) of them, however many its epochs are.
            gradient = memory.gradient_sum[: objective.n_params].copy()
            gradient[: objective.n_coef] += objective.l2_strength * params[: objective.n_coef]
            stopped = history.record(params.copy(), loss + objective.penalty_value(params), gradient, learning_rate=rate)
            if look_at is not None and objective.gradient_norm(gradient) <= look_at:
                look_at /= 2
                converged = self._converged(objective, params, objective.value_and_gradient(params)[1], tol)
            if stopped or converged:
                break
        value, gradient = objective.value_and_gradient(params)
        n_iter = len(history.iterations)
        converged = converged or (n_iter == 0 and self._converged(objective, params, gradient, tol))
        message = f"saga {'converged' if converged else 'failed to converge'} after {n_iter} iterations"
        if tol is None:
            message = f"saga made {n_iter} iterations, as many as asked for"
        elif not converged and not history.stopped:
            left = distance(objective, params, gradient)
            message += "" if left is None or left.near or left.predicted_decrease >= value else f", {left}"
        status = Status.CONVERGED if converged else Status.EPOCHS_MADE if tol is None else Status.MAX_ITER
        return history.solution(params, value, gradient, status=status, message=message)

    def _converged(self, objective: FiniteSum, params: Vector, gradient: Vector, tol: float | None) -> bool:
        """Return whether params are the optimum: by the gradient, and by the Newton step where there is one."""
        if tol is None or objective.gradient_norm(gradient) > tol:
            return False
        left = distance(objective, params, gradient)
        return left is not None and left.near

    def _rate(self, objective: FiniteSum) -> float:
        if self.learning_rate is not None:
            if not 0 < self.learning_rate < np.inf:
                raise ValueError(f"SAGA: learning_rate must be positive or None, got {self.learning_rate!r}.")
            return self.learning_rate
        lipschitz_constant = objective.lipschitz_constant + objective.l2_strength
        if not np.isfinite(lipschitz_constant):
            raise ValueError("The curvature of this loss has no known bound: pass SAGA(learning_rate=...).")
        # Defazio, Bach & Lacoste-Julien prove a linear rate for 1 / (3 L), and for 1 / (2 (μ n + L)) where the strong convexity
        # μ is known. This is the latter's limit for a weak penalty; scikit-learn takes 1 / (2 L + min(2 n μ, L)). L is that of
        # the worst row: to draw rows in proportion to their own L (Schmidt et al. 2015) was not taken, which gives up
        # permutations. Nor was a line search for L (Schmidt, Le Roux & Bach 2017), which evaluates rows twice.
        return 1 / (2 * lipschitz_constant)
