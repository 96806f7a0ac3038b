"""Calibrated classifiers: any classifier and a calibrator as one scikit-learn estimator.

What lives here: ``CalibratedClassifier``: the paths of a fit and of a prediction, and parameters; over 300 lines, since half of
them document what is public. What doesn't: fits on folds (``_folds``), metadata of a fit (``_routing``), reading logits
(``_logits``), calibrators (a file each).
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score
from sklearn.model_selection import check_cv
from sklearn.utils import get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted

from .._estimator.constraints import NameOrObject, SortedStrOptions
from .._estimator.unknown_parameters import checked_params, explain_unknown
from .._sklearn import HasMethods, _fit_context
from ..classifier import SoftmaxRegressionClassifier
from ..data.arrays import as_numpy
from ..data.labels import check_labels, label_vector
from ..data.sparse_indices import check_indices
from ..data.targets import is_proba
from ..data.weights import check_weight, scale_weight
from ..functional import logsumexp
from ..losses._decision import decide
from . import CALIBRATORS, Calibrator
from ._folds import CalibratedModel, CrossEntropies, Fold, calibrate, fit_folds, join_folds, read_fold
from ._logits import RESPONSE_METHODS, fitted_classes, one_column
from ._routing import request_weights, route_fit

CERTAIN = 1e10
"""Magnitude of the finite logits that replace infinite ones in ``decision_function``."""


class CalibratedClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    r"""A classifier whose logits are calibrated on rows that it was not fitted to.

    .. math:: p(y \mid x) = \mathrm{softmax}(g(z(x)))_y

    with the classifier's logits z and the calibrator's map g, or the mean of this over the folds' classifiers and their
    calibrators. As :class:`sklearn.calibration.CalibratedClassifierCV`, with every calibrator of
    ``sksoftmax.calibration``, for labels of any kind.

    Parameters
    ----------
    estimator : classifier, default=None
        With ``decision_function``, ``predict_log_proba`` or ``predict_proba``; pipelines and other libraries' classifiers too.
        ``None`` is ``SoftmaxRegressionClassifier()``. It is cloned and fitted, unless ``cv="prefit"`` or it is a
        :class:`sklearn.frozen.FrozenEstimator`.
    calibrator : str or Calibrator, default="temperature"
        A name in ``sksoftmax.calibration.CALIBRATORS`` or an object, which is cloned. Parameters are searched as
        ``calibrator__…``; setting one where there is a name puts the object in its place.
    cv : int, splitter, iterable or "prefit", default=5
        Splits into rows that classifiers are fitted to and rows that calibrators are fitted to, as for
        :func:`sklearn.model_selection.check_cv`: stratified folds for a number. Rows in several test sets count as often.
        "prefit": the classifier is fitted, and the calibrator is fitted to all rows, which must not be those of its fit.
    ensemble : bool or "auto", default="auto"
        ``True``: every fold's classifier is kept with a calibrator of its own, fitted on the fold's test rows;
        probabilities are averaged. ``False``: one calibrator is fitted on the test rows of all folds, and one classifier on
        all rows. "auto": ``False`` for a FrozenEstimator, else ``True``, as in scikit-learn. Without meaning for
        ``cv="prefit"``, which has one of each.
    response_method : {"auto", "decision_function", "predict_log_proba", "predict_proba"}, default="auto"
        The classifier's method that logits are read from; "auto" is the first of these that it has. Decision values and
        log-probabilities are used as they are; of probabilities the logarithm is taken. Not inferred from values. Probabilities
        of zero, as of forests and neighbours, are replaced by a third of the least positive one of the calibration rows.
    n_jobs : int, default=None
        Number of folds fitted in parallel by joblib.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; with ``cv="prefit"`` the classifier's, not all of which must occur in y.
    estimator_ : classifier
        The classifier fitted to all rows; undefined for an ensemble.
    calibrator_ : Calibrator
        The fitted calibrator; undefined for an ensemble.
    calibrated_classifiers_ : list of CalibratedModel
        The pairs ``estimator``, ``calibrator``: one a fold for an ensemble, else one.
    cross_entropy_before_, cross_entropy_after_ : float
        Mean cross-entropy of the calibration rows in nats, smaller is better: of the softmax of the logits, and calibrated.
        The classifiers were not fitted on these rows, but the calibrators were: optimistic for those with many parameters.
    n_features_in_ : int
        Defined if the classifier's is.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Defined if the classifier's is.

    Raises
    ------
    ValueError
        ``fit`` with bad input, a fold no test row of which is of a class in its training rows, or a calibrator of
        probabilities.
    AttributeError
        ``fit`` with a classifier without the method.

    See Also
    --------
    TemperatureScalingCalibrator : One classifier, one temperature.
    sklearn.calibration.CalibratedClassifierCV : With sigmoids, isotonic regression and temperatures.

    References
    ----------
    Guo, Pleiss, Sun & Weinberger (2017), "On Calibration of Modern Neural Networks".
    Platt (1999), "Probabilistic Outputs for Support Vector Machines", for out-of-fold logits.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.naive_bayes import MultinomialNB
    >>> from sksoftmax import CalibratedClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = CalibratedClassifier(MultinomialNB(), ensemble=False).fit(X[:1000], y[:1000])
    >>> round(clf.calibrator_.temperature_, 1)
    16.1
    >>> round(clf.cross_entropy_before_, 1), round(clf.cross_entropy_after_, 1)
    (4.2, 0.5)
    >>> clf.predict(X[1000:1003])
    array([1, 4, 0])
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [*(HasMethods([name]) for name in RESPONSE_METHODS), None],
        "calibrator": [NameOrObject(CALIBRATORS, Calibrator, notes={"platt": "scikit-learn's 'sigmoid'"})],
        "cv": ["cv_object", SortedStrOptions({"prefit"})],
        "ensemble": ["boolean", SortedStrOptions({"auto"})],
        "response_method": [SortedStrOptions({"auto", *RESPONSE_METHODS})],
        "n_jobs": [Integral, None],
    }

    @explain_unknown
    def __init__(
        self,
        estimator: Any = None,
        calibrator: str | Calibrator = "temperature",
        *,
        cv: Any = 5,
        ensemble: bool | Literal["auto"] = "auto",
        response_method: str = "auto",
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.calibrator = calibrator
        self.cv = cv
        self.ensemble = ensemble
        self.response_method = response_method
        self.n_jobs = n_jobs

    # -- fitting -------------------------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)  # the classifier validates its own parameters
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None, **fit_params: Any) -> CalibratedClassifier:
        """Fit the classifier and the calibrator.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, list}
            Rows as the classifier takes them.
        y : array-like of shape (n_samples,)
            Labels of any kind.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative. Weights the calibration, and the classifier if its ``fit`` takes weights (metadata routing off) or
            if it requests them (routing on).
        **fit_params : dict
            Passed to the classifier's ``fit``; with metadata routing on, to those that request them. Parameters with an entry
            for each row are split like X.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Bad input; the message says what was got and what is allowed.
        """
        if y is None:
            raise ValueError(f"This {type(self).__name__} estimator requires y to be passed, but the target y is None.")
        y, sample_weight = as_numpy(y=y, sample_weight=sample_weight)
        if is_proba(y):
            raise ValueError("y must be labels of shape (n_samples,); for rows of class probabilities fit a calibrator itself.")
        check_indices(X)
        X, y = indexable(X, label_vector(y, warn_column=True))
        if not len(y):
            raise ValueError("X and y have no rows: found 0 sample(s), a minimum of 1 is required.")
        estimator, calibrator = self._estimator(), self._calibrator()
        if calibrator.input != "logits":
            raise ValueError(f"calibrator must take logits, which are what it is given here; got input={calibrator.input!r}.")
        if sample_weight is not None:
            sample_weight = check_weight(sample_weight, len(y), scalar=True, copy=True)
        routed = route_fit(self, estimator, sample_weight, fit_params, prefit=self._is_prefit(estimator))
        weight = np.ones(len(y)) if sample_weight is None else scale_weight(sample_weight)[0]
        known_weight = weight if "sample_weight" in routed.calibrator.fit else None
        report = CrossEntropies()
        if self._is_prefit(estimator):
            classes = fitted_classes(estimator)
            folds = [read_fold(estimator, X, np.arange(len(y)), self.response_method, known_weight)]
        else:
            classes, _ = check_labels(y)
            folds = self._cross_validated(estimator, X, y, classes, routed, known_weight)
        models = [calibrate(calibrator, fold, X, y, weight, classes, routed.calibrator.fit, report) for fold in folds]
        self._set_fitted_attributes(classes, models, report, ensemble=self._is_ensemble(estimator))
        return self

    def _cross_validated(
        self, estimator: Any, X: Any, y: NDArray, classes: NDArray, routed: Any, weight: NDArray | None
    ) -> list[Fold]:
        """Return the folds to which calibrators are fitted: every fold for an ensemble, else all folds' test rows as one."""
        splits = list(check_cv(self.cv, y, classifier=True).split(X, y, **routed.splitter.split))
        params = routed.estimator.fit
        folds = fit_folds(estimator, X, y, splits, params, self.response_method, self.n_jobs, weight)
        if self._is_ensemble(estimator):
            return folds
        return [join_folds(clone(estimator).fit(X, y, **params), folds, classes)]

    def _set_fitted_attributes(
        self, classes: NDArray, models: list[CalibratedModel], report: CrossEntropies, *, ensemble: bool
    ) -> None:
        """Set the fitted attributes, and remove those of an earlier fit that this one does not define."""
        for name in ("estimator_", "calibrator_", "n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
        self.classes_ = classes
        self.calibrated_classifiers_ = models
        self.cross_entropy_before_ = report.before / report.weight
        self.cross_entropy_after_ = report.after / report.weight
        if not ensemble:
            self.estimator_, self.calibrator_ = models[0].estimator, models[0].calibrator
        for name in ("n_features_in_", "feature_names_in_"):
            known = getattr(models[0].estimator, name, None)
            if known is not None:
                setattr(self, name, known)

    # -- meaning of the parameters -------------------------------------------------------------------------------

    def _estimator(self) -> Any:
        if self.estimator is not None:
            return self.estimator
        return request_weights(SoftmaxRegressionClassifier())

    def _calibrator(self) -> Calibrator:
        if isinstance(self.calibrator, str):
            return request_weights(CALIBRATORS[self.calibrator]())
        return self.calibrator

    def _is_prefit(self, estimator: Any) -> bool:
        """Return whether the classifier is calibrated without being fitted."""
        if isinstance(self.cv, str):  # "prefit"
            return True
        return isinstance(estimator, FrozenEstimator) and not self._is_ensemble(estimator)

    def _is_ensemble(self, estimator: Any) -> bool:
        if isinstance(self.cv, str):
            return False
        return not isinstance(estimator, FrozenEstimator) if self.ensemble == "auto" else bool(self.ensemble)

    def set_params(self, **params: Any) -> CalibratedClassifier:
        """Set parameters by name; ``calibrator__…`` replaces a calibrator's name by an object with this parameter.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            There is no such parameter; the message says what to set instead.
        """
        return super().set_params(**checked_params(self, params, {"calibrator": CALIBRATORS}))

    # -- metadata ------------------------------------------------------------------------------------------------

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing of metadata to the classifier's and the calibrator's ``fit`` and the splitter's ``split``.

        Returns
        -------
        routing : sklearn.utils.metadata_routing.MetadataRouter
        """
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        router.add(calibrator=self._calibrator(), method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        router.add(estimator=self._estimator(), method_mapping=MethodMapping().add(caller="fit", callee="fit"))
        return router.add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))

    # -- predicting ----------------------------------------------------------------------------------------------

    def decision_function(self, X: Any) -> NDArray:
        """Return calibrated logits; for an ensemble logarithms of the mean probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, list}
            Rows as the classifier takes them.

        Returns
        -------
        logits : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes the logit of ``classes_[1]`` minus that of ``classes_[0]``. A row's values do not depend on others.
            Finite, as scikit-learn's scorers require: ±1e10 where a probability is 0 or 1.
        """
        check_is_fitted(self)
        check_indices(X)
        if len(self.calibrated_classifiers_) == 1:
            logits = self.calibrated_classifiers_[0].decision_function(X)
        else:
            logits = one_column(self.predict_log_proba(X))
        return np.nan_to_num(logits, copy=False, nan=np.nan, posinf=CERTAIN, neginf=-CERTAIN)

    def predict_log_proba(self, X: Any) -> NDArray:
        """Return logarithms of calibrated class probabilities, in nats.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, list}
            Rows as the classifier takes them.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``. Computed from the logits, and finite where these are.
        """
        check_is_fitted(self)
        check_indices(X)
        log_probas = [model.predict_log_proba(X) for model in self.calibrated_classifiers_]
        if len(log_probas) == 1:
            return log_probas[0]
        stacked = np.stack(log_probas, axis=-1)
        mean = logsumexp(stacked.reshape(-1, len(log_probas))) - np.log(len(log_probas)).astype(stacked.dtype)
        return mean.reshape(stacked.shape[:-1])

    def predict_proba(self, X: Any) -> NDArray:
        """Return calibrated class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, list}
            Rows as the classifier takes them.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Rows sum to one; columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        check_indices(X)
        return np.mean([model.predict_proba(X) for model in self.calibrated_classifiers_], axis=0)

    def predict(self, X: Any) -> NDArray:
        """Return the most probable classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, list}
            Rows as the classifier takes them.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        logits = self.decision_function(X)
        return self.classes_[decide(logits)]

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame, list}
            Rows as the classifier takes them.
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        accuracy : float
            Between 0 and 1; greater is better.
        """
        y, sample_weight = as_numpy(y=y, sample_weight=sample_weight)
        predicted = self.predict(X)
        weight = None if sample_weight is None else scale_weight(check_weight(sample_weight, len(predicted)))[0]
        return float(accuracy_score(y, predicted, sample_weight=weight))

    def __sklearn_tags__(self):  # type: ignore[no-untyped-def]
        tags = super().__sklearn_tags__()
        of_estimator = get_tags(self._estimator())
        tags.input_tags.sparse = of_estimator.input_tags.sparse
        tags.input_tags.allow_nan = of_estimator.input_tags.allow_nan
        tags.input_tags.pairwise = of_estimator.input_tags.pairwise
        return tags
