"""Constraints of parameters, as scikit-learn checks them, with messages that are sorted and name public classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._sklearn import StrOptions


class SortedStrOptions(StrOptions):
    """A set of strings, named in order: scikit-learn's own message has them in an order that changes from run to run."""

    def __str__(self) -> str:
        return f"a str among {{{', '.join(map(repr, sorted(self.options)))}}}"


class NameOrObject(SortedStrOptions):
    """A name in a table or an object of the classes that it names.

    Parameters
    ----------
    table : mapping
        Classes by name.
    base : type
        What objects have to be instances of.
    *others : str
        Names besides those of the table.
    notes : mapping
        What is said of a name, by name: what others call it.

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
