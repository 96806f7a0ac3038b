"""Displays: computed data and how it is drawn, one a file.

What lives here: the names. What doesn't: anything that computes more than a display shows; matplotlib, until one is drawn.
"""

from .learning_curve import LearningCurve

__all__ = ["LearningCurve"]
