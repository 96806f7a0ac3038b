"""scikit-learn's own tests of LogisticRegression, run on SoftmaxRegressionClassifier.

They are read from the installed scikit-learn, so that they are always those of the version in use. Two things change on the
way: LogisticRegression is ours (LogisticRegressionCV stays scikit-learn's), and the solvers that we do not have are dropped
from the literal lists that tests loop over.
"""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from sksoftmax import SoftmaxRegressionClassifier

if find_spec("sklearn.callback") is None:
    pytest.skip("the suite of scikit-learn >= 1.9 is what our class promises", allow_module_level=True)

OUR_NAME = "LogisticRegression"
FOREIGN_SOLVERS = {"liblinear", "sag", "saga"}

LIBLINEAR = "is about liblinear, a solver we do not have"
SAGA = "is about sag or saga, solvers we do not have"
DEPRECATED = "is about an option on its way out of scikit-learn, which we do not have: "
PRIVATE = "calls scikit-learn's private path functions, not an estimator"
ONLY_CV = "is about LogisticRegressionCV alone, a class we do not have"
L1 = "is about L1 or elastic-net penalties, not implemented yet"
ARRAY_API = "is about Array API inputs, not supported yet"

EXCLUDED = {
    "test_check_solver_option": DEPRECATED + "dual; and about errors of liblinear and of L1 with a solver that lacks it",
    "test_elasticnet_l1_ratio_err_helpful": DEPRECATED + "penalty",
    "test_consistency_path": PRIVATE,
    "test_logistic_regression_path_convergence_fail": PRIVATE,
    "test_liblinear_dual_random_state": LIBLINEAR,
    "test_logistic_cv": LIBLINEAR,
    "test_logistic_cv_refit_false_non_elasticnet": ONLY_CV,
    "test_logistic_cv_mock_scorer": ONLY_CV,
    "test_logistic_cv_multinomial_score": PRIVATE,
    "test_logistic_cv_sparse": ONLY_CV,
    "test_logistic_regressioncv_class_weights": ONLY_CV,
    "test_sample_and_class_weight_equivalence_liblinear": LIBLINEAR,
    "test_liblinear_decision_function_zero": LIBLINEAR,
    "test_logreg_l1": L1,
    "test_logistic_regression_cv_refit": SAGA,
    "test_saga_vs_liblinear": SAGA,
    "test_warm_start_converge_LR": SAGA,
    "test_elastic_net_coeffs": L1,
    "test_elastic_net_l1_l2_equivalence": DEPRECATED + "penalty",
    "test_elastic_net_vs_l1_l2": L1,
    "test_LogisticRegression_elastic_net_objective": L1,
    "test_LogisticRegressionCV_GridSearchCV_elastic_net": L1,
    "test_LogisticRegressionCV_no_refit": ONLY_CV,
    "test_LogisticRegressionCV_elasticnet_attribute_shapes": ONLY_CV,
    "test_l1_ratio_non_elasticnet": DEPRECATED + "penalty",
    "test_elastic_net_versus_sgd": L1,
    "test_logistic_regression_path_coefs_multinomial": PRIVATE,
    "test_logistic_regression_path_init_coefs": PRIVATE,
    "test_penalty_none": DEPRECATED + "penalty",
    "test_logisticregression_liblinear_sample_weight": LIBLINEAR,
    "test_scores_attribute_layout_elasticnet": L1,
    "test_liblinear_with_large_values": LIBLINEAR,
    "test_liblinear_not_stuck": LIBLINEAR,
    "test_lr_cv_scores_differ_when_sample_weight_is_requested": ONLY_CV,
    "test_lr_cv_scores_without_enabling_metadata_routing": ONLY_CV,
    "test_passing_params_without_enabling_metadata_routing": ONLY_CV,
    "test_liblinear_multiclass_raises": LIBLINEAR,
    "test_penalty_deprecated": DEPRECATED + "penalty",
    "test_logisticregressioncv_warns_with_use_legacy_attributes": ONLY_CV,
    "test_l1_ratio_None_deprecated": DEPRECATED + "l1_ratio=None",
    "test_logisticregression_warns_with_n_jobs": DEPRECATED + "n_jobs",
    "test_logistic_regression_array_api_compliance": ARRAY_API,
    "test_logistic_regression_array_api_warm_start": ARRAY_API,
    "test_lr_penalty_l1ratio_incompatible": DEPRECATED + "penalty",
    "test_lr_scoring_warns": ONLY_CV,
    "test_get_default_scorer": ONLY_CV,
    "test_logistic_regression_callback_support_warning": "is about the warning that callbacks work with lbfgs only",
}

