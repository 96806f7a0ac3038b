"""Progress of a fit: from a solver's reports to scikit-learn's callbacks and to printed lines.

What lives here: ``FitProgress``. What doesn't: the history, which the solver keeps, scikit-learn's callbacks and their mixin
(``_sklearn``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._sklearn import callback_context, has_callbacks
from ..solvers import Iteration


class FitProgress:
    """Reports each iteration to callbacks and the screen.

    scikit-learn brackets every iteration with a begin and an end hook. A solver reports only ends, so the next iteration is
    begun at once; the last one begun never runs and is ended empty by ``close``, as LogisticRegression does.

    Parameters
    ----------
    estimator : estimator with callback support
    X, y, sample_weight
        As given to fit; handed to callbacks.
    max_iter : int
    verbose : int
        Prints one line an iteration if positive.
    attributes : callable
        From a solver's parameters to the fitted attributes that predicting needs.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        max_iter: int,
        verbose: int,
        attributes: Callable[[NDArray[np.float64]], dict[str, Any]],
    ) -> None:
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._verbose = verbose
        self._attributes = attributes
        self._n_iter = 0
        self.stopped = False  # by a callback
        self._iteration: Any = None
        # One task beyond the iterations: the one begun and never run.
        self._root = callback_context(estimator, max_subtasks=max(max_iter, 1) + 1)
        if self._root is not None:
            self._root.call_on_fit_task_begin(**self._data)
        self._listened_to = has_callbacks(estimator)

    def on_iteration_begin(self, params: NDArray[np.float64]) -> None:
        """Begin an iteration at params."""
        if self._listened_to:
            self._iteration = self._root.subcontext(task_name="solver-iteration")
            self._iteration.call_on_fit_task_begin(**self._data, reconstruction_attributes=self._lazily(params))

    def on_iteration_end(self, params: NDArray[np.float64], iteration: Iteration) -> bool:
        """End an iteration at params; return whether a callback asks to stop."""
        self._n_iter += 1
        if self._verbose > 0:
            print(f"iteration {self._n_iter}: {describe(iteration)}")
        if not self._listened_to:
            return False
        ended, self._iteration = self._iteration, None  # an interrupt in a callback's hook must not end it again
        self.stopped = ended.call_on_fit_task_end(**self._data, reconstruction_attributes=self._lazily(params))
        self.on_iteration_begin(params)
        return self.stopped

    def close(self) -> None:
        """End the iteration that was begun and not run."""
        if self._iteration is not None:
            self._iteration.call_on_fit_task_end(estimator=self._data["estimator"])

    def on_fit_end(self) -> None:
        """End the fit: the estimator is fitted."""
        if self._root is not None:
            self._root.call_on_fit_task_end(**self._data, reconstruction_attributes={})

    def _lazily(self, params: NDArray[np.float64]) -> Callable[[], dict[str, Any]]:
        return lambda: self._attributes(params)


def describe(iteration: Iteration) -> str:
    """Return the printed line of an iteration: its objective, gradient norm, time, and validation scores if there are any."""
    parts = [f"objective {iteration.value:.6g}"]
    if iteration.validation_cross_entropy is not None:
        parts.append(f"validation cross-entropy {iteration.validation_cross_entropy:.6g}")
    if iteration.validation_accuracy is not None:
        parts.append(f"validation accuracy {iteration.validation_accuracy:.4f}")
    parts.append(f"gradient norm {iteration.gradient_norm:.3g}")
    if iteration.learning_rate is not None:
        parts.append(f"learning rate {iteration.learning_rate:.3g}")
    return ", ".join([*parts, f"{iteration.seconds:.2f} s"])
