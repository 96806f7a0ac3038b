"""Errors for unknown parameters of estimators, which say what to set instead.

What lives here: ``explain_unknown`` for ``__init__``, ``checked_params`` for ``set_params``, and the advice, ``where_to_set``:
parameters of losses, solvers and schedules are found in their tables, those of other libraries' estimators in ``INSTEAD``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import wraps
from typing import Any, TypeVar

from .._params import objects_for_names
from ..losses import LOSSES
from ..solvers import SOLVERS
from ..solvers.schedules import SCHEDULES

Init = TypeVar("Init", bound=Callable[..., None])

INSTEAD = {
    "Cs": "search C with sklearn.model_selection.GridSearchCV",
    "alpha": "set C = 1 / (alpha * n_rows) for the alpha of SGDClassifier, which multiplies the penalty of a mean loss",
    "cv": "search with sklearn.model_selection.GridSearchCV(..., cv=...)",
    "dual": "leave it out, there is no dual formulation",
    "epochs": "set max_iter, which counts epochs of stochastic solvers",
    "eta0": "set solver=SGD(learning_rate=...) of sksoftmax.solvers",
    "intercept_scaling": "leave it out, the intercept is never penalised",
    "lr": "set solver=SGD(learning_rate=...) of sksoftmax.solvers",
    "multi_class": (
        "leave it out for multinomial classes, and take sklearn.multiclass.OneVsRestClassifier around the estimator for 'ovr'"
    ),
    "n_epochs": "set max_iter, which counts epochs of stochastic solvers",
    "penalty": (
        "set l1_ratio and C, as for LogisticRegression since scikit-learn 1.8: l1_ratio=0 is 'l2', l1_ratio=1 is 'l1', "
        "between them is 'elasticnet', and C=np.inf is None"
    ),
}
"""Advice by parameter, for parameters of LogisticRegression and similar estimators."""

OF_CALIBRATION = {
    "base_estimator": "set estimator",
    "classifier": "set estimator",
    "method": (
        "set calibrator='platt' for the method 'sigmoid' of CalibratedClassifierCV, 'isotonic' or 'temperature' for the others"
    ),
    **{
        name: f"set estimator=SoftmaxRegressionClassifier({name}=...)"
        for name in ("C", "class_weight", "l1_ratio", "loss", "max_iter", "random_state", "solver", "tol")
    },
}
"""Advice by parameter, for estimators that calibrate another."""

OF_ONE_TEMPERATURE = OF_CALIBRATION | {
    name: f"take CalibratedClassifier({parameter}=...)"
    for name, parameter in (("calibrator", "calibrator"), ("ensemble", "ensemble"), ("method", "calibrator"))
}
"""Advice by parameter, for estimators that calibrate another by temperature scaling."""


def explain_unknown(init: Init) -> Init:
    """Decorate ``__init__`` so that the TypeError for an unknown parameter says what to set instead."""
    known = [name for name in inspect.signature(init).parameters if name != "self"]

    @wraps(init)
    def checked(self: Any, *args: Any, **params: Any) -> None:
        for name in params:
            if name not in known:
                advice = where_to_set(name, known) or f"its parameters are {', '.join(sorted(known))}"
                raise TypeError(f"{type(self).__name__} has no parameter {name!r}: {advice}.")
        init(self, *args, **params)

    return checked  # type: ignore[return-value]


def checked_params(estimator: Any, params: dict[str, Any], tables: Mapping[str, Mapping[str, type]]) -> dict[str, Any]:
    """Return what ``set_params`` sets: params, and an object for each name whose own parameters are among them.

    Parameters
    ----------
    estimator : estimator
    params : dict
        By name as ``set_params`` takes them, nested ones too.
    tables : mapping
        By parameter: the classes that names stand for.

    Raises
    ------
    ValueError
        A parameter that the estimator does not have, if it is known what to set instead.
    """
    known = estimator.get_params(deep=False)
    for name in params:
        own = name.partition("__")[0]
        advice = None if own in known else where_to_set(own, known)
        if advice is not None:
            raise ValueError(f"Invalid parameter {name!r} for estimator {estimator!r}: {advice}.")
    return {**params, **objects_for_names(estimator, params, tables)}


def where_to_set(name: str, known: Iterable[str]) -> str | None:
    """Return what to set instead of a parameter that an estimator does not have, or None if there is no advice.

    Parameters
    ----------
    name : str
    known : iterable of str
        The estimator's parameters.

    Examples
    --------
    >>> from sksoftmax._estimator.unknown_parameters import where_to_set
    >>> where_to_set("label_smoothing", ["C", "loss"])
    'set loss=CrossEntropy(label_smoothing=...) of sksoftmax.losses'
    >>> where_to_set("max_iters", ["C", "max_iter"])
    "perhaps 'max_iter' is meant"
    """
    known = list(known)
    instead = INSTEAD
    if "estimator" in known:
        instead = OF_CALIBRATION if "calibrator" in known else OF_ONE_TEMPERATURE
    if name in instead:
        return instead[name]
    for parameter, module, table in (("loss", "losses", LOSSES), ("solver", "solvers", SOLVERS)):
        owners = _owners(name, table)
        if owners and parameter in known:
            return f"set {parameter}={_some(name, owners)} of sksoftmax.{module}"
    owners = _owners(name, SCHEDULES)
    if owners and "solver" in known:
        return f"set solver=SGD(schedule={_some(name, owners)}) of sksoftmax.solvers.schedules"
    by_lower_case = {parameter.lower(): parameter for parameter in known}
    close = get_close_matches(name.lower().replace("-", "_"), by_lower_case, n=1)
    return f"perhaps {by_lower_case[close[0]]!r} is meant" if close else None


def _owners(name: str, table: Mapping[str, type]) -> list[str]:
    """Return the names of the classes with this parameter."""
    return [cls.__name__ for cls in table.values() if name in {field.name for field in fields(cls)}]


def _some(name: str, owners: list[str]) -> str:
    """Return the call of the first of the classes with the parameter, and the names of the others."""
    first = "SGD" if "SGD" in owners else owners[0]
    others = sorted(set(owners) - {first})
    return f"{first}({name}=...)" + (f" (or {', '.join(others)})" if others else "")
