"""What is summed over rows: terms of an objective and of its derivatives.

What lives here: one class a sum, which calls the pass over rows that takes it. What doesn't: the passes (``rows``), the order
in which parts are added (``dataset``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ..losses import BoundLoss, Targets
from .rows import LinearParams, Rows, Segment


class Term(ABC):
    """Contract of every term: a number and a vector, sums over rows of functions of their logits."""

    @abstractmethod
    def add(
        self, rows: Rows, targets: Targets, loss: BoundLoss, params: LinearParams, segment: Segment, out: LinearParams
    ) -> float:
        """Add the vector's sum over a segment of rows to out, and return the number's.

        Parameters
        ----------
        rows : Rows
        targets : Targets
            Of the same rows.
        loss : BoundLoss
        params : (coef, intercept)
            As the rows' kernels take them, of the rows' dtype.
        segment : (start, stop)
        out : (coef, intercept)
            float64, of the shapes of params.
        """


@dataclass(frozen=True)
class ValueAndGradient(Term):
    """The weighted loss and its gradient."""

    def add(
        self, rows: Rows, targets: Targets, loss: BoundLoss, params: LinearParams, segment: Segment, out: LinearParams
    ) -> float:
        if loss.kernels is not None:
            return rows.sum_value_and_gradient(loss.arguments(targets), *params, segment, out)
        value, block = 0.0, rows.block(loss.n_logits)
        for start in range(*segment, len(block)):
            stop = min(start + len(block), segment[1])
            logits = block[: stop - start]
            rows.score(*params, start, stop, logits)
            part, gradient = loss.value_and_gradient(logits, targets[start:stop])
            rows.project(gradient, start, stop, out)
            value += part
        return value


@dataclass(frozen=True)
class HessianProduct(Term):
    """The weighted loss's Hessian times a direction, (coef, intercept) as params; the number is zero."""

    direction: LinearParams

    def add(
        self, rows: Rows, targets: Targets, loss: BoundLoss, params: LinearParams, segment: Segment, out: LinearParams
    ) -> float:
        rows.sum_hessian_product(loss.arguments(targets), *params, rows.kernel_params(self.direction), segment, out)
        return 0.0


@dataclass(frozen=True)
class ModelDiagonal(Term):
    """The diagonal of the Hessian of the loss's model, none of whose entries is negative; the number is zero."""

    def add(
        self, rows: Rows, targets: Targets, loss: BoundLoss, params: LinearParams, segment: Segment, out: LinearParams
    ) -> float:
        rows.sum_hessian_diagonal(loss.model_arguments(targets), *params, segment, out)
        return 0.0
