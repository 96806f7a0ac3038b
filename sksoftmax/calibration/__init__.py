"""Calibrators: maps from logits to logits, fitted so that predicted probabilities agree with frequencies.

Each is an estimator with ``fit(logits, y)``, ``predict_proba(logits)`` and ``transform(logits)``, to be fitted on rows that the
classifier was not fitted on; ``sksoftmax.CalibratedClassifier(estimator, calibrator)`` does both in one. ``CALIBRATORS``
maps the names that it accepts to classes: ``"auto"`` selects by cross-validation, ``"temperature"`` divides all logits by one
number.
"""

from ._base import Calibrator
from .automatic import AutoCalibration, NoCalibration
from .beta import BetaCalibration
from .bias_scaling import BiasCorrectedTemperatureScaling
from .dirichlet import DirichletCalibration
from .ensemble import EnsembleTemperatureScaling
from .matrix_scaling import StructuredMatrixScaling
from .one_vs_rest import IsotonicCalibration, PlattScaling
from .prior import PriorCorrection
from .temperature import TemperatureScaling
from .vector_scaling import StructuredVectorScaling, VectorScaling

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
