"""``get_params`` and ``set_params`` of losses, solvers and schedules, nested to any depth, as scikit-learn's estimators have.

What lives here: ``ParamsMixin`` with these methods, and ``objects_for_names``, for hyperparameters that are names so far. What
doesn't: estimators, which have scikit-learn's own methods; losses and solvers do not import scikit-learn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar


class ParamsMixin:
    """Base class of dataclasses whose fields are hyperparameters.

    Its two methods are what ``sklearn.base.clone`` and the ``set_params`` of an estimator that holds the object need.
    """

    tables: ClassVar[Mapping[str, Mapping[str, type]]] = {}
    """For each hyperparameter that may be a name: the classes by name."""

    def __repr__(self) -> str:
        """Return how it is made, for one without hyperparameters; a dataclass has its own."""
        return f"{type(self).__name__}()"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the hyperparameters by name; ``deep`` adds those of objects among them, as ``schedule__power``."""
        if not is_dataclass(self):
            if type(self).__init__ is not object.__init__:
                raise TypeError(f"{type(self).__name__} has an __init__ of its own; decorate it with dataclasses.dataclass.")
            return {}
        params: dict[str, Any] = {}
        for field in fields(self):
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
    """Return a default object in place of each name of which ``params`` set a parameter, by hyperparameter.

    Parameters
    ----------
    owner : object
        Its attributes are the hyperparameters that ``params`` do not set.
    params : dict
        As for ``set_params``; ``{"solver__momentum": 0.9}`` gives ``{"solver": SGD()}`` where ``owner.solver`` is "sgd".
    tables : mapping
        For each hyperparameter that may be a name: the classes by name.

    Raises
    ------
    ValueError
        A name is not in its table, as ``solver="auto"`` is not.
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
