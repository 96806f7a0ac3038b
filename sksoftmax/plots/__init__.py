"""Displays: computed data and how it is drawn, one a file.

What lives here: the names. What doesn't: anything that computes more than a display shows; matplotlib, until one is drawn.
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
