"""A classifier with temperature scaling as one scikit-learn estimator.

What lives here: ``TemperatureScalingCalibrator``, a ``CalibratedClassifier`` with this calibrator. What doesn't: its fit and
its predictions (``classifier``), the temperature (``temperature``).
"""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.utils.validation import check_is_fitted

from .._estimator.unknown_parameters import explain_unknown
from .classifier import CalibratedClassifier


class TemperatureScalingCalibrator(CalibratedClassifier):
    r"""A classifier whose logits are divided by one number, fitted to rows that the classifier was not fitted to.

    .. math:: p(y \mid x) = \mathrm{softmax}(z(x) / T)_y

    ``CalibratedClassifier(estimator, "temperature", ensemble=False)`` with the attribute ``temperature_``. The classifier is
    fitted on all rows: its predicted classes are those without calibration.

    Parameters
    ----------
    estimator : classifier, default=None
    cv : int, splitter, iterable or "prefit", default=5
    response_method : {"auto", "decision_function", "predict_log_proba", "predict_proba"}, default="auto"
    n_jobs : int, default=None
        All as for :class:`CalibratedClassifier`.

    Attributes
    ----------
    temperature_ : float
        Above 1 for an overconfident classifier, below 1 for an underconfident one.
    classes_, estimator_, calibrator_, cross_entropy_before_, cross_entropy_after_, n_features_in_, feature_names_in_
        As for :class:`CalibratedClassifier`.

    Raises
    ------
    ValueError
        When fitted to bad input.

    References
    ----------
    Guo, Pleiss, Sun & Weinberger (2017), "On Calibration of Modern Neural Networks".

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.naive_bayes import MultinomialNB
    >>> from sksoftmax import TemperatureScalingCalibrator
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = TemperatureScalingCalibrator(MultinomialNB()).fit(X[:1000], y[:1000])
    >>> round(clf.temperature_, 1)
    16.1
    """

    _parameter_constraints: ClassVar[dict] = {
        name: allowed
        for name, allowed in CalibratedClassifier._parameter_constraints.items()
        if name not in ("calibrator", "ensemble")
    }
    calibrator = "temperature"
    ensemble = False

    @explain_unknown
    def __init__(self, estimator: Any = None, *, cv: Any = 5, response_method: str = "auto", n_jobs: int | None = None) -> None:
        self.estimator = estimator
        self.cv = cv
        self.response_method = response_method
        self.n_jobs = n_jobs

    @property
    def temperature_(self) -> float:
        """The number that logits are divided by."""
        check_is_fitted(self)
        return self.calibrator_.temperature_
