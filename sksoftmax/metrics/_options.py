"""Options that several metrics have.

What lives here: checks of choices, counts and levels, and random states. What doesn't: predictions and weights (``_inputs``).
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

RandomState = int | np.random.RandomState | np.random.Generator | None


def check_option(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Raise a ValueError that names the parameter, unless the value is one of those allowed."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, sorted(allowed)))}, got {value!r}.")


def check_count(name: str, value: Any) -> None:
    """Raise a ValueError that names the parameter, unless the value is an integer of at least 1."""
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")


def check_confidence_level(value: Any) -> None:
    """Raise a ValueError unless the value is in (0, 1)."""
    if not (isinstance(value, Real) and 0 < float(value) < 1):
        raise ValueError(f"confidence_level must be in (0, 1), got {value!r}.")


def make_generator(random_state: RandomState) -> np.random.Generator:
    """Return NumPy's generator from what scikit-learn calls a random state, or from a generator."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    return np.random.default_rng(check_random_state(random_state).randint(np.iinfo(np.int32).max))
