"""Temperature scaling: all logits are divided by one number.

What lives here: ``TemperatureScaling`` and the division. What doesn't: the maximisation of the likelihood (``_likelihood``),
classifiers that are calibrated (``classifier``).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from ..losses import Targets
from ._base import Calibrator
from ._likelihood import fit_temperature
from ._mixing import mix_uniform


class TemperatureScaling(Calibrator):
    r"""Temperature scaling: all logits are divided by the temperature T of the greatest likelihood.

    .. math:: \max_{T > 0} \; \sum_i w_i \log \mathrm{softmax}(z_i / T)_{y_i}

    The order of a row's logits, and so the predicted class, does not change. The problem is convex in :math:`1/T` and solved
    to rounding: the likelihood of the rows of the fit is no less than before, except in the following case.

    Overconfident classifiers: under naive Bayes with dependent columns the true class can have a probability like
    :math:`e^{-10^9}`, and a few rows determine T. If T is above 4 and the true class of some row has less than
    :math:`10^{-6} / K` of the row's largest probability, or if logits are on average further than that below their row's
    largest after division by T, a temperature is also fitted to
    :math:`\log((1 - 10^{-6}) \, \mathrm{softmax}(z) + 10^{-6} / K)` in place of z. The fit with the greater likelihood is kept,
    targets smoothed as if the weight of one more row were spread evenly over the classes; ``input_mixing_`` is the share mixed
    in. The mean cross-entropy of the rows of the fit may then increase, by at most :math:`1.1 \cdot 10^{-6}` nats.

    Three cases have no unique maximum; a ``ConvergenceWarning`` names the case. Where every row's class has the largest logit,
    the likelihood increases as T decreases to zero: T is the optimum for targets smoothed by the weight of one more row, but at
    most 1. Where the logits predict no better than equal ones, it increases with T: T is so large that the probabilities are
    equal to six digits, but at least 1. Where each row's logits are all equal, T is 1.

    Parameters
    ----------
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values. The logarithm of probabilities is taken; zeros are replaced by
        a third of the least positive one in the rows of the fit, or in their own row if that is less.

    Attributes
    ----------
    temperature_ : float
        T, positive and finite; above 1 for an overconfident model, below 1 for an underconfident one.
    input_mixing_ : float
        Share of the uniform distribution, over the classes whose logit is not −inf, that is mixed into the probabilities
        before the temperature: 1e-6 or 0.
    log_likelihood_ : float
        Weighted sum, over the rows of the fit, of the log-probability of the true class after scaling, in nats; at most 0.
    n_iter_ : int
        Number of passes over all rows.
    classes_ : ndarray of shape (n_classes,)
        The class of each column of logits and probabilities.
    n_features_in_ : int
        Columns of the logits: the number of classes, or 1 for two classes with one logit.

    See Also
    --------
    sklearn.calibration.CalibratedClassifierCV : With ``method="temperature"``. One logit z for two classes means (-z, z) there
        and (0, z) here: the temperature there is twice the one here, the probabilities are the same.

    References
    ----------
    Guo, Pleiss, Sun & Weinberger (2017), "On Calibration of Modern Neural Networks".

    Examples
    --------
    Logits that are three times too large:

    >>> import numpy as np
    >>> from sksoftmax.calibration import TemperatureScaling
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(2000, 4))
    >>> y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    >>> calibrator = TemperatureScaling().fit(3 * logits, y)
    >>> round(calibrator.temperature_, 1)
    2.9
    >>> calibrator.predict_proba(3 * logits[:1]).round(2)
    array([[0.23, 0.17, 0.38, 0.22]])
    """

    temperature_: float
    input_mixing_: float

    def _fit(self, logits: NDArray, targets: Targets, total_weight: float) -> dict[str, Any]:
        optimum = fit_temperature(logits, targets, total_weight)
        if optimum.degenerate_reason:
            message = f"Temperature scaling: {optimum.degenerate_reason}. temperature_ is set to {optimum.temperature:.3g}."
            warnings.warn(message, ConvergenceWarning, stacklevel=4)
        return {
            "temperature_": optimum.temperature,
            "input_mixing_": optimum.mixing,
            "log_likelihood_": -total_weight * optimum.loss,
            "n_iter_": optimum.n_iter,
        }

    def _transform(self, logits: NDArray) -> NDArray:
        return divide_logits(mix_uniform(logits, self.input_mixing_), self.temperature_).astype(logits.dtype, copy=False)


def divide_logits(logits: NDArray, temperature: float) -> NDArray:
    """Return logits / temperature in the logits' dtype; in rows where that overflows, of logits minus the row's largest.

    Parameters
    ----------
    logits : ndarray of shape (n_rows, n_classes), float32 or float64
    temperature : float
        Positive; the division is in float64.
    """
    out = np.empty_like(logits)
    with np.errstate(over="ignore", under="ignore"):
        np.divide(logits, temperature, out=out, dtype=np.float64, casting="same_kind")
        overflown = np.flatnonzero(np.isinf(out.max(axis=1)))
        if len(overflown):
            rows = logits[overflown] - logits[overflown].max(axis=1, keepdims=True)
            out[overflown] = np.divide(rows, temperature, dtype=np.float64, casting="same_kind")
    return out
