"""The contract of calibrators: maps from logits to logits, fitted to rows that the model was not fitted to.

What lives here: ``Calibrator`` with its public methods. What doesn't: the checks of what it is given (``_inputs``), methods of
calibration (a file each), and models whose logits are calibrated (``classifier``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._estimator.constraints import SortedStrOptions
from .._sklearn import _fit_context
from ..data.arrays import as_numpy, check_possible
from ..data.targets import make_targets
from ..data.weights import check_weight
from ..kernels import rowwise as kernels
from ..losses import Targets
from ._inputs import check_true_class_is_finite, check_y, read_logits
from ._zeros import fill_zeros, logit_of_zero

# The sum of the weights is clipped to between this and its inverse, since strengths of penalties are divided by it.
LEAST_TOTAL = 1e-100


class Calibrator(TransformerMixin, BaseEstimator, ABC, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Contract of every calibrator.

    A subclass implements ``_fit``, which returns its fitted attributes, and ``_transform``. Both get logits of shape
    (n_rows, n_classes), C-contiguous, float32 or float64; −inf occurs only for classes that are not the true one (in rows of
    positive weight). ``fit`` sets all attributes at its end: if it fails, those of the previous fit remain.

    Parameters
    ----------
    input : {"logits", "proba"}, default="logits"
        What the calibrator is given; not inferred from values. The logarithm of probabilities is taken; zeros are replaced by
        a third of the least positive one in the rows of the fit, or in their own row if that is less.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class of each column of logits and probabilities.
    n_features_in_ : int
        Columns of the logits: the number of classes, or 1 for two classes with one logit.
    log_zero_ : float
        The logarithm that replaces that of a probability of zero; −inf for ``input="logits"``.
    """

    _parameter_constraints: ClassVar[dict] = {"input": [SortedStrOptions({"logits", "proba"})]}
    two_classes_only: ClassVar[bool] = False

    def __init__(self, *, input: Literal["logits", "proba"] = "logits") -> None:
        self.input = input

    @abstractmethod
    def _fit(self, logits: NDArray, targets: Targets, total_weight: float) -> dict[str, Any]:
        """Return the fitted attributes by name, without setting them.

        Parameters
        ----------
        logits : ndarray of shape (n_rows, n_classes)
            May be the user's array: not to be written to.
        targets : Targets
            With weights that sum to one.
        total_weight : float
            Sum of the sample weights before normalisation: the number of rows if all weights are one.
        """

    @abstractmethod
    def _transform(self, logits: NDArray) -> NDArray:
        """Return calibrated logits as a new array of the shape and dtype of ``logits``, which must not be written to."""

    # -- fitting -------------------------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, logits: Any, y: Any, sample_weight: ArrayLike | None = None, *, classes: ArrayLike | None = None
    ) -> Calibrator:
        """Fit the calibrator to rows that the model was not fitted on.

        Parameters
        ----------
        logits : array-like of shape (n_samples, n_classes); for two classes also (n_samples,) or (n_samples, 1)
            Logits, or with ``input="proba"`` probabilities. A single column is that of the second class: its logit against the
            first one, or its probability. float32 and float64 are not converted; C-contiguous logits are not copied.
            −inf is allowed where it is not the true class.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels of any kind, or rows of class probabilities: a row q counts as n_classes rows, the k-th with label k and
            weight ``q[k]``.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative; 2 counts as the row twice, 0 as the row left out.
        classes : array-like of shape (n_classes,), default=None
            The class of each column; needed if their order is not that of ``np.unique(y)`` or if some do not occur in y. If y
            are rows of class probabilities, the names of y's columns.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Bad input; the message names it, what was got and what is allowed, and the first bad row.
        """
        logits, y, sample_weight = as_numpy(logits=logits, y=y, sample_weight=sample_weight)
        proba = self.input == "proba"
        rows, n_columns, finite = read_logits(logits, proba=proba)
        n_rows, n_classes = rows.shape
        if self.two_classes_only and n_classes != 2:
            raise ValueError(f"{type(self).__name__} is for two classes, got {n_classes} columns of {self.input}.")
        names, encoded = check_y(y, n_rows, n_classes, classes, rows=self.input)
        weight = check_weight(sample_weight, n_rows, scalar=True, copy=True)
        targets, total_weight = make_targets(names, weight, None, **encoded)
        total_weight = min(max(total_weight, LEAST_TOTAL), 1 / LEAST_TOTAL)
        log_zero = -np.inf
        if proba:
            log_zero = logit_of_zero(rows, targets.weight)
            rows = fill_zeros(rows, log_zero)
        elif not finite:
            check_true_class_is_finite(rows, targets)
        fitted = self._fit(rows, targets, total_weight)
        self.__dict__.update(classes_=names, n_features_in_=n_columns, log_zero_=log_zero, **fitted)
        return self

    # -- calibrating ---------------------------------------------------------------------------------------------

    def transform(self, logits: Any) -> NDArray:
        """Return calibrated logits.

        Parameters
        ----------
        logits : array-like of shape (n_samples, n_classes); for two classes also (n_samples,) or (n_samples, 1)
            As for ``fit``.

        Returns
        -------
        logits : ndarray of the same shape, float32 or float64
            A row's values do not depend on the other rows.

        Raises
        ------
        ValueError
            Bad input; the message names it, what was got and what is allowed, and the first bad row.
        """
        (logits,) = as_numpy(logits=logits)
        calibrated = self._calibrated(logits)
        shape = np.shape(logits)
        if calibrated.shape == shape:
            return calibrated
        return (calibrated[:, 1] - calibrated[:, 0]).reshape(shape)

    def predict_proba(self, logits: Any) -> NDArray:
        """Return calibrated class probabilities.

        Parameters
        ----------
        logits : array-like of shape (n_samples, n_classes); for two classes also (n_samples,) or (n_samples, 1)
            As for ``fit``.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes), float32 or float64
            Rows sum to one; columns in the order of ``classes_``.
        """
        calibrated = self._calibrated(logits)
        kernels.softmax(calibrated, len(calibrated))
        return calibrated

    def predict_log_proba(self, logits: Any) -> NDArray:
        """Return logarithms of calibrated class probabilities, in nats, by a log-softmax: finite where the logits are.

        Parameters
        ----------
        logits : array-like of shape (n_samples, n_classes); for two classes also (n_samples,) or (n_samples, 1)
            As for ``fit``.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes), float32 or float64
            Columns in the order of ``classes_``.
        """
        calibrated = self._calibrated(logits)
        kernels.log_softmax(calibrated, len(calibrated))
        return calibrated

    def _calibrated(self, logits: Any) -> NDArray:
        """Return calibrated logits with a column for each class, of validated input."""
        check_is_fitted(self)
        proba = self.input == "proba"
        rows, _, finite = read_logits(logits, proba=proba, n_classes=len(self.classes_))
        if proba:
            rows = fill_zeros(rows, self.log_zero_)
        elif not finite:
            check_possible(rows, "logits")
        return self._transform(rows)

    def set_output(self, *, transform: Any = None) -> Calibrator:
        """Do nothing: ``transform`` always returns arrays."""
        return self

    def __sklearn_tags__(self):  # type: ignore[no-untyped-def]
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.one_d_labels = True
        tags.input_tags.one_d_array = True
        return tags
