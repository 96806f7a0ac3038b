"""Scikit-learn scorers of ``sksoftmax.metrics``, also for folds without rows of some class and for soft targets.

``SCORERS`` has one scorer for each metric, named as scikit-learn would name it; each is an attribute too, as
``sksoftmax.scorers.neg_cross_entropy``. ``make_scorer`` makes scorers with options. All support ``sample_weight``.

A scorer takes the classes of the columns from the estimator's ``classes_``, whichever classes a fold contains. Metrics of
logits call ``predict_log_proba``, which is accurate where probabilities underflow; others ``predict_proba`` or ``predict``.

Classes that the estimator was not fitted on have probability zero: their rows incur the loss of a wrong one-hot prediction.
Where this loss is infinite, as for cross-entropy, probabilities are clipped to at least ``FLOOR``.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metadata_routing import MetadataRequest

from ._sklearn import _BaseScorer, _check_response_method
from .data.arrays import as_numpy
from .data.labels import encode_labels, label_vector
from .data.targets import is_proba
from .metrics import METRICS

__all__ = ["FLOOR", "SCORERS", "Scorer", "make_expected_cost", "make_scorer", "make_top_k_accuracy", "scorer_name"]

FLOOR = 2.0**-1022
"""Lower bound of probabilities in scorers: the smallest normal number of float64, a loss of 708 nats.

