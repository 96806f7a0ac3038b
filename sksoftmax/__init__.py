"""Softmax regression for scikit-learn: converges on raw data, gives probabilities to trust, and is fast."""

from .calibration.classifier import CalibratedClassifier, TemperatureScalingCalibrator
from .classifier import SoftmaxRegressionClassifier

__version__ = "0.1.0.dev0"

__all__ = ["CalibratedClassifier", "SoftmaxRegressionClassifier", "TemperatureScalingCalibrator"]
