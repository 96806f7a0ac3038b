"""Options that several metrics have.

What lives here: the check of a choice, and random states. What doesn't: predictions and weights (``_inputs``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

RandomState = int | np.random.RandomState | np.random.Generator | None


def check_option(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Raise a ValueError that names the parameter, unless the value is one of those allowed."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}.")


def make_generator(random_state: RandomState) -> np.random.Generator:
    """Return NumPy's generator from what scikit-learn calls a random state, or from a generator."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    return np.random.default_rng(check_random_state(random_state).randint(np.iinfo(np.int32).max))