# Fits that these stop early on purpose; with LogisticRegression they warn too, which scikit-learn's own runs let pass.
STOPPED_EARLY = "ignore:lbfgs failed to converge after [0-2] iteration:sklearn.exceptions.ConvergenceWarning"
STOPPED_LATER = "ignore:lbfgs failed to converge after [0-9]+ iteration:sklearn.exceptions.ConvergenceWarning"
LET_PASS = {
    "test_logistic_regression_callback_support": STOPPED_EARLY,
    "test_logistic_regression_callback_fitted_estimator": STOPPED_LATER,
}


def is_test(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test_")


def mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node))


def is_foreign(element: ast.expr) -> bool:
    """Return whether an element of a literal is one of the foreign solvers, or a tuple of arguments that begins with one."""
    if isinstance(element, ast.Tuple) and element.elts:
        element = element.elts[0]
    return isinstance(element, ast.Constant) and element.value in FOREIGN_SOLVERS


class Rewriting(ast.NodeTransformer):
    """Drops foreign solvers from literals, excluded tests, and the import of the class that ours stands in for.

    Attributes
    ----------
    emptied : set of str
        Tests that loop over nothing, or are parametrised with nothing, once the foreign solvers are gone.
    """

    def __init__(self) -> None:
        self.emptied: set[str] = set()

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        node.names = [alias for alias in node.names if alias.name != OUR_NAME]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef | None:
        self.generic_visit(node)
        iterated = [part.iter for part in ast.walk(node) if isinstance(part, ast.For | ast.comprehension)]
        decorators = [call for call in node.decorator_list if isinstance(call, ast.Call)]
        iterated += [call.args[1] for call in decorators if getattr(call.func, "attr", None) == "parametrize"]
        if any(isinstance(part, ast.Tuple | ast.List | ast.Set) and not part.elts for part in iterated):
            self.emptied.add(node.name)
        return None if node.name in EXCLUDED else node

    def visit_Tuple(self, node: ast.Tuple) -> ast.Tuple:
        return self._without_foreign(node)

    def visit_List(self, node: ast.List) -> ast.List:
        return self._without_foreign(node)

    def _without_foreign(self, node: Any) -> Any:
        node.elts = [element for element in node.elts if not is_foreign(element)]
        self.generic_visit(node)
        return node


source = find_spec("sklearn.linear_model.tests.test_logistic").origin
original = ast.parse(Path(source).read_text(encoding="utf-8"))
originals = {node.name: node for node in original.body if is_test(node)}

rewriting = Rewriting()
rewritten = rewriting.visit(ast.parse(Path(source).read_text(encoding="utf-8")))
namespace: dict[str, Any] = {"__name__": __name__, "__file__": source, OUR_NAME: SoftmaxRegressionClassifier}
exec(compile(ast.fix_missing_locations(rewritten), source, "exec"), namespace)

run = {node.name: namespace[node.name] for node in rewritten.body if is_test(node)}
for name, warning in LET_PASS.items():
    run[name] = pytest.mark.filterwarnings(warning)(run[name])
globals().update(run)
# Marks of scikit-learn's module do not follow its functions into this one.
pytestmark = namespace["pytestmark"]


@pytest.fixture
def global_random_seed() -> int:
    # The one that scikit-learn's own runs take unless told otherwise.
    return 42


def test_the_injected_class_is_ours():
    assert namespace[OUR_NAME] is SoftmaxRegressionClassifier
    assert all(function.__globals__[OUR_NAME] is SoftmaxRegressionClassifier for function in run.values())
    assert namespace["SOLVERS"] == ("lbfgs", "newton-cg", "newton-cholesky")


def test_every_excluded_test_exists():
    assert set(EXCLUDED) - set(originals) == set()


def test_most_tests_that_concern_us_run():
    assert len(run) >= 33


def test_no_test_that_runs_is_empty_without_the_foreign_solvers():
    assert rewriting.emptied - set(EXCLUDED) == set()


@pytest.mark.parametrize("name", run)
def test_a_test_that_runs_uses_our_class(name):
    assert mentions(originals[name], OUR_NAME)


def test_only_tests_without_our_class_are_excluded_as_the_other_class_alone():
    only_cv = {name for name, reason in EXCLUDED.items() if reason == ONLY_CV}
    assert [name for name in only_cv if mentions(originals[name], OUR_NAME)] == []
