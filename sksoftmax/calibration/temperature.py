"""Temperature scaling: one number that all logits are divided by.

What lives here: ``TemperatureScaling`` and the division. What doesn't: how the number is found (``_likelihood``), classifiers
that are calibrated (``classifier``).
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
    r"""Temperature scaling: divides all logits by one number, that of the greatest likelihood.

    .. math:: \max_{T > 0} \; \sum_i w_i \log \mathrm{softmax}(z_i / T)_{y_i}

    The order of a row's logits, and so the predicted class, stays. In :math:`1/T` the problem is convex, and it is solved to
    rounding: the likelihood of the rows of the fit is no less than it was before, but for what follows.

    A classifier may be so sure that a few rows fix T alone: naive Bayes, which counts dependent columns as independent, gives
    the truth probabilities like :math:`e^{-10^9}`. If T is above 4 and the truth of some row has less than
    :math:`10^{-6} / K` of the row's largest probability, or if logits are on average further than that below their row's
    largest after division by T, a temperature is also fitted to
    :math:`\log((1 - 10^{-6}) \, \mathrm{softmax}(z) + 10^{-6} / K)` in place of z. Kept is what gives the greater likelihood to
    targets smoothed as if one more row's weight were spread evenly over the classes; ``input_mixing_`` tells. The mean
    cross-entropy of the rows of the fit may then be greater than before, by no more than :math:`1.1 \cdot 10^{-6}` nats.

    Three cases have no single maximum; a ``ConvergenceWarning`` tells which. Where every row's class has the largest logit the
    likelihood grows as T falls to zero: kept is the temperature that would be best if one more row's weight were spread evenly
    over the classes, but at most 1. Where the logits predict no better than equal ones it grows with T: kept is a temperature
    that makes the probabilities equal to six digits, but at least 1. Where each row's logits are all equal T is 1.

    Parameters
    ----------
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; never guessed. Of probabilities the logarithm is taken; zeros count as a third of the
        least one above zero in the rows of the fit, or in their own row if that is less.

    Attributes
    ----------
    temperature_ : float
        Positive and finite; above 1 if the model was too sure, below 1 if it was not sure enough.
    input_mixing_ : float
        Share of the uniform distribution, over the classes whose logit is not −inf, that is mixed into the probabilities
        before the temperature: 1e-6 or 0.
    log_likelihood_ : float
        Weighted sum, over the rows of the fit, of the log-probability of the true class after scaling, in nats; at most 0.
    n_iter_ : int
        Passes over all rows.
    classes_ : ndarray of shape (n_classes,)
        Column k of logits and probabilities belongs to the k-th.
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
    """Return logits / temperature in their own dtype; where that is beyond it, of logits below the row's largest.

    Parameters
    ----------
    logits : ndarray of shape (n_rows, n_classes), float32 or float64
    temperature : float
        Positive; divided by in float64.
    """
    out = np.empty_like(logits)
    with np.errstate(over="ignore", under="ignore"):
        np.divide(logits, temperature, out=out, dtype=np.float64, casting="same_kind")
        overflown = np.flatnonzero(np.isinf(out.max(axis=1)))
        if len(overflown):
            rows = logits[overflown] - logits[overflown].max(axis=1, keepdims=True)
            out[overflown] = np.divide(rows, temperature, dtype=np.float64, casting="same_kind")
    return out
