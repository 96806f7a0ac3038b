"""Hyperparameters by name: of the objects that an estimator holds, and of names that stand for such objects.

``ParamsMixin`` gives losses, solvers and schedules the ``get_params`` and ``set_params`` of scikit-learn's estimators, nested
to any depth. Estimators have scikit-learn's own; the floors below them do not import it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ClassVar


class ParamsMixin:
    """Base of the dataclasses whose fields are hyperparameters.

    ``sklearn.base.clone`` and ``set_params`` of the estimator around it need only these two methods.
    """

    tables: ClassVar[Mapping[str, Mapping[str, type]]] = {}
    """By hyperparameter: the classes that its names stand for."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the hyperparameters by name; ``deep`` adds those of objects among them, as ``schedule__power``."""
        params = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = params[field.name] = getattr(self, field.name)
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                params.update({f"{field.name}__{name}": inner for name, inner in value.get_params().items()})
        return params

    def set_params(self, **params: Any) -> ParamsMixin:
        """Set hyperparameters by name, nested ones as ``schedule__power``, and return self.

        Raises
        ------
        ValueError
            A name is not one of the hyperparameters.
        """
        names = sorted(self.get_params(deep=False))
        own: dict[str, Any] = {}
        nested: dict[str, dict[str, Any]] = defaultdict(dict)
        for key, value in params.items():
            name, is_nested, inner = key.partition("__")
            if name not in names:
                raise ValueError(f"Invalid parameter {key!r} for estimator {self!r}. Valid parameters are: {names!r}.")
            if is_nested:
                nested[name][inner] = value
            else:
                own[name] = value
        for name, value in {**own, **objects_for_names(self, params, self.tables)}.items():
            setattr(self, name, value)
        for name, inner_params in nested.items():
            value = getattr(self, name)
            if not hasattr(value, "set_params"):
                raise ValueError(f"Invalid parameter {next(iter(inner_params))!r} for {name}={value!r}, which has none.")
            value.set_params(**inner_params)
        return self


def objects_for_names(owner: Any, params: dict[str, Any], tables: Mapping[str, Mapping[str, type]]) -> dict[str, Any]:
    """Return an object for each name whose own parameters are among params, by parameter.

    Parameters
    ----------
    owner : object
        Has what ``params`` do not set as attributes.
    params : dict
        As for ``set_params``; ``{"solver__momentum": 0.9}`` gives ``{"solver": SGD()}`` where ``owner.solver`` is "sgd".
    tables : mapping
        By parameter: the classes that names stand for.

    Raises
    ------
    ValueError
        A name that stands for no class, as ``solver="auto"``.
    """
    objects = {}
    for name, table in tables.items():
        nested = [key for key in params if key.startswith(f"{name}__")]
        chosen = params.get(name, getattr(owner, name))
        if not nested or not isinstance(chosen, str):
            continue
        if chosen not in table:
            names = ", ".join(map(repr, sorted(table)))
            raise ValueError(f"{name}={chosen!r} has no parameter {nested[0]!r}: set {name} to one of {names} or an object.")
        objects[name] = table[chosen]()
    return objects
