"""Calibrators: maps from logits to logits that make probabilities true, a family a file, all behind the contract in ``_base``.

What lives here: the table ``CALIBRATORS`` of their names.
"""

from ._base import Calibrator
from .beta import BetaCalibration
from .ensemble import EnsembleTemperatureScaling
from .one_vs_rest import IsotonicCalibration, PlattScaling
from .prior import PriorCorrection
from .temperature import TemperatureScaling

CALIBRATORS: dict[str, type[Calibrator]] = {
    "beta": BetaCalibration,
    "ensemble-temperature": EnsembleTemperatureScaling,
    "isotonic": IsotonicCalibration,
    "platt": PlattScaling,
    "temperature": TemperatureScaling,
}

__all__ = [
    "CALIBRATORS",
    "BetaCalibration",
    "Calibrator",
    "EnsembleTemperatureScaling",
    "IsotonicCalibration",
    "PlattScaling",
    "PriorCorrection",
    "TemperatureScaling",
]
