"""scikit-learn's own tests of CalibratedClassifierCV, run on CalibratedClassifier.

They are read from the installed scikit-learn, so that they are always those of the version in use. CalibratedClassifierCV is
ours on the way: its ``method`` is our ``calibrator`` under scikit-learn's names, and a pair has its one calibrator in the list
``calibrators``, with the inverse temperature ``beta_``. Nothing else of what is tested changes.
"""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sklearn.utils._param_validation import StrOptions

from sksoftmax import CalibratedClassifier
from sksoftmax.calibration import IsotonicCalibration, PlattScaling, TemperatureScaling
from sksoftmax.calibration._folds import CalibratedModel

if find_spec("sklearn.callback") is None:
    pytest.skip("the suite of scikit-learn >= 1.9 is what our class promises", allow_module_level=True)

OUR_NAME = "CalibratedClassifierCV"
SHARED = ("estimator", "cv", "n_jobs", "ensemble")

DEFAULT = "is about the default classifier, which here is our own"
FOLDS = "asks for an error where folds lack a class, which we handle"
INTERNAL = "is about scikit-learn's internal calibrators, not the classifier"
DISPLAY = "is about curves and displays, not the classifier"
ARRAY_API = "is about Array API inputs, not supported"

EXCLUDED = {
    "test_calibration_default_estimator": DEFAULT,
    "test_calibration_cv_nfold": FOLDS,
    "test_parallel_execution": "starts processes for half a minute; tests/test_calibrated_classifier.py has jobs as threads",
    "test_calibration_zero_probability": INTERNAL,
    "test_sigmoid_calibration": INTERNAL,
    "test_temperature_scaling_input_validation": INTERNAL,
    "test_sigmoid_calibration_max_abs_prediction_threshold": INTERNAL,
    "test_calibration_curve": DISPLAY,
    "test_calibration_display_compute": DISPLAY,
    "test_plot_calibration_curve_pipeline": DISPLAY,
    "test_calibration_display_default_labels": DISPLAY,
    "test_calibration_display_label_class_plot": DISPLAY,
    "test_calibration_display_name_multiple_calls": DISPLAY,
    "test_calibration_display_ref_line": DISPLAY,
    "test_calibration_curve_pos_label_error_str": DISPLAY,
    "test_calibration_curve_pos_label": DISPLAY,
    "test_calibration_display_kwargs": DISPLAY,
    "test_calibration_display_pos_label": DISPLAY,
    "test_temperature_scaling_array_api_compliance": ARRAY_API,
    "test_temperature_scaling_array_api_with_str_y_estimator_not_prefit": ARRAY_API,
}

# What our calibrators and folds say of the tests' tiny or separable data, which scikit-learn's pass over in silence; and the
# classifiers' own warnings, which scikit-learn's runs let pass.
WARNINGS = [
    "ignore:Liblinear failed to converge:sklearn.exceptions.ConvergenceWarning",
    "ignore:Temperature scaling:sklearn.exceptions.ConvergenceWarning",
    "ignore:.* do not take part in the calibration:UserWarning",
]


class Temperature(TemperatureScaling):
    """Ours with the attribute under scikit-learn's name."""

    beta_ = property(lambda self: 1 / self.temperature_)


class Pair(CalibratedModel):
    """Ours with the calibrator under scikit-learn's name."""

    calibrators = property(lambda self: [self.calibrator])


CALIBRATOR_OF = {"sigmoid": PlattScaling(), "isotonic": IsotonicCalibration(), "temperature": Temperature()}


class Injected(CalibratedClassifier):
    """Ours with scikit-learn's signature."""

    _parameter_constraints: ClassVar[dict] = {
        **{name: allowed for name, allowed in CalibratedClassifier._parameter_constraints.items() if name in SHARED},
        "method": [StrOptions(set(CALIBRATOR_OF))],
    }
    response_method = "auto"
    calibrator = property(lambda self: CALIBRATOR_OF[self.method])

    def __init__(self, estimator=None, *, method="sigmoid", cv=None, n_jobs=None, ensemble="auto"):
        self.estimator = estimator
        self.method = method
        self.cv = cv
        self.n_jobs = n_jobs
        self.ensemble = ensemble

    def fit(self, X, y, sample_weight=None, **fit_params):
        super().fit(X, y, sample_weight, **fit_params)
        self.calibrated_classifiers_ = [Pair(**vars(model)) for model in self.calibrated_classifiers_]
        return self


class WithoutIsotonicReference(ast.NodeTransformer):
    """Drops scikit-learn's isotonic calibrator from where ours is compared with it: between knots ours follows other lines."""

    def visit_List(self, node: ast.List) -> ast.List:
        node.elts = [each for each in node.elts if "IsotonicRegression" not in ast.dump(each)]
        return node


def is_test(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test_")


def mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node))


source = find_spec("sklearn.tests.test_calibration").origin
module = ast.parse(Path(source).read_text(encoding="utf-8"))
originals = {node.name: node for node in module.body if is_test(node)}

module.body = [node for node in module.body if not (is_test(node) and node.name in EXCLUDED)]
for node in module.body:
    if isinstance(node, ast.ImportFrom):
        node.names = [alias for alias in node.names if alias.name != OUR_NAME]
    elif is_test(node):  # a mark for pytest-run-parallel, unknown here
        node.decorator_list = [mark for mark in node.decorator_list if getattr(mark, "attr", None) != "thread_unsafe"]
        if node.name == "test_calibration_ensemble_false":
            WithoutIsotonicReference().visit(node)
namespace: dict[str, Any] = {"__name__": __name__, "__file__": source, OUR_NAME: Injected}
exec(compile(module, source, "exec"), namespace)

run = {node.name: namespace[node.name] for node in module.body if is_test(node)}
for warning in WARNINGS:
    run = {name: pytest.mark.filterwarnings(warning)(test) for name, test in run.items()}
fixtures = ("data", "dict_data", "dict_data_pipeline", "iris_data", "iris_data_binary")
globals().update(run, **{name: namespace[name] for name in fixtures})


@pytest.fixture
def global_random_seed() -> int:
    # The one that scikit-learn's own runs take unless told otherwise.
    return 42


def test_the_injected_class_is_ours():
    assert all(function.__globals__[OUR_NAME] is Injected for function in run.values())


def test_every_excluded_test_exists():
    assert set(EXCLUDED) - set(originals) == set()


def test_most_tests_that_concern_us_run():
    assert len(run) >= 24


@pytest.mark.parametrize("name", run)
def test_a_test_that_runs_uses_our_class(name):
    assert mentions(originals[name], OUR_NAME)


def test_only_tests_without_our_class_are_excluded_as_displays_and_internals():
    excluded = {name for name, reason in EXCLUDED.items() if reason in (DISPLAY, INTERNAL)}
    assert [name for name in excluded if mentions(originals[name], OUR_NAME)] == []
