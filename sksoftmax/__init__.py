"""Softmax regression for scikit-learn: converges on raw data, gives probabilities to trust, and is fast.

The estimators are here; the public modules are

calibration
    Calibrators of probabilities.
functional
    Softmax, log-softmax, log-sum-exp and cross-entropy of arrays.
losses
    What ``SoftmaxRegressionClassifier(loss=...)`` takes.
metrics
    Scores, losses and errors of predicted probabilities.
plots
    Displays, drawn with matplotlib.
scorers
    The metrics as ``scoring=`` of scikit-learn.
solvers
    What ``SoftmaxRegressionClassifier(solver=...)`` takes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__
from .calibration.classifier import CalibratedClassifier
from .calibration.temperature_classifier import TemperatureScalingCalibrator
from .classifier import SoftmaxRegressionClassifier

if TYPE_CHECKING:
    from . import calibration, functional, losses, metrics, plots, scorers, solvers

__all__ = [
    "CalibratedClassifier",
    "SoftmaxRegressionClassifier",
    "TemperatureScalingCalibrator",
    "calibration",
    "functional",
    "losses",
    "metrics",
    "plots",
    "scorers",
    "solvers",
]


def __getattr__(name: str) -> Any:
    """Import a public module when it is first asked for."""
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; public names are {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
