"""The fit that bias, vector and matrix scaling share: the temperature, then a softmax regression with a ridge around it.

What lives here: ``RegressionScaling``, their base class, and the choice of the ridge's strength. What doesn't: the regressions
themselves (``_regression``), folds (``_selection``), and the calibrators, which differ in what they regress (``bias_scaling``,
``vector_scaling``, ``matrix_scaling``).
"""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from .._sklearn import Interval, StrOptions
from ..losses import Targets
from ..solvers import Solution
from ._base import Calibrator
from ._likelihood import fit_temperature
from ._mixing import mix_uniform
from ._regression import Matrix, log_proba, warn_unless_converged
from ._selection import one_standard_error_rule, out_of_fold_losses

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Multipliers of the ridge that ``strength="cv"`` chooses from."""

TRANSFORM_NUMBERS = 2**20


class RegressionScaling(Calibrator):
    """Base class: fit the temperature, then regress on log-probabilities at this temperature."""

    _parameter_constraints: ClassVar[dict] = {
        **Calibrator._parameter_constraints,
        "strength": [Interval(Real, 0, None, closed="neither"), StrOptions({"cv"})],
    }
    _mixes: ClassVar[bool]

    temperature_: float
    input_mixing_: float
    intercept_: Matrix

    def __init__(self, *, strength: float | Literal["cv"] = 1.0, input: Literal["logits", "proba"] = "logits") -> None:
        super().__init__(input=input)
        self.strength = strength

    def _regress(self, z: Matrix, targets: Targets, ridge: float, temperature: float) -> tuple[dict[str, Any], Solution]:
        """Return the fitted attributes, in which ``temperature_`` replaces the temperature of z, and the solution.

        Parameters
        ----------
        z : ndarray of shape (n_rows, n_classes), float64
            Log-probabilities at the temperature.
        targets : Targets
        ridge : float
            The strength times K/n.
        temperature : float
        """
        raise NotImplementedError

    def _apply(self, z: Matrix) -> Matrix:
        """Return calibrated logits from log-probabilities, which may be overwritten."""
        raise NotImplementedError

    def _fit(self, logits: NDArray, targets: Targets, total_weight: float) -> dict[str, Any]:
        strength = self._chosen_strength(logits, targets, total_weight) if self.strength == "cv" else float(self.strength)
        optimum = fit_temperature(logits, targets, total_weight)
        mixing = 1 / (total_weight + 1) if self._mixes else 0.0
        z = log_proba(mix_uniform(logits, optimum.mixing), optimum.temperature, mixing=mixing)
        fitted, solution = self._regress(z, targets, strength * targets.n_classes / total_weight, optimum.temperature)
        warn_unless_converged(self, solution)
        return {
            "temperature_": optimum.temperature,
            "input_mixing_": optimum.mixing,
            "mixing_": mixing,
            "strength_": strength,
            "n_iter_": solution.n_iter,
            "solution_": solution,
            **fitted,
        }

    def _chosen_strength(self, logits: NDArray, targets: Targets, total_weight: float) -> float:
        candidates = [clone(self).set_params(strength=strength) for strength in STRENGTHS]
        losses = out_of_fold_losses(candidates, logits, targets, total_weight)
        return STRENGTHS[one_standard_error_rule(losses, targets.weight, STRENGTHS.index(1.0))]

    def _transform(self, logits: NDArray) -> NDArray:
        out = np.empty_like(logits)
        step = max(TRANSFORM_NUMBERS // logits.shape[1], 1)
        for start in range(0, len(logits), step):
            block = mix_uniform(logits[start : start + step], self.input_mixing_)
            out[start : start + step] = self._apply(log_proba(block, self.temperature_, mixing=self.mixing_))
        return out
