"""Predictions of a linear model: logits, labels, probabilities and accuracy.

What lives here: ``LinearPrediction``, a base of estimators that have ``coef_``, ``intercept_``, ``classes_`` and ``loss_``.
What doesn't: fits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from .._sklearn import LinearClassifierMixin, SparseCoefMixin
from ..data.arrays import as_numpy
from ..data.dataset import as_rows
from ..data.examples import read_rows
from ..data.rows import score_rows
from ..data.targets import check_proba_targets, is_proba
from ..data.threads import effective_n_threads
from ..data.weights import check_weight, scale_weight
from ..losses import Loss
from .availability import available_if, check_proba


class LinearPrediction(LinearClassifierMixin, SparseCoefMixin):
    """Predictions from ``coef_``, ``intercept_``, ``classes_`` and ``loss_``, which turns logits into probabilities."""

    loss_: Loss
    loss: str | Loss
    classes_: NDArray
    coef_: Any
    intercept_: NDArray

    def decision_function(self, X: Any) -> NDArray:
        """Return the logits.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        logits : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes that of ``classes_[1]`` against 0 for ``classes_[0]``. A row's values do not depend on others.
        """
        logits = self._logits(X)
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def predict(self, X: Any) -> NDArray:
        """Return the label decided for each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Of ``classes_``.
        """
        logits = self._logits(X)  # first: it says of an estimator that is not fitted that it is not
        return self.classes_[self.loss_.decide(logits)]

    @available_if(check_proba)
    def predict_proba(self, X: Any) -> NDArray:
        """Return class probabilities; available if the loss has them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Rows sum to one; columns in the order of ``classes_``.
        """
        logits = self._logits(X)
        return self.loss_.proba(logits)

    @available_if(check_proba)
    def predict_log_proba(self, X: Any) -> NDArray:
        """Return logarithms of class probabilities, in nats, computed from the logits: finite where these are.

        Available if the loss has probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        logits = self._logits(X)
        return self.loss_.log_proba(logits)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Labels, or rows of class probabilities: a row counts with its probability of the predicted class.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        accuracy : float
            Between 0 and 1; greater is better.
        """
        X, y, sample_weight = as_numpy(X=X, y=y, sample_weight=sample_weight)
        if not is_proba(y):
            predicted = self.predict(X)
            weight = None if sample_weight is None else scale_weight(check_weight(sample_weight, len(predicted)))[0]
            return float(accuracy_score(y, predicted, sample_weight=weight))
        logits = self._logits(X)
        predicted = self.loss_.decide(logits)
        _, proba = check_proba_targets(y, len(predicted), self.classes_)
        weight, _ = scale_weight(check_weight(sample_weight, len(predicted)))
        return float(np.average(proba[np.arange(len(predicted)), predicted], weights=weight))

    def _logits(self, X: Any) -> NDArray:
        """Return the logits of validated rows, (n_samples, 1) for two classes, (n_samples, n_classes) for more."""
        check_is_fitted(self)
        (X,) = as_numpy(X=X)
        X = read_rows(self, X)
        dtype = np.result_type(X.dtype, self.coef_.dtype)
        rows = as_rows(self.loss_.prepare(X.astype(dtype, copy=False)))
        coef = self._dense_coef()
        coef = np.ascontiguousarray(coef if rows.class_major else coef.T, dtype=rows.dtype)
        intercept = self.intercept_.astype(dtype, copy=False)
        # Counting cores may run a program the first time: not done if one thread is enough.
        n_threads = effective_n_threads() if rows.is_worth_threads(len(intercept)) else 1
        return score_rows(rows, coef, intercept, n_threads)

    def _dense_coef(self) -> NDArray:
        return self.coef_.toarray() if sparse.issparse(self.coef_) else self.coef_

    def __sklearn_tags__(self):  # type: ignore[no-untyped-def]
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
