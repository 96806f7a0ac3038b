"""Fitted attributes: set together at the end of a fit, and restored if it fails.

What lives here: ``set_fitted_attributes`` and ``restore_on_error``, so that an estimator holds the attributes of one fit when
another is interrupted or raises. What doesn't: the fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .loop import Outcome
from .partial_fit import PartialFitState


def set_fitted_attributes(estimator: Any, attributes: dict[str, Any], outcome: Outcome, state: PartialFitState) -> None:
    """Set the fitted attributes in one step, which an interrupt cannot divide.

    Parameters
    ----------
    estimator : estimator
    attributes : dict
        The attributes that predictions need.
    outcome : Outcome
        Outcome of the fit loop, from which the other attributes are made.
    state : PartialFitState
        The state from which ``partial_fit`` continues.
    """
    solution = outcome.solution
    fitted = {
        **attributes,
        "solution_": solution,
        "converged_": solution.converged,
        "n_iter_": np.array([solution.n_iter], dtype=np.int32),
        "best_iteration_": outcome.best_iteration,
        "_partial_fit_state": state,
    }
    vars(estimator).update(fitted)


@contextmanager
def restore_on_error(estimator: Any) -> Iterator[None]:
    """Restore, if the block raises before it sets ``solution_``, the attributes that validation of X has set."""
    noted = ("n_features_in_", "feature_names_in_")
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        if vars(estimator).get("solution_") is before.get("solution_"):
            for name in noted:
                vars(estimator).pop(name, None)
            vars(estimator).update({name: before[name] for name in noted if name in before})
        raise
