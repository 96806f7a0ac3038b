"""Displays of models and their predictions, as scikit-learn's: ``Display.from_estimator(...)`` or ``from_predictions(...)``.

They are drawn with matplotlib, which is imported then: ``pip install "sksoftmax[plot]"``.
"""

from .coefficients import CoefficientDisplay
from .learning_curve import LearningCurve
from .misclassified import MisclassifiedDisplay
from .reliability import ReliabilityDisplay
from .risk_coverage import RiskCoverageDisplay
from .score_decomposition import ScoreDecompositionDisplay
from .simplex import SimplexDisplay

__all__ = [
    "CoefficientDisplay",
    "LearningCurve",
    "MisclassifiedDisplay",
    "ReliabilityDisplay",
    "RiskCoverageDisplay",
    "ScoreDecompositionDisplay",
    "SimplexDisplay",
]