It is the same for all estimators, so that one with exact log-probabilities has no greater loss than one whose probabilities
underflow to zero. Scikit-learn's ``neg_log_loss`` clips to 2⁻⁵² in float64 and 2⁻²³ in float32, 36 and 16 nats;
``make_scorer("cross_entropy_loss", floor=2**-52)`` is equivalent to it in float64.
"""

# Response methods by what a metric needs; the first that the estimator has is called.
_METHODS = {
    "logits": ("predict_log_proba", "predict_proba"),
    "scores": ("predict_log_proba", "predict_proba", "decision_function"),
    "proba": ("predict_proba",),
    "labels": ("predict",),
}

# Parameters of metrics that the scorer passes itself.
_PASSED = {"y_true", "y_proba", "y_pred", "labels", "sample_weight", "from_logits"}


class Scorer(_BaseScorer):
    """A metric as scikit-learn's ``scoring``: ``scorer(estimator, X, y, sample_weight=None) -> float``, greater is better.

    Made by ``make_scorer``. It requests ``sample_weight`` where metadata routing is enabled; it can be pickled and cloned. It
    calls the response method directly, since scikit-learn passes on only one column for two classes.

    Parameters
    ----------
    metric : str
        A name in ``METRICS``.
    options : dict
        Keyword arguments of the metric.
    """

    def __init__(self, metric: str, options: dict[str, Any]) -> None:
        row = METRICS[metric]
        super().__init__(row.function, 1 if row.greater_is_better else -1, options, _METHODS[row.needs])
        self._needs = row.needs

    def __repr__(self) -> str:
        name = self._score_func.__name__
        default = _default_options(name)
        given = [f"{option}={value!r}" for option, value in self._kwargs.items() if option not in default or value != FLOOR]
        if not given:
            return f"sksoftmax.scorers.{scorer_name(name)}"
        return f"sksoftmax.scorers.make_scorer({name!r}, {', '.join(given)})"

    def _get_metadata_request(self) -> MetadataRequest:
        if "_metadata_request" in vars(self):
            return super()._get_metadata_request()
        request = MetadataRequest(owner=self)
        request.score.add_request(param="sample_weight", alias=True)
        return request

    def _score(self, method_caller: Any, estimator: Any, X: Any, y_true: Any, **kwargs: Any) -> float:
        """Return the signed value of the metric; called by scikit-learn, whose method_caller is not used."""
        classes = np.asarray(getattr(estimator, "classes_", ()))
        if classes.ndim != 1 or len(classes) == 0:
            raise TypeError(f"{self!r} needs a fitted classifier with one vector of classes_; got {type(estimator).__name__}.")
        y_pred, options = self._predict(estimator, X), {**self._kwargs, **kwargs}
        (y_true,) = as_numpy(y_true=y_true)
        if not is_proba(y_true):
            y_true = label_vector(y_true, name="y_true")
            classes, y_pred = self._add_unseen(classes, y_true, y_pred)
        if self._needs in ("logits", "scores"):
            options["from_logits"] = True
        return self._sign * self._score_func(y_true, y_pred, labels=classes, **options)

    def _predict(self, estimator: Any, X: Any) -> NDArray:
        method = _check_response_method(estimator, self._response_method)
        with np.errstate(divide="ignore"):
            y_pred = np.asarray(method(X))
            if self._needs in ("logits", "scores") and method.__name__ == "predict_proba":
                y_pred = np.log(y_pred)
        return y_pred

    def _add_unseen(self, classes: NDArray, y_true: NDArray, y_pred: NDArray) -> tuple[NDArray, NDArray]:
        """Return the classes and the predictions, extended by columns of probability zero for labels not in ``classes_``."""
        known = set(classes.tolist())
        unseen = [label for label in encode_labels(y_true, name="y_true")[0].tolist() if label not in known]
        if not unseen:
            return classes, y_pred
        if classes.dtype.kind in "iufb" and any(isinstance(label, str) for label in unseen):
            raise ValueError(f"y_true holds {unseen[0]!r}, but the classes_ of the estimator are numbers, as {classes[0]}.")
        classes = np.concatenate([classes, np.array(unseen, dtype=None if classes.dtype.kind != "O" else object)])
        if self._needs == "labels":
            return classes, y_pred
        zero = 0.0 if self._needs == "proba" else -np.inf
        if y_pred.ndim == 1:  # a decision function of two classes
            y_pred = np.column_stack([np.zeros_like(y_pred), y_pred])
        return classes, np.hstack([y_pred, np.full((len(y_pred), len(unseen)), zero, dtype=y_pred.dtype)])


def make_scorer(metric: str, **options: Any) -> Scorer:
    """Return a scorer of a metric.

    Parameters
    ----------
    metric : str
        A name in ``sksoftmax.metrics.METRICS``, for instance ``"cross_entropy_loss"``.
    **options
        Keyword arguments of the metric. ``floor`` is ``FLOOR`` unless it is given.

    Returns
    -------
    scorer : Scorer
        For ``scoring=`` anywhere in scikit-learn. Losses and errors are negated, so that greater is better.

    Raises
    ------
    ValueError
        The table has no such metric, or the metric no such option.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sksoftmax import SoftmaxRegressionClassifier
    >>> from sksoftmax.scorers import make_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> bits = make_scorer("cross_entropy_loss", unit="bits")
    >>> bits
    sksoftmax.scorers.make_scorer('cross_entropy_loss', unit='bits')
    >>> cross_val_score(SoftmaxRegressionClassifier(), X, y, scoring=bits, cv=3).round(2)
    array([-0.2 , -0.22, -0.22])

    Labels that the model was not fitted on have probability zero:

    >>> clf = SoftmaxRegressionClassifier().fit(X[:100], y[:100])
    >>> make_scorer("accuracy_score")(clf, X[60:140], y[60:140])
    0.5
    """
    if metric not in METRICS:
        raise ValueError(f"sksoftmax.metrics.METRICS has no {metric!r}; it has {', '.join(sorted(METRICS))}.")
    parameters = inspect.signature(METRICS[metric].function).parameters
    allowed = [name for name in parameters if name not in _PASSED]
    for name in options:
        if name not in allowed:
            raise ValueError(f"A scorer of {metric} has no option {name!r}; it has {', '.join(sorted(allowed)) or 'none'}.")
    return Scorer(metric, {**options, **{k: v for k, v in _default_options(metric).items() if k not in options}})


def make_top_k_accuracy(*, k: int) -> Scorer:
    """Return a scorer of the top-k accuracy.

    Parameters
    ----------
    k : int
        At least 1.

    Returns
    -------
    scorer : Scorer

    Examples
    --------
    >>> from sksoftmax.scorers import make_top_k_accuracy
    >>> make_top_k_accuracy(k=3)
    sksoftmax.scorers.make_scorer('top_k_accuracy_score', k=3)
    """
    return make_scorer("top_k_accuracy_score", k=k)


def make_expected_cost(*, cost: ArrayLike) -> Scorer:
    """Return a scorer of the negated mean cost of the cost-optimal decisions.

    Parameters
    ----------
    cost : array-like of shape (n_classes, n_decisions)
        Cost of each decision (column) for each true class (row), in the order of the estimator's ``classes_``.

    Returns
    -------
    scorer : Scorer

    Examples
    --------
    >>> from sksoftmax.scorers import make_expected_cost
    >>> make_expected_cost(cost=[[0, 1], [10, 0]])
    sksoftmax.scorers.make_scorer('expected_cost_loss', cost=[[0, 1], [10, 0]])
    """
    return make_scorer("expected_cost_loss", cost=cost)


def scorer_name(metric: str) -> str:
    """Return the name of a metric's scorer: ``_loss`` and ``_score`` removed, ``neg_`` prefixed to losses and errors."""
    if METRICS[metric].greater_is_better:
        return metric.removesuffix("_score")
    return f"neg_{metric.removesuffix('_loss')}"


def _default_options(metric: str) -> dict[str, Any]:
    return {"floor": FLOOR} if "floor" in inspect.signature(METRICS[metric].function).parameters else {}


SCORERS: dict[str, Scorer] = {scorer_name(metric): make_scorer(metric) for metric in METRICS}
"""A scorer of each metric with its default options; each is also an attribute of this module."""


def __getattr__(name: str) -> Scorer:
    if name in SCORERS:
        return SCORERS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; scorers are {', '.join(sorted(SCORERS))}.")


def __dir__() -> list[str]:
    return [*__all__, *SCORERS]
