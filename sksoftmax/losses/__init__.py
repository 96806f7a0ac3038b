"""Pointwise losses on logits: one a file, all behind the contract in ``_base``, and the table ``LOSSES`` of their names."""

from ._base import BoundLoss, Loss, Targets
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
