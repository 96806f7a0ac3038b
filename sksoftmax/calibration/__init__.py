"""Calibrators: maps from logits to logits that make probabilities true, a family a file, all behind the contract in ``_base``.

What lives here: the table ``CALIBRATORS`` of their names.
"""

from ._base import Calibrator
from .automatic import AutoCalibration, NoCalibration
from .beta import BetaCalibration
from .dirichlet import DirichletCalibration
from .ensemble import EnsembleTemperatureScaling
from .one_vs_rest import IsotonicCalibration, PlattScaling
from .prior import PriorCorrection
from .scaling import (
    BiasCorrectedTemperatureScaling,
    StructuredMatrixScaling,
    StructuredVectorScaling,
    VectorScaling,
)
from .temperature import TemperatureScaling

CALIBRATORS: dict[str, type[Calibrator]] = {
    "auto": AutoCalibration,
    "beta": BetaCalibration,
    "bias-corrected-temperature": BiasCorrectedTemperatureScaling,
    "dirichlet": DirichletCalibration,
    "ensemble-temperature": EnsembleTemperatureScaling,
    "isotonic": IsotonicCalibration,
    "none": NoCalibration,
    "platt": PlattScaling,
    "structured-matrix": StructuredMatrixScaling,
    "structured-vector": StructuredVectorScaling,
    "temperature": TemperatureScaling,
    "vector": VectorScaling,
}

__all__ = [
    "CALIBRATORS",
    "AutoCalibration",
    "BetaCalibration",
    "BiasCorrectedTemperatureScaling",
    "Calibrator",
    "DirichletCalibration",
    "EnsembleTemperatureScaling",
    "IsotonicCalibration",
    "NoCalibration",
    "PlattScaling",
    "PriorCorrection",
    "StructuredMatrixScaling",
    "StructuredVectorScaling",
    "TemperatureScaling",
    "VectorScaling",
]
