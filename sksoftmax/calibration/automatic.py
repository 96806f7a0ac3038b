"""Automatic selection of a calibrator by cross-validation.

What lives here: ``AutoCalibration``, its candidates and rule, and ``NoCalibration``, which is one of them. What doesn't: folds
and the one-standard-error rule (``_selection``), the candidates' fits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ..losses import Targets
from ._base import Calibrator
from ._selection import one_standard_error_rule, out_of_fold_losses
from .matrix_scaling import StructuredMatrixScaling
from .one_vs_rest import PlattScaling
from .temperature import TemperatureScaling
from .vector_scaling import StructuredVectorScaling

# Largest excess of a simpler candidate's mean loss over the least, in standard errors of the difference. Chosen on logits of
# nine kinds of classifier on eight data sets, and evaluated on simulated distortions (benchmarks/bench_calibration_quality.py).
STANDARD_ERRORS_OF_NONE, STANDARD_ERRORS = 1.0, 0.5


class NoCalibration(Calibrator):
    """The identity map, as a baseline for other calibrators.

    Parameters
    ----------
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values. The logarithm of probabilities is taken.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int

    Examples
    --------
    >>> from sksoftmax.calibration import NoCalibration
    >>> NoCalibration().fit([[1.0, 2.0], [3.0, 1.0]], [1, 0]).transform([[0.5, 0.0]])
    array([[0.5, 0. ]])
    """

    def _fit(self, logits: NDArray, targets: Targets, total_weight: float) -> dict[str, Any]:
        return {}

    def _transform(self, logits: NDArray) -> NDArray:
        return logits.copy()


def candidates(n_classes: int) -> dict[str, Calibrator]:
    """Return the candidate calibrators by name, from the simplest to the most flexible."""
    chosen: dict[str, Calibrator] = {"none": NoCalibration(), "temperature": TemperatureScaling()}
    if n_classes == 2:
        chosen["platt"] = PlattScaling()
    chosen["structured-vector"] = StructuredVectorScaling()
    for strength in (10.0, 1.0, 0.1):
        chosen[f"structured-matrix, strength={strength:g}"] = StructuredMatrixScaling(strength=strength)
    return chosen


class AutoCalibration(Calibrator):
    """The calibrator with the least cross-validated cross-entropy, or the simplest one not significantly worse.

    The rule:

    1. The candidates, from the simplest to the most flexible, are no calibration, ``TemperatureScaling``, for two classes
       ``PlattScaling``, ``StructuredVectorScaling``, and ``StructuredMatrixScaling`` with the strengths 10, 1 and 0.1.
    2. Each is evaluated by its cross-entropy in five-fold cross-validation. The folds are random with a fixed seed, and not
       stratified.
    3. The simplest candidate is selected whose mean exceeds the least one by at most half a standard error of the rows'
       differences, and fitted to all rows. No calibration is allowed one standard error, since a harmful calibrator costs more
       than a missed improvement. In the standard error, not in the mean, rows' differences are clipped to one nat: otherwise a
       few rows in which the true class has a probability of e^-1000 would make the error larger than their own share of the
       mean.

    Calibration errors are not used: they are not proper scores, and are zero for constant predictions of the class frequencies.

    Parameters
    ----------
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values. The logarithm of probabilities is taken.

    Attributes
    ----------
    calibrator_ : Calibrator
        The selected candidate, fitted to all rows.
    method_ : str
        Its name among the candidates.
    cross_entropies_ : dict of str to float
        Weighted mean of each candidate's out-of-fold cross-entropy, in nats.
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int

    References
    ----------
    Breiman, Friedman, Olshen & Stone (1984), "Classification and Regression Trees", section 3.4.3, for the rule.
    Berta, Holzmüller, Jordan & Bach (2025), "Structured Matrix Scaling for Multi-Class Calibration", arXiv 2511.03685.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.calibration import AutoCalibration
    >>> rng = np.random.default_rng(0)
    >>> logits = 2 * rng.normal(size=(1000, 3))
    >>> y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    >>> AutoCalibration().fit(logits, y).method_
    'none'
    >>> AutoCalibration().fit(3 * logits, y).method_
    'temperature'
    >>> AutoCalibration().fit(3 * logits + [3, 0, 0], y).method_
    'structured-vector'
    """

    calibrator_: Calibrator
    method_: str
    cross_entropies_: dict[str, float]

    def _fit(self, logits: NDArray, targets: Targets, total_weight: float) -> dict[str, Any]:
        choices = candidates(targets.n_classes)
        names = list(choices)
        losses = out_of_fold_losses(list(choices.values()), logits, targets, total_weight)
        allowed = [STANDARD_ERRORS_OF_NONE] + [STANDARD_ERRORS] * (len(names) - 1)
        method = names[one_standard_error_rule(losses, targets.weight, 0, allowed)]
        calibrator = clone(choices[method])
        fitted = calibrator._fit(logits, targets, total_weight)
        # Its input has a column for each class, as this calibrator's _transform.
        classes = np.arange(targets.n_classes)
        calibrator.__dict__.update(classes_=classes, n_features_in_=targets.n_classes, **fitted)
        with np.errstate(over="ignore"):
            means = dict(zip(names, (losses @ targets.weight).tolist(), strict=True))
        return {"calibrator_": calibrator, "method_": method, "cross_entropies_": means}

    def _transform(self, logits: NDArray) -> NDArray:
        return self.calibrator_._transform(logits)
