"""Methods that an estimator has or lacks by its parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from types import MethodType
from typing import Any


class available_if:  # noqa: N801 -- the name of scikit-learn's decorator
    """Decorate a method that is there only where check does not raise an AttributeError.

    As :func:`sklearn.utils.metaestimators.available_if`, whose error keeps to itself why the method is not there; here it is
    the check's own.

    Parameters
    ----------
    check : callable
        Given the estimator, raises an AttributeError that says what to set for the method to be there.

    Examples
    --------
    >>> from sksoftmax._estimator.availability import available_if
    >>> def grown(tree):
    ...     if tree.age < 3:
    ...         raise AttributeError("A tree bears after three years.")
    >>> class Tree:
    ...     age = 1
    ...     @available_if(grown)
    ...     def bear(self):
    ...         return "apples"
    >>> hasattr(Tree(), "bear")
    False
    """

    def __init__(self, check: Callable[[Any], None]) -> None:
        self._check = check

    def __call__(self, method: Callable) -> Any:
        return _AvailableIf(method, self._check)


class _AvailableIf:
    """The decorated method in the class: a function there, bound to an estimator if it is available."""

    def __init__(self, method: Callable, check: Callable[[Any], None]) -> None:
        self._method, self._check = method, check
        update_wrapper(self, method)  # type: ignore[arg-type]

    def __get__(self, estimator: Any, owner: type | None = None) -> Any:
        if estimator is None:
            return self._method
        self._check(estimator)
        return MethodType(self._method, estimator)
