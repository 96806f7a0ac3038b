"""Classifiers fitted on folds, and their logits of test rows.

What lives here: one fold's fit, all folds' logits as one array, and a classifier joined to its calibrator. What doesn't: the
scikit-learn estimator (``classifier``), reading logits (``_logits``), calibration itself (a calibrator's file).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from .._sklearn import _check_method_params, _safe_indexing, _safe_split
from ..data.labels import encode_labels
from ._base import Calibrator
from ._logits import (
    align,
    choose_response_method,
    fitted_classes,
    log_proba_of,
    one_column,
    read_logits,
)
from ._zeros import fill_zeros, logit_of_zero


@dataclass(frozen=True)
class CalibratedModel:
    """A fitted classifier with the calibrator that was fitted to its logits.

    Attributes
    ----------
    estimator : classifier
    calibrator : Calibrator
        Its ``classes_`` are those of the estimator.
    classes : ndarray of shape (n_classes,)
        The classes of all training rows; those that do not occur in the fold have probability 0.
    response_method : str
        The estimator's method that logits are read from.
    zero : float
        The logit that replaces that of a probability of zero (see ``_zeros``); −inf for decision values.
    """

    estimator: Any
    calibrator: Calibrator
    classes: NDArray
    response_method: str
    zero: float

    def logits(self, X: Any) -> NDArray:
        """Return the classifier's logits before calibration."""
        logits = fill_zeros(read_logits(self.estimator, X, self.response_method), self.zero)
        return align(logits, fitted_classes(self.estimator), self.calibrator.classes_)

    def decision_function(self, X: Any) -> NDArray:
        """Return calibrated logits of the calibrator's classes, one column for two classes."""
        return one_column(self.calibrator.transform(self.logits(X)))

    def predict_log_proba(self, X: Any) -> NDArray:
        """Return logarithms of calibrated probabilities of all classes, in nats."""
        log_proba = self.calibrator.predict_log_proba(self.logits(X))
        return align(log_proba, self.calibrator.classes_, self.classes)

    def predict_proba(self, X: Any) -> NDArray:
        """Return calibrated probabilities of all classes."""
        return np.exp(self.predict_log_proba(X))


@dataclass(frozen=True)
class Fold:
    """One fold's classifier and its logits of the test rows.

    Attributes
    ----------
    estimator : classifier
    classes : ndarray
        The classes in the fold's training rows.
    response_method : str
    rows : ndarray of int
        Numbers of the test rows whose class is among ``classes``: a calibrator can be fitted to no others.
    logits : ndarray of shape (n_rows,) or (n_rows, n_classes)
        Logits of these rows.
    zero : float
        The logit that replaces that of a probability of zero in these rows; −inf for decision values.
    """

    estimator: Any
    classes: NDArray
    response_method: str
    rows: NDArray
    logits: NDArray
    zero: float


def fit_folds(
    estimator: Any,
    X: Any,
    y: NDArray,
    splits: list,
    params: dict[str, Any],
    response_method: str,
    n_jobs: int | None,
    weight: NDArray | None = None,
) -> list[Fold]:
    """Return every fold's classifier with its logits of the test rows.

    A UserWarning states the number of test rows whose class does not occur in the fold's training rows.
    """
    folds = Parallel(n_jobs=n_jobs)(
        delayed(_fit_fold)(clone(estimator), X, y, train, test, params, response_method, weight) for train, test in splits
    )
    lost = sum(len(_row_numbers(test, len(y))) - len(fold.rows) for fold, (_, test) in zip(folds, splits, strict=True))
    if lost:
        warnings.warn(
            f"{lost} row(s) do not take part in the calibration: their class is not among the training rows of their fold.",
            UserWarning,
            stacklevel=5,
        )
    return folds


def _fit_fold(
    estimator: Any,
    X: Any,
    y: NDArray,
    train: Any,
    test: Any,
    params: dict[str, Any],
    response_method: str,
    weight: NDArray | None,
) -> Fold:
    """Return a fold whose classifier is fitted to its training rows."""
    X_train, y_train = _safe_split(estimator, X, y, train)
    estimator.fit(X_train, y_train, **_check_method_params(X, params=params, indices=train))
    classes = fitted_classes(estimator)
    test = _row_numbers(test, len(y))
    test = test[np.isin(y[test], classes)]
    if not len(test):
        raise ValueError(f"No test row of a fold is of one of the classes {classes} in its training rows: shuffle the folds.")
    X_test, _ = _safe_split(estimator, X, None, test, train)
    return read_fold(estimator, X_test, test, response_method, weight)


def read_fold(estimator: Any, X: Any, rows: NDArray, response_method: str, weight: NDArray | None = None) -> Fold:
    """Return a fitted classifier's logits of X, whose row numbers are ``rows``, as a fold.

    ``weight`` has an entry for each row of the training set; rows of weight 0 do not change the replacement of zeros.
    """
    classes, method = fitted_classes(estimator), choose_response_method(estimator, response_method)
    logits = read_logits(estimator, X, method)
    zero = -np.inf if method == "decision_function" else logit_of_zero(logits, None if weight is None else weight[rows])
    return Fold(estimator, classes, method, rows, fill_zeros(logits, zero), zero)


def join_folds(estimator: Any, folds: list[Fold], classes: NDArray) -> Fold:
    """Return the test rows of all folds, in ascending order, as one fold of the classifier fitted to all rows."""
    rows = np.concatenate([fold.rows for fold in folds])
    logits = np.concatenate([align(fold.logits, fold.classes, classes) for fold in folds])
    order = np.argsort(rows, kind="stable")
    return Fold(estimator, classes, folds[0].response_method, rows[order], logits[order], min(fold.zero for fold in folds))


@dataclass
class CrossEntropies:
    """Weighted sums over calibration rows: of the cross-entropy before and after calibration, in nats, and of the weights."""

    before: float = 0.0
    after: float = 0.0
    weight: float = 0.0


def calibrate(
    calibrator: Calibrator,
    fold: Fold,
    X: Any,
    y: NDArray,
    weight: NDArray,
    classes: NDArray,
    params: dict[str, Any],
    report: CrossEntropies,
) -> CalibratedModel:
    """Return the fold's classifier with a clone of the calibrator fitted to its logits; add the rows' losses to ``report``."""
    y, weight = y[fold.rows], weight[fold.rows]
    params = _check_method_params(X, params=params, indices=fold.rows)
    fitted = clone(calibrator).fit(fold.logits, y, classes=fold.classes, **params)
    _, labels = encode_labels(y, fold.classes)
    report.before -= float(weight @ log_proba_of(fold.logits, labels))
    report.after -= float(weight @ fitted.predict_log_proba(fold.logits)[np.arange(len(labels)), labels])
    report.weight += float(weight.sum())
    return CalibratedModel(fold.estimator, fitted, classes, fold.response_method, fold.zero)


def _row_numbers(indices: Any, n_rows: int) -> NDArray:
    return np.asarray(_safe_indexing(np.arange(n_rows), indices))
