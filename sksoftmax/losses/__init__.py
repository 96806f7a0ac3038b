"""Losses: what ``SoftmaxRegressionClassifier(loss=...)`` minimises, by a name in ``LOSSES`` or as an object with parameters.

``CrossEntropy`` is the default and has label smoothing; ``FocalLoss``, ``LogitAdjusted`` and ``MarginLoss`` change what rows
count, ``HingeLoss`` is a linear support vector machine, ``CosineSoftmax`` compares directions alone. A loss of one's own is a
subclass of ``Loss``.
"""

from ._base import Loss
from ._bound import BoundLoss
from ._targets import Targets
from .cosine import CosineSoftmax
from .cross_entropy import CrossEntropy
from .focal import FocalLoss
from .hinge import HingeLoss
from .logit_adjusted import LogitAdjusted
from .margin import MarginLoss

LOSSES: dict[str, type[Loss]] = {
    "cosine": CosineSoftmax,
    "cross_entropy": CrossEntropy,
    "focal": FocalLoss,
    "hinge": HingeLoss,
    "logit_adjusted": LogitAdjusted,
    "margin": MarginLoss,
}

__all__ = [
    "LOSSES",
    "BoundLoss",
    "CosineSoftmax",
    "CrossEntropy",
    "FocalLoss",
    "HingeLoss",
    "LogitAdjusted",
    "Loss",
    "MarginLoss",
    "Targets",
]
