"""Metrics of class probabilities: scoring rules, calibration errors, information, decisions; confidence intervals of them.

Every metric is ``metric(y_true, y_proba, *, labels=None, sample_weight=None, ...) -> float``, with labels or rows of class
probabilities as the truth. Names end in ``_score`` where greater is better, in ``_loss`` or ``_error`` where smaller is. A
weight of two is equivalent to repeating the row. Functions that share a name with one of ``sklearn.metrics`` return its values.
``METRICS`` maps names to metrics; ``sksoftmax.scorers`` has them as scikit-learn scorers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Literal

from .calibration_errors import ReliabilityCurve, expected_calibration_error, reliability_curve
from .calibration_tests import CalibrationTestResult, calibration_test, consistency_bars
from .corp import CorpDecomposition, decompose_score_corp
from .costs import AccuracyCoverage, accuracy_coverage_curve, aurc_loss, expected_cost_loss, optimal_decisions
from .decisions import (
    accuracy_score,
    balanced_accuracy_score,
    macro_precision_score,
    precision_per_class,
    recall_per_class,
)
from .decompositions import BrierDecomposition, ScoreDecomposition, decompose_brier_score, decompose_score
from .information import (
    code_length_loss,
    entropy,
    jensen_shannon_divergence,
    kl_divergence,
    mutual_information_score,
    perplexity_loss,
)
from .intervals import BootstrapResult, ConfidenceInterval, bootstrap, hoeffding_interval, wilson_interval
from .ranking import roc_auc_ovr_score, top_k_accuracy_score
from .scoring_rules import brier_score_loss, cross_entropy_loss, spherical_score
from .skill import d2_brier_score, d2_cross_entropy_score, d2_spherical_score
from .smooth_calibration import SmoothReliabilityCurve, smooth_calibration_error, smooth_reliability_curve

__all__ = [
    "METRICS",
    "AccuracyCoverage",
    "BootstrapResult",
    "BrierDecomposition",
    "CalibrationTestResult",
    "ConfidenceInterval",
    "CorpDecomposition",
    "Metric",
    "ReliabilityCurve",
    "ScoreDecomposition",
    "SmoothReliabilityCurve",
    "accuracy_coverage_curve",
    "accuracy_score",
    "aurc_loss",
    "balanced_accuracy_score",
    "bootstrap",
    "brier_score_loss",
    "calibration_test",
    "code_length_loss",
    "consistency_bars",
    "cross_entropy_loss",
    "d2_brier_score",
    "d2_cross_entropy_score",
    "d2_spherical_score",
    "decompose_brier_score",
    "decompose_score",
    "decompose_score_corp",
    "entropy",
    "expected_calibration_error",
    "expected_cost_loss",
    "hoeffding_interval",
    "jensen_shannon_divergence",
    "kl_divergence",
    "macro_precision_score",
    "mutual_information_score",
    "optimal_decisions",
    "perplexity_loss",
    "precision_per_class",
    "recall_per_class",
    "reliability_curve",
    "roc_auc_ovr_score",
    "smooth_calibration_error",
    "smooth_reliability_curve",
    "spherical_score",
    "top_k_accuracy_score",
    "wilson_interval",
]


@dataclass(frozen=True)
class Metric:
    """A row of ``METRICS``.

    Parameters
    ----------
    function : callable
        ``function(y_true, y_proba, *, labels=None, sample_weight=None, …) -> float``
    greater_is_better : bool
    unit : str
        The unit of the value; empty for shares and scores without one.
    range : tuple of float
        The least and the greatest possible value.
    needs : {"proba", "logits", "scores", "labels"}
        The predictions from which it is computed most accurately: probabilities; logits, or scores of which only the order
        counts, both with ``from_logits=True``; or decided labels.
    """

    function: Callable[..., float]
    greater_is_better: bool
    unit: str
    range: tuple[float, float]
    needs: Literal["proba", "logits", "scores", "labels"]


METRICS: dict[str, Metric] = {
    metric.function.__name__: metric
    for metric in [
        Metric(cross_entropy_loss, False, "nats", (0, inf), "logits"),
        Metric(brier_score_loss, False, "", (0, 2), "proba"),
        Metric(spherical_score, True, "", (0, 1), "proba"),
        Metric(d2_cross_entropy_score, True, "", (-inf, 1), "logits"),
        Metric(d2_brier_score, True, "", (-inf, 1), "proba"),
        Metric(d2_spherical_score, True, "", (-inf, 1), "proba"),
        Metric(expected_calibration_error, False, "", (0, 1), "proba"),
        Metric(smooth_calibration_error, False, "", (0, 1), "proba"),
        Metric(perplexity_loss, False, "classes", (1, inf), "logits"),
        Metric(code_length_loss, False, "bits", (0, inf), "proba"),
        Metric(mutual_information_score, True, "nats", (0, inf), "labels"),
        Metric(accuracy_score, True, "", (0, 1), "labels"),
        Metric(balanced_accuracy_score, True, "", (0, 1), "labels"),
        Metric(macro_precision_score, True, "", (0, 1), "labels"),
        Metric(top_k_accuracy_score, True, "", (0, 1), "scores"),
        Metric(roc_auc_ovr_score, True, "", (0, 1), "proba"),
        Metric(expected_cost_loss, False, "cost", (-inf, inf), "proba"),
        Metric(aurc_loss, False, "", (0, 1), "proba"),
    ]
}
"""Every metric by name, from which scorers are made."""
