"""Metadata of a calibrated classifier's fit: what goes to the classifier, the calibrator and the splitter.

What lives here: routing with scikit-learn's metadata routing on or off, and the requests of default estimators. What doesn't:
``get_metadata_routing`` (``classifier``).
"""

from __future__ import annotations

import warnings
from typing import Any

from numpy.typing import NDArray
from sklearn import get_config
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import has_fit_parameter


def request_weights(default: Any) -> Any:
    """Return the default estimator with ``sample_weight`` requested: users cannot set requests on an object created here."""
    return default.set_fit_request(sample_weight=True) if get_config()["enable_metadata_routing"] else default


def route_fit(owner: Any, estimator: Any, sample_weight: NDArray | None, fit_params: dict[str, Any], *, prefit: bool) -> Bunch:
    """Return what goes to ``estimator.fit``, ``calibrator.fit`` and ``splitter.split``.

    Parameters
    ----------
    owner : CalibratedClassifier
        Its ``get_metadata_routing`` counts if metadata routing is enabled.
    estimator : classifier
    sample_weight : ndarray of shape (n_rows,) or None
    fit_params : dict
        Without metadata routing they go to the classifier.
    prefit : bool
        Whether the classifier is not fitted, and so needs no weights.
    """
    if get_config()["enable_metadata_routing"]:
        return process_routing(owner, "fit", sample_weight=sample_weight, **fit_params)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    to_estimator = dict(fit_params)
    if weights and not prefit:
        if has_fit_parameter(estimator, "sample_weight"):
            to_estimator |= weights
        elif not isinstance(estimator, FrozenEstimator):
            warnings.warn(
                f"The fit of {type(estimator).__name__} has no parameter sample_weight: the weights are used for the "
                "calibration only. To pass them further, enable scikit-learn's metadata routing and request them.",
                UserWarning,
                stacklevel=4,
            )
    return Bunch(estimator=Bunch(fit=to_estimator), calibrator=Bunch(fit=weights), splitter=Bunch(split={}))
