"""Methods that are available only for some values of an estimator's parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from types import MethodType
from typing import Any

from ..losses import LOSSES, Loss
from ..solvers import STOCHASTIC_SOLVERS, solver_class


class available_if:  # noqa: N801 -- the name of scikit-learn's decorator
    """Decorate a method that is available only if ``check`` raises no AttributeError.

    As :func:`sklearn.utils.metaestimators.available_if`, but the AttributeError of the missing method is the check's own, with
    its reason.

    Parameters
    ----------
    check : callable
        ``check(estimator)`` raises an AttributeError that says what to set for the method to be available.

    Examples
    --------
    >>> from sksoftmax._estimator.availability import available_if
    >>> def has_probability(model):
    ...     if not model.probability:
    ...         raise AttributeError("predict_proba needs probability=True.")
    >>> class Model:
    ...     probability = False
    ...     @available_if(has_probability)
    ...     def predict_proba(self):
    ...         return [[0.5, 0.5]]
    >>> hasattr(Model(), "predict_proba")
    False
    """

    def __init__(self, check: Callable[[Any], None]) -> None:
        self._check = check

    def __call__(self, method: Callable) -> Any:
        return _AvailableIf(method, self._check)


class _AvailableIf:
    """Descriptor of the method: the function on the class, the bound method on an estimator if it is available."""

    def __init__(self, method: Callable, check: Callable[[Any], None]) -> None:
        self._method, self._check = method, check
        update_wrapper(self, method)  # type: ignore[arg-type]

    def __get__(self, estimator: Any, owner: type | None = None) -> Any:
        if estimator is None:
            return self._method
        self._check(estimator)
        return MethodType(self._method, estimator)


def check_proba(estimator: Any) -> None:
    """Raise an AttributeError that says why the estimator's loss has no probabilities."""
    loss = getattr(estimator, "loss_", estimator.loss)
    (LOSSES.get(loss, Loss) if isinstance(loss, str) else loss).require_proba()


def check_partial_fit(estimator: Any) -> None:
    """Raise an AttributeError that names the stochastic solvers if the estimator's solver is none of them."""
    solver = estimator.solver
    if solver_class(solver).has_partial_fit:
        return
    names = ", ".join(map(repr, sorted(STOCHASTIC_SOLVERS)))
    raise AttributeError(
        f"{type(estimator).__name__} has partial_fit with a solver that learns from minibatches: set solver to one of {names}, "
        f"or to an object, as sksoftmax.solvers.SGD(learning_rate=0.1); got solver={solver!r}."
    )
