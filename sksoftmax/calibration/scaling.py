r"""Bias, vector and matrix scaling of logits: softmax regressions with a ridge around temperature scaling.

What lives here: four calibrators, which differ in their parameters and in the strength of the ridge, and the choice of that
strength. What doesn't: the regressions themselves (``_regression``), folds (``_selection``), and Dirichlet calibration, whose
ridge is around the identity (``dirichlet``).
"""

from __future__ import annotations

import sys
import warnings
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from ..data.rows import as_rows, score_rows
from ..losses import Targets
from ..solvers import Solution
from ._base import Calibrator
from ._likelihood import fit_temperature
from ._mixing import mix_uniform
from ._regression import Matrix, fit_diagonal, fit_matrix, log_proba
from ._selection import one_standard_error_rule, out_of_fold_losses

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Multipliers of the ridge that ``strength="cv"`` chooses from."""

TRANSFORM_NUMBERS = 2**20


class _Scaling(Calibrator):
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

    def _regress(self, z: Matrix, targets: Targets, ridge: float) -> tuple[dict[str, Any], Solution]:
        """Return the fitted attributes and the solution; ridge is the strength times K/n."""
        raise NotImplementedError

    def _apply(self, z: Matrix) -> Matrix:
        """Return calibrated logits from log-probabilities, which may be overwritten."""
        raise NotImplementedError

    def _fit(self, logits: NDArray, targets: Targets, total_weight: float) -> dict[str, Any]:
        strength = self._chosen_strength(logits, targets, total_weight) if self.strength == "cv" else float(self.strength)
        optimum = fit_temperature(logits, targets, total_weight)
        mixing = 1 / (total_weight + 1) if self._mixes else 0.0
        z = log_proba(mix_uniform(logits, optimum.mixing), optimum.temperature, mixing=mixing)
        fitted, solution = self._regress(z, targets, strength * targets.n_classes / total_weight)
        if not solution.converged:
            warnings.warn(
                f"{type(self).__name__}: {solution.message}, with a gradient norm of {solution.gradient_norm:.3g}.",
                ConvergenceWarning,
                stacklevel=4,
            )
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


class _DiagonalScaling(_Scaling):
    scale_: Matrix

    def _regress(self, z: Matrix, targets: Targets, ridge: float) -> tuple[dict[str, Any], Solution]:
        scale, intercept, solution = fit_diagonal(z, targets, on_scale=ridge, on_intercept=ridge, shared=False)
        return {"scale_": scale, "intercept_": intercept}, solution

    def _apply(self, z: Matrix) -> Matrix:
        z *= self.scale_
        z += self.intercept_
        return z


class BiasCorrectedTemperatureScaling(_Scaling):
    r"""Bias-corrected temperature scaling (BCTS): one temperature and an intercept for each class.

    .. math:: \mathrm{softmax}(z / T + b)

    T and b minimise the mean cross-entropy plus :math:`s \tfrac{K}{n} ((T_0 / T - 1)^2 + \lVert b \rVert^2)`, with the strength
    s, K classes, n rows and :math:`T_0` the temperature of ``TemperatureScaling``. The ridge keeps T and b finite where a class
    is missing or the rows are separable.

    Parameters
    ----------
    strength : float or "cv", default=0.01
        Multiplier of the ridge, positive; ``"cv"`` chooses it from 0.01, 0.1, 1, 10 and 100 as
        ``StructuredMatrixScaling`` does.
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values.

    Attributes
    ----------
    temperature_ : float
        T.
    input_mixing_ : float
        Share of the uniform distribution mixed into the probabilities before: as in ``TemperatureScaling``.
    intercept_ : ndarray of shape (n_classes,), float64
        b, with a mean of zero.
    strength_ : float
    n_iter_ : int
        Iterations of the solver.
    solution_ : sksoftmax.solvers.Solution
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int

    References
    ----------
    Alexandari, Kundaje & Shrikumar (2020), "Maximum Likelihood with Bias-Corrected Calibration is Hard-To-Beat at Label Shift
    Adaptation".

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.calibration import BiasCorrectedTemperatureScaling
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(5000, 3))
    >>> y = (logits + [1, 0, -1] + rng.gumbel(size=logits.shape)).argmax(axis=1)
    >>> calibrator = BiasCorrectedTemperatureScaling().fit(2 * logits, y)
    >>> round(calibrator.temperature_, 1), calibrator.intercept_.round(1)
    (2.0, array([ 1.,  0., -1.]))
    """

    _mixes = False

    def __init__(self, *, strength: float | Literal["cv"] = 0.01, input: Literal["logits", "proba"] = "logits") -> None:
        super().__init__(strength=strength, input=input)

    def _fit(self, logits: NDArray, targets: Targets, total_weight: float) -> dict[str, Any]:
        fitted = super()._fit(logits, targets, total_weight)
        scale = float(fitted.pop("scale"))
        # A negative or zero scale has no positive temperature: T is then so large that the logits are nearly equal.
        temperature = fitted["temperature_"] / max(scale, sys.float_info.epsilon)
        fitted["temperature_"] = min(temperature, sys.float_info.max)
        return fitted

    def _regress(self, z: Matrix, targets: Targets, ridge: float) -> tuple[dict[str, Any], Solution]:
        scale, intercept, solution = fit_diagonal(z, targets, on_scale=ridge, on_intercept=ridge, shared=True)
        return {"scale": scale[0], "intercept_": intercept}, solution

    def _apply(self, z: Matrix) -> Matrix:
        z += self.intercept_
        return z


class VectorScaling(_DiagonalScaling):
    r"""Vector scaling (VS): a factor and an intercept for each class.

    .. math:: \mathrm{softmax}(v \circ \log \mathrm{softmax}(z / T) + b)

    T is the temperature of ``TemperatureScaling``; v and b then minimise the mean cross-entropy plus
    :math:`s \tfrac{K}{n} (\lVert v - 1 \rVert^2 + \lVert b \rVert^2)`, with strength s, K classes and n rows. The ridge keeps
    v and b finite where a class is missing or the rows are separable. Log-probabilities are scaled, not logits: the map is
    invariant to a number added to all logits of a row.

    Parameters
    ----------
    strength : float or "cv", default=0.01
        Multiplier of the ridge, positive; ``"cv"`` chooses it from 0.01, 0.1, 1, 10 and 100 as
        ``StructuredMatrixScaling`` does.
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values.

    Attributes
    ----------
    temperature_ : float
        T.
    input_mixing_ : float
        Share of the uniform distribution mixed into the probabilities before: as in ``TemperatureScaling``.
    scale_, intercept_ : ndarray of shape (n_classes,), float64
        v and b.
    strength_ : float
    n_iter_ : int
        Iterations of the solver.
    solution_ : sksoftmax.solvers.Solution
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int

    References
    ----------
    Guo, Pleiss, Sun & Weinberger (2017), "On Calibration of Modern Neural Networks".

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.calibration import VectorScaling
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(5000, 3))
    >>> y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    >>> calibrator = VectorScaling().fit(logits + [2, 0, 0], y)
    >>> calibrator.intercept_.round(1)
    array([-1. ,  0.4,  0.6])
    """

    _mixes = False

    def __init__(self, *, strength: float | Literal["cv"] = 0.01, input: Literal["logits", "proba"] = "logits") -> None:
        super().__init__(strength=strength, input=input)


class StructuredVectorScaling(_DiagonalScaling):
    r"""Structured vector scaling (SVS): temperature, then a factor and an intercept for each class, with a ridge.

    .. math:: \mathrm{softmax}(v \circ z' + b), \qquad
              z' = \log\Bigl(\tfrac{n}{n + 1} \mathrm{softmax}(z / T) + \tfrac{1}{n + 1} \tfrac{1}{K}\Bigr)

    T is the temperature of ``TemperatureScaling``; v and b minimise the mean cross-entropy plus
    :math:`s \tfrac{K}{n} (\lVert v - 1 \rVert^2 + \lVert b \rVert^2)`. The fewer the rows, the closer to temperature scaling.

    Parameters
    ----------
    strength : float or "cv", default=1.0
        s, positive; ``"cv"`` chooses it from 0.01, 0.1, 1, 10 and 100 as ``StructuredMatrixScaling`` does.
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values.

    Attributes
    ----------
    temperature_ : float
        T.
    input_mixing_ : float
        Share of the uniform distribution mixed into the probabilities before: as in ``TemperatureScaling``.
    mixing_ : float
        1 / (n + 1), n the sum of the sample weights.
    scale_, intercept_ : ndarray of shape (n_classes,), float64
        v and b.
    strength_ : float
    n_iter_ : int
        Iterations of the solver.
    solution_ : sksoftmax.solvers.Solution
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int

    References
    ----------
    Berta, Holzmüller, Jordan & Bach (2025), "Structured Matrix Scaling for Multi-Class Calibration", arXiv 2511.03685.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.calibration import StructuredVectorScaling
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(1000, 3))
    >>> y = (logits * [2, 1, 1] + rng.gumbel(size=logits.shape)).argmax(axis=1)
    >>> calibrator = StructuredVectorScaling().fit(logits, y)
    >>> calibrator.predict_proba([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).round(2)
    array([[0.68, 0.16, 0.16],
           [0.2 , 0.57, 0.23]])
    """

    _mixes = True


class StructuredMatrixScaling(_Scaling):
    r"""Structured matrix scaling (SMS): temperature, then a matrix and intercepts, with a ridge.

    .. math:: \mathrm{softmax}\bigl((I + \mathrm{diag}(v) + M) z' + b\bigr), \qquad
              z' = \log\Bigl(\tfrac{n}{n + 1} \mathrm{softmax}(z / T) + \tfrac{1}{n + 1} \tfrac{1}{K}\Bigr)

    T is the temperature of ``TemperatureScaling``, M has a zero diagonal, and v, M and b minimise the mean cross-entropy plus

    .. math:: s \Bigl( \tfrac{K}{n} (\lVert v \rVert^2 + \lVert b \rVert^2) + \tfrac{K (K - 1)}{n} \lVert M \rVert^2 \Bigr),

    a stronger ridge on the K(K - 1) parameters of M. Convex.

    Parameters
    ----------
    strength : float or "cv", default=1.0
        s, positive. ``"cv"`` selects from 0.01, 0.1, 1, 10 and 100 by the one-standard-error rule: the one closest to 1 whose
        cross-entropy in five folds exceeds the least by at most one standard error of the rows' differences.
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values.

    Attributes
    ----------
    temperature_ : float
        T.
    input_mixing_ : float
        Share of the uniform distribution mixed into the probabilities before: as in ``TemperatureScaling``.
    mixing_ : float
        1 / (n + 1), n the sum of the sample weights.
    coef_ : ndarray of shape (n_classes, n_classes), float64
        I + diag(v) + M; row k makes the logit of class k.
    intercept_ : ndarray of shape (n_classes,), float64
        b.
    strength_ : float
    n_iter_ : int
        Iterations of the solver.
    solution_ : sksoftmax.solvers.Solution
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int

    References
    ----------
    Berta, Holzmüller, Jordan & Bach (2025), "Structured Matrix Scaling for Multi-Class Calibration", arXiv 2511.03685.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.calibration import StructuredMatrixScaling
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(2000, 3))
    >>> mixed = logits @ [[1, 0, 0.8], [0, 1, 0], [0, 0, 1]]
    >>> y = (mixed + rng.gumbel(size=logits.shape)).argmax(axis=1)
    >>> StructuredMatrixScaling().fit(logits, y).predict_proba([[2.0, 0.0, 0.0]]).round(2)
    array([[0.62, 0.1 , 0.28]])
    """

    _mixes = True

    coef_: Matrix

    def _regress(self, z: Matrix, targets: Targets, ridge: float) -> tuple[dict[str, Any], Solution]:
        coef, intercept, solution = fit_matrix(
            z, targets, on_diagonal=ridge, off_diagonal=ridge * (targets.n_classes - 1), on_intercept=ridge
        )
        return {"coef_": coef, "intercept_": intercept}, solution

    def _apply(self, z: Matrix) -> Matrix:
        return score_rows(as_rows(z), self.coef_, self.intercept_, 1)  # a row's bits do not depend on the others, as BLAS's do
