"""The problem that a fit solves: a data set, a loss bound to its classes, and the strength of the penalty.

What lives here: how examples and an estimator's parameters become an objective. What doesn't: solvers, validation sets.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.dataset import InMemoryDataset, as_rows
from ..data.examples import Examples
from ..data.rotated_rows import RotatedRows
from ..data.rows import Rows
from ..data.threads import effective_n_threads
from ..losses import BoundLoss, Loss, Targets
from ..objectives.cosine import CosineObjective
from ..objectives.linear import LinearObjective
from ..penalties import PENALTIES, Penalty

# The weakest penalty, against the mean loss, that counts; its inverse is the strongest that there is.
NO_PENALTY = 1e-100


@dataclass(frozen=True)
class Problem:
    """Examples as rows and targets, and the loss bound to their classes.

    Attributes
    ----------
    X : {ndarray, CSR matrix}
        As the loss wants its rows.
    rows : Rows
        The same in a layout that kernels read.
    targets : Targets
    total_weight : float
        Sum of sample weights times class weights; 0 or inf where float64 does not hold it.
    loss : Loss
    bound : BoundLoss
    """

    X: Any
    rows: Rows
    targets: Targets
    total_weight: float
    loss: Loss
    bound: BoundLoss

    @classmethod
    def of(cls, examples: Examples, class_weights: NDArray[np.float64] | None, loss: Loss) -> Problem:
        """Return the problem of examples whose classes have these weights, None for none."""
        targets, total_weight = examples.targets(class_weights)
        bound = loss.bind(targets)
        X = loss.prepare(examples.X)
        return cls(X, as_rows(X), targets, total_weight, loss, bound)

    @property
    def n_weighted_rows(self) -> int:
        """How many rows have weight."""
        return int(np.count_nonzero(self.targets.weight))

    def n_threads(self) -> int:
        """Return how many threads a fit takes: as many as scikit-learn would, or one where more are not worth it."""
        # Not asked where one thread will do: counting cores runs a program the first time.
        return effective_n_threads() if self.rows.is_worth_threads(self.bound.n_logits) else 1

    def objective(
        self,
        penalty: Penalty,
        alpha: float,
        *,
        fit_intercept: bool,
        random_state: Any,
        may_rotate: bool,
        pool: ThreadPoolExecutor | None,
        n_threads: int,
    ) -> LinearObjective:
        """Return what is minimised.

        Parameters
        ----------
        penalty : Penalty
        alpha : float
            Its strength against the mean loss.
        fit_intercept : bool
        random_state : RandomState
        may_rotate : bool
            Whether wide rows may be taken in other coordinates, where the problem is the same.
        pool : executor or None
        n_threads : int
        """
        rotates = may_rotate and penalty.is_rotation_invariant and RotatedRows.is_worth_it(self.rows)
        data = InMemoryDataset(RotatedRows(self.X) if rotates else self.rows, self.targets, pool=pool, n_threads=n_threads)
        objective = CosineObjective if self.bound.unit_norm else LinearObjective
        return objective(data, self.bound, penalty, alpha, fit_intercept=fit_intercept, random_state=random_state)


def check_l1_ratio(l1_ratio: float) -> None:
    """Raise a ValueError for shares of L1 that there is no penalty of."""
    if l1_ratio != 0:
        raise ValueError(f"l1_ratio={l1_ratio!r} is not implemented yet: only l1_ratio=0.0, the L2 penalty.")


def make_penalty(C: float, total_weight: float) -> tuple[Penalty, float]:
    """Return the penalty and its strength against the mean loss, 1 / (C · total_weight); 0 for none.

    Below ``NO_PENALTY`` it is lost beside the loss, and its inverse, which solvers would step by, is beyond all scales.

    Raises
    ------
    ValueError
        The penalty is so strong that the loss is lost beside it.
    """
    penalty = PENALTIES["l2"]()
    if np.isinf(C):
        return penalty, 0.0
    # A sum beyond float64 is infinite: the largest number in its place decides whether there is a penalty at all.
    total = min(total_weight, float(np.finfo(np.float64).max))
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        alpha = float(1 / (np.float64(C) * total))
    if not alpha <= 1 / NO_PENALTY or (total < total_weight and alpha >= NO_PENALTY):
        raise ValueError(
            f"C={C!r} times the sum of all weights, {total_weight:.3g}, must be at least {NO_PENALTY:g} and the sum "
            "finite: beside a stronger penalty the loss is nothing. Multiply C or the weights by a constant."
        )
    return penalty, alpha if alpha >= NO_PENALTY else 0.0
