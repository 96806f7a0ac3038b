"""What Ctrl-C does to a fit.

What lives here: ``may_keep``, which tells an interrupted fit whether to keep what it has or to let the interrupt through. What
doesn't: what is kept (``monitor``).

A fit that the user started keeps its best parameters, as scikit-learn's multilayer perceptron does. One that a search, a
cross-validation or another meta-estimator started lets the interrupt through: they would go on with the next fit, and could
not be ended. A loop of the user's own is ended by a second interrupt.
"""

from __future__ import annotations

import sys
import time

# After an interrupt that a fit kept to itself, the next one goes through for so many seconds.
PATIENCE = 5.0
# What may stand between the user's code and a fit that keeps: validation of parameters, and pipelines, whose last step it is.
TRANSPARENT = (
    "sklearn.base",
    "sklearn.pipeline",
    "sklearn.callback",
    "sksoftmax.classifier",
    "sksoftmax.monitor",
    "sksoftmax.interrupts",
)
OTHERS = ("sklearn", "joblib", "sksoftmax")

_last_kept = -float("inf")


def may_keep() -> bool:
    """Return whether the fit that asks, having been interrupted, is to keep what it has; remember when it was."""
    global _last_kept
    now = time.monotonic()
    if now - _last_kept < PATIENCE or _is_nested():
        return False
    _last_kept = now
    return True


def _is_nested() -> bool:
    """Return whether the fit on the stack was called by another estimator, a search or joblib."""
    frame = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.partition(".")[0] in OTHERS and not module.startswith(TRANSPARENT):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
