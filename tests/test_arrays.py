"""Arrays of other libraries: converted on entry whatever scikit-learn's ``array_api_dispatch``, or refused in one sentence."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.utils.fixes import parse_version

from sksoftmax import CalibratedClassifier, SoftmaxRegressionClassifier
from sksoftmax.calibration import TemperatureScaling
from sksoftmax.functional import softmax
from sksoftmax.metrics import accuracy_score, cross_entropy_loss
from sksoftmax.scorers import make_scorer

X, Y = load_iris(return_X_y=True)
PLAIN = SoftmaxRegressionClassifier(max_iter=4, tol=1e3).fit(X, Y)
SGD = SoftmaxRegressionClassifier(solver="sgd", random_state=0)
PROBA = PLAIN.predict_proba(X)
WEIGHT = np.linspace(1, 2, len(Y))


class Tensor:
    """An array of which nothing is known but how it becomes one of NumPy's."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype)


class FarTensor(Tensor):
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("can't convert a tensor of another device. Use Tensor.cpu() first.")


def fitted(X, y, **options):
    return SoftmaxRegressionClassifier(max_iter=4, tol=1e3).fit(X, y, **options).coef_


def calibrated(X, y, weight):
    """Logits of folds are read from what the classifier is given, which is theirs to take."""
    return CalibratedClassifier(PLAIN, cv="prefit").fit(X, y, sample_weight=weight).predict_proba(X)


CALLS = {
    "fit": lambda a: fitted(a(X), a(Y), sample_weight=a(WEIGHT)),
    "fit to probabilities": lambda a: fitted(a(X), a(PROBA)),
    "fit with a validation set": lambda a: fitted(a(X), a(Y), X_val=a(X), y_val=a(Y), sample_weight_val=a(WEIGHT)),
    "partial_fit": lambda a: clone(SGD).partial_fit(a(X), a(Y), a(range(3)), a(WEIGHT)).coef_,
    "predict": lambda a: PLAIN.predict(a(X)),
    "predict_proba": lambda a: PLAIN.predict_proba(a(X)),
    "decision_function": lambda a: PLAIN.decision_function(a(X)),
    "score": lambda a: PLAIN.score(a(X), a(Y), a(WEIGHT)),
    "score of probabilities": lambda a: PLAIN.score(a(X), a(PROBA), a(WEIGHT)),
    "calibrated classifier": lambda a: calibrated(a(X), a(Y), a(WEIGHT)),
    "calibrator": lambda a: TemperatureScaling().fit(a(np.log(PROBA)), a(Y), a(WEIGHT)).predict_proba(a(np.log(PROBA))),
    "metric": lambda a: cross_entropy_loss(a(Y), a(PROBA), sample_weight=a(WEIGHT)),
    "metric of labels": lambda a: accuracy_score(a(Y), a(Y[::-1].copy())),
    "scorer": lambda a: make_scorer("cross_entropy_loss")(PLAIN, a(X), a(Y), sample_weight=a(WEIGHT)),
    "functional": lambda a: softmax(a(X)),
}


def tensors():
    """Return what makes arrays of the libraries that are there, by name."""
    kinds = {"Tensor": Tensor}
    if find_spec("torch"):
        kinds["torch"] = __import__("torch").as_tensor
    if find_spec("array_api_strict"):
        kinds["array_api_strict"] = lambda values: __import__("array_api_strict").asarray(np.asarray(values))
    return kinds


def check_all():
    for kind, tensor in tensors().items():
        for name, call in CALLS.items():
            np.testing.assert_array_equal(call(tensor), call(np.asarray), err_msg=f"{name} of {kind}")


@pytest.mark.parametrize("name", CALLS)
def test_tensors_are_converted(name):
    np.testing.assert_array_equal(CALLS[name](Tensor), CALLS[name](np.asarray))


@pytest.mark.parametrize("name", CALLS)
def test_tensors_that_numpy_cannot_read_are_named(name):
    with pytest.raises(
        TypeError, match=r"^(X|y|y_true|logits) must be .*; got a test_arrays.FarTensor: can't .* Use Tensor.cpu\(\) first\.$"
    ):
        CALLS[name](FarTensor)


@pytest.mark.skipif(parse_version(sklearn.__version__) < parse_version("1.8"), reason="needs array_api_compat before")
def test_tensors_are_converted_where_scikit_learn_dispatches():
    """In a process of its own: SciPy reads SCIPY_ARRAY_API when it is imported."""
    code = "import sklearn, test_arrays; sklearn.set_config(array_api_dispatch=True); test_arrays.check_all(); print('same')"
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout == "same\n", done.stderr
