"""Measuring instruments for class probabilities: each a function of ``y_true`` and ``y_proba``.

What lives here: the public names. What doesn't: scikit-learn's scorers, which are made from them (``scorers``).
"""

from .calibration_errors import ReliabilityCurve, expected_calibration_error, reliability_curve
from .consistency import CalibrationTestResult, calibration_test
from .smooth_calibration import SmoothReliabilityCurve, smooth_calibration_error, smooth_reliability_curve
from .uncertainty import BootstrapResult, ConfidenceInterval, bootstrap, hoeffding_interval, wilson_interval

__all__ = [
    "BootstrapResult",
    "CalibrationTestResult",
    "ConfidenceInterval",
    "ReliabilityCurve",
    "SmoothReliabilityCurve",
    "bootstrap",
    "calibration_test",
    "expected_calibration_error",
    "hoeffding_interval",
    "reliability_curve",
    "smooth_calibration_error",
    "smooth_reliability_curve",
    "wilson_interval",
]
