"""Calibrators: maps from logits to logits that make probabilities true, a family a file, all behind the contract in ``_base``.

What lives here: the table ``CALIBRATORS`` of their names.
"""

from ._base import Calibrator
from .temperature import TemperatureScaling

CALIBRATORS: dict[str, type[Calibrator]] = {
    "temperature": TemperatureScaling,
}

__all__ = ["CALIBRATORS", "Calibrator", "TemperatureScaling"]
