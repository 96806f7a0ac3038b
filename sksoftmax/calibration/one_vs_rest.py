"""One-vs-rest calibration: a map for each class against the rest, normalised; Platt's sigmoid and isotonic regression.

What lives here: both, and the logit of one class against the rest. What doesn't: maps of all logits together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from ..kernels import rowwise as kernels
from ..losses import Targets
from ._base import Calibrator
from ._likelihood import fit_temperature
from ._mixing import mix_uniform
from ._sigmoid import class_shares, difference, finite_line, fit_sigmoid, log_sigmoid

MIXING_MIN_LOGIT = 7.0
"""If no logit is larger in magnitude, all margins are above log(MIXING / K) of ``_likelihood``: nothing is mixed in."""


class PlattScaling(Calibrator):
    r"""Platt scaling: a sigmoid of each class's logit against the rest.

    .. math:: p_k \propto \frac{1}{1 + e^{-(a_k s_k + b_k)}}, \qquad s_k = z_k - \log \sum_{j \neq k} e^{z_j}

    fitted by maximum likelihood to Platt's targets: with :math:`N_k` rows of the class among N, they are
    :math:`(N_k + 1) / (N_k + 2)` for these rows and :math:`1 / (N - N_k + 2)` for the others, so that separable classes have a
    finite maximum too. Two classes take one sigmoid.

    Parameters
    ----------
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values. The logarithm of probabilities is taken; zeros are replaced by
        a third of the least positive one in the rows of the fit, or in their own row if that is less.

    Attributes
    ----------
    coef_, intercept_ : ndarray of shape (n_classes,), or (1,) for two classes
        :math:`a` and :math:`b`; for two classes those of ``classes_[1]``. A negative a reverses the order of probabilities.
    input_mixing_ : float
        Share of the uniform distribution mixed into the probabilities before: as in ``TemperatureScaling``.
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int
        Columns of the logits: the number of classes, or 1 for two classes with one logit.

    See Also
    --------
    sklearn.calibration.CalibratedClassifierCV : With ``method="sigmoid"``, which also takes the classes' raw scores or
        probabilities as they are.

    References
    ----------
    Platt (1999), "Probabilistic Outputs for Support Vector Machines". Zadrozny & Elkan (2002), "Transforming Classifier Scores
    into Accurate Multiclass Probability Estimates".

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.calibration import PlattScaling
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=5000)
    >>> y = 2 * logits + 1 + rng.logistic(size=5000) > 0
    >>> calibrator = PlattScaling().fit(logits, y)
    >>> calibrator.coef_.round(), calibrator.intercept_.round()
    (array([2.]), array([1.]))
    """

    coef_: NDArray[np.float64]
    intercept_: NDArray[np.float64]
    input_mixing_: float

    def _fit(self, logits: NDArray, targets: Targets, total_weight: float) -> dict[str, Any]:
        mixing = 0.0
        if np.abs(logits).max(where=np.isfinite(logits), initial=0) > MIXING_MIN_LOGIT:
            mixing = fit_temperature(logits, targets, total_weight).mixing
        scores, shares = _scores(mix_uniform(logits, mixing)), class_shares(targets)
        fits = [_fit_platt(scores[:, k], share, targets.weight, total_weight) for k, share in enumerate(shares)]
        coef, intercept = np.array(fits).T
        return {"coef_": coef, "intercept_": intercept, "input_mixing_": mixing}

    def _transform(self, logits: NDArray) -> NDArray:
        scores = _scores(mix_uniform(logits, self.input_mixing_))
        with np.errstate(over="ignore"):
            line = self.coef_ * np.nan_to_num(scores) + self.intercept_
        line = np.where(np.isinf(scores), scores, finite_line(line, logits.dtype))
        return _all_classes(line).astype(logits.dtype, copy=False)


class IsotonicCalibration(Calibrator):
    r"""Isotonic regression of each class's indicator on its probability, divided by the sum.

    .. math:: p_k = \frac{n}{n + 1} \frac{f_k(\mathrm{softmax}(z)_k)}{\sum_j f_j(\mathrm{softmax}(z)_j)}
        + \frac{1}{n + 1} \frac{1}{K}, \qquad f_k \text{ non-decreasing}

    with the :math:`f_k` of :class:`~sklearn.isotonic.IsotonicRegression`, constant beyond the probabilities of the fit. Two
    classes take one regression. Needs some thousand rows. Isotonic regression alone predicts probability zero where no row of
    the fit with as low a probability was of the class: the cross-entropy of a new row is then infinite. So the uniform
    distribution is mixed in with the weight of one more row. Where all :math:`f_k` are zero the probabilities are uniform.

    Parameters
    ----------
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values. The logarithm of probabilities is taken; zeros are replaced by
        a third of the least positive one in the rows of the fit, or in their own row if that is less.

    Attributes
    ----------
    regressors_ : list of IsotonicRegression
        One a class; for two classes that of ``classes_[1]`` alone.
    mixing_ : float
        1 / (n + 1), n the sum of the sample weights.
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int
        Columns of the logits: the number of classes, or 1 for two classes with one logit.

    See Also
    --------
    sklearn.calibration.CalibratedClassifierCV : With ``method="isotonic"``.

    References
    ----------
    Zadrozny & Elkan (2002), "Transforming Classifier Scores into Accurate Multiclass Probability Estimates".

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.calibration import IsotonicCalibration
    >>> logits, y = np.array([-2.0, -1.0, 1.0, 2.0]), np.array(["no", "yes", "no", "yes"])
    >>> IsotonicCalibration().fit(logits, y).predict_proba(logits)
    array([[0.9, 0.1],
           [0.5, 0.5],
           [0.5, 0.5],
           [0.1, 0.9]])
    """

    regressors_: list[IsotonicRegression]
    mixing_: float

    def _fit(self, logits: NDArray, targets: Targets, total_weight: float) -> dict[str, Any]:
        counts = targets.weight > 0
        proba, weight = _proba(logits[counts]), total_weight * targets.weight[counts]
        columns = range(1, 2) if proba.shape[1] == 2 else range(proba.shape[1])
        regressors = [
            IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(proba[:, k], share[counts], weight)
            for k, share in zip(columns, class_shares(targets), strict=True)
        ]
        return {"regressors_": regressors, "mixing_": 1 / (total_weight + 1)}

    def _transform(self, logits: NDArray) -> NDArray:
        proba = _proba(logits)
        if len(self.regressors_) == 1:
            proba[:, 1] = self.regressors_[0].predict(proba[:, 1])
            proba[:, 0] = 1 - proba[:, 1]
        else:
            for k, regressor in enumerate(self.regressors_):
                proba[:, k] = regressor.predict(proba[:, k])
        proba[~proba.any(axis=1)] = 1 / proba.shape[1]
        proba *= (1 - self.mixing_) / proba.sum(axis=1, keepdims=True)
        proba += self.mixing_ / proba.shape[1]
        return np.log(proba, out=proba).astype(logits.dtype, copy=False)


def _scores(logits: NDArray) -> NDArray[np.float64]:
    """Return each class's logit against the rest, (n_rows, n_classes); of the second class alone, (n_rows, 1), if they are two.

    ±inf where a class, or all others, have probability zero.
    """
    # s_k = log(p_k / (1 - p_k)) = z_k - log Σ_{j ≠ k} e^{z_j}. Near p_k = 1 the difference 1 - p_k has no digits left, so that
    # the sum is taken without class k. For the largest class it is taken relative to the second largest logit. For any other
    # class it contains the largest term: it is log1p(Σ_{j ≠ k, largest} e^{d_j}) above the largest logit, with the margins d_j
    # = z_j - max z.
    z = logits.astype(np.float64)
    if z.shape[1] == 2:
        return difference(z[:, 1:], z[:, :1])
    rows, top = np.arange(len(z)), z.argmax(axis=1)
    largest = z[rows, top]
    z[rows, top] = -np.inf
    second = z.max(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):  # -inf less -inf, where there is no second
        rest = np.where(second > -np.inf, second + np.log(np.exp(z - second[:, None]).sum(axis=1)), -np.inf)
    margins = difference(z, largest[:, None])
    total = np.exp(margins)
    total = np.log1p(np.maximum(total.sum(axis=1, keepdims=True) - total, 0.0))
    scores = margins - total
    scores[rows, top] = difference(largest, rest)
    return scores


def _proba(logits: NDArray) -> NDArray[np.float64]:
    """Return the softmax in float64, as a new array."""
    proba = logits.astype(np.float64)
    kernels.softmax(proba, len(proba))
    return proba


def _fit_platt(
    score: NDArray[np.float64], share: NDArray[np.float64], weight: NDArray[np.float64], total_weight: float
) -> tuple[float, float]:
    """Return slope and intercept of one class's sigmoid, fitted to Platt's targets."""
    # After N rows whose labels are all correct, the posterior mean of the probability of a correct label is (N + 1) / (N + 2)
    # under a uniform prior (Platt 1999): the target of the class's own rows; for the others 1 - (N + 1) / (N + 2).
    n_own = total_weight * float(weight @ share)
    own, other = (n_own + 1) / (n_own + 2), 1 / (total_weight - n_own + 2)
    # An infinite score is a probability of 0 or 1 under every sigmoid: it does not depend on the coefficients.
    counts = np.isfinite(score) & (weight > 0)
    if not counts.any():
        return 1.0, 0.0
    proba = share[counts] * own + (1 - share[counts]) * other
    coef, intercept, _ = fit_sigmoid(score[counts, None], proba, weight[counts])
    return float(coef[0]), intercept


def _all_classes(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log-sigmoids of all classes: logits whose softmax is the sigmoids divided by their sum."""
    return log_sigmoid(np.hstack([-line, line]) if line.shape[1] == 1 else line)
