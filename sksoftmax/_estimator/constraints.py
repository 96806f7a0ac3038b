"""Constraints of parameters for scikit-learn's validation, with messages in sorted order that name public classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._sklearn import StrOptions


class SortedStrOptions(StrOptions):
    """A set of strings, listed in sorted order.

    Scikit-learn's own message lists them in an order that changes between processes.
    """

    def __str__(self) -> str:
        return f"a str among {{{', '.join(map(repr, sorted(self.options)))}}}"


class NameOrObject(SortedStrOptions):
    """A name in a table of classes, or an instance of their base class.

    Parameters
    ----------
    table : mapping
        Classes by name.
    base : type
        The base class of allowed objects.
    *others : str
        Allowed names besides those of the table.
    notes : mapping
        Remarks on names, by name, such as what scikit-learn calls the same; printed in brackets behind the name.

    Examples
    --------
    >>> from sksoftmax._estimator.constraints import NameOrObject
    >>> from sksoftmax.losses import Loss
    >>> print(NameOrObject({"a": Loss}, Loss, "b"))
    a str among {'a', 'b'} or an instance of 'sksoftmax.losses.Loss'
    """

    def __init__(self, table: Mapping[str, type], base: type, *others: str, notes: Mapping[str, str] | None = None) -> None:
        super().__init__({*table, *others})
        self._base = base
        self._notes = notes or {}

    def is_satisfied_by(self, val: Any) -> bool:
        return isinstance(val, self._base) or super().is_satisfied_by(val)

    def __str__(self) -> str:
        names = super().__str__()
        for name, note in self._notes.items():
            names = names.replace(repr(name), f"{name!r} ({note})")
        return f"{names} or an instance of '{public_name(self._base)}'"


def public_name(cls: type) -> str:
    """Return the name by which users import a class of the package, whose file may be internal."""
    package, module, *_ = cls.__module__.split(".")
    return f"{package}.{module}.{cls.__qualname__}"
