"""Parameters of the objects that an estimator holds: losses and solvers as scikit-learn searches them.

What lives here: ``ParamsMixin``, the two methods that let ``loss__label_smoothing`` or ``solver__memory`` stand in a
parameter grid. What doesn't: estimators, which have scikit-learn's own; the floors below them do not import it.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any


class ParamsMixin:
    """Base of the dataclasses whose fields are hyperparameters.

    ``sklearn.base.clone`` and ``set_params`` of the estimator around it need only these two methods.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the hyperparameters by name; ``deep`` is accepted for scikit-learn and changes nothing."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def set_params(self, **params: Any) -> ParamsMixin:
        """Set hyperparameters by name and return self.

        Raises
        ------
        ValueError
            A name is not one of the hyperparameters.
        """
        names = list(self.get_params())
        for name, value in params.items():
            if name not in names:
                allowed = ", ".join(map(repr, names)) or "none"
                raise ValueError(f"Invalid parameter {name!r} for {self!r}. Valid parameters are: {allowed}.")
            setattr(self, name, value)
        return self
