"""Every private name of scikit-learn that the package uses, and what versions of it do not have.

What lives here: imports of names with a leading underscore or from modules with one, stand-ins for names that a supported
version lacks, and access to private attributes of its estimators. Nothing else imports them (``tests/test_architecture.py``),
so that a new version of scikit-learn is met in one file. What doesn't: public names, which are imported where they are used.

``_BaseScorer`` is subclassed by ``scorers``, which overrides ``_score`` and ``_get_metadata_request`` and reads
``_score_func``, ``_sign``, ``_kwargs`` and ``_response_method``.
"""

from __future__ import annotations

from typing import Any

from sklearn.base import _fit_context
from sklearn.linear_model._base import LinearClassifierMixin, SparseCoefMixin
from sklearn.metrics._scorer import _BaseScorer
from sklearn.utils import _safe_indexing
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import (
    _check_feature_names,
    _check_method_params,
    _check_response_method,
)

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn < 1.9 has no callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's mixin where there is none."""


__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "LinearClassifierMixin",
    "SparseCoefMixin",
    "StrOptions",
    "_BaseScorer",
    "_check_feature_names",
    "_check_method_params",
    "_check_partial_fit_first_call",
    "_check_response_method",
    "_fit_context",
    "_openmp_effective_n_threads",
    "_safe_indexing",
    "_safe_split",
    "callback_context",
    "has_callbacks",
]


def callback_context(estimator: Any, max_subtasks: int) -> Any:
    """Return the context that a fit reports its tasks to, or None where scikit-learn has no callbacks."""
    if not hasattr(estimator, "_init_callback_context"):
        return None
    return estimator._init_callback_context(max_subtasks=max_subtasks)


def has_callbacks(estimator: Any) -> bool:
    """Return whether callbacks were set on an estimator."""
    return bool(getattr(estimator, "_skl_callbacks", None))
