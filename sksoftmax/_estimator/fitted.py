"""Fitted attributes: set all at once, and taken back where a fit fails.

What lives here: what keeps an estimator whole whenever a fit is interrupted or refused. What doesn't: what is fitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..fitting.loop import Outcome
from ..fitting.partial_fit import PartialFitState


def set_fitted_attributes(estimator: Any, attributes: dict[str, Any], outcome: Outcome, state: PartialFitState) -> None:
    """Set the fitted attributes, all at once: no interrupt can come between two of them.

    Parameters
    ----------
    estimator : estimator
    attributes : dict
        What predictions need.
    outcome : Outcome
        What the rest is made of.
    state : PartialFitState
        What ``partial_fit`` goes on from.
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
    """Take back what validation notes of X on the estimator if nothing of the fit is kept: the last fit stays whole."""
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
