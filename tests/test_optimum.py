"""The optimum: scikit-learn's at tight tolerance, and the reference's where scikit-learn has none."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

import reference
from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.losses import CrossEntropy
from sksoftmax.solvers import BATCH_SOLVERS


@pytest.mark.parametrize("solver", list(BATCH_SOLVERS))
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_same_optimum_as_logistic_regression(make_problem, n_classes, C, weighted, container, fit_intercept, solver):
    X, y, weight = make_problem(120, 4, n_classes)
    weight = weight if weighted else None
    options = {"C": C, "fit_intercept": fit_intercept, "tol": 1e-10, "max_iter": 5000}
    peer = LogisticRegression(solver="newton-cholesky", **options).fit(X, y, sample_weight=weight)
    # L-BFGS stops where rounding hides any progress; 1e-8 is within its reach on every problem of the grid.
    options["tol"] = 1e-8 if solver == "lbfgs" else 1e-10
    ours = SoftmaxRegressionClassifier(solver=solver, **options).fit(container(X), y, sample_weight=weight)
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, peer.intercept_, atol=1e-6)
    assert ours.coef_.shape == peer.coef_.shape
    assert ours.intercept_.shape == peer.intercept_.shape


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_same_optimum_as_the_reference(make_problem, rng, n_classes, smoothing, soft):
    X, y, weight = make_problem(50, 3, n_classes)
    target = rng.dirichlet(np.ones(n_classes), size=50) if soft else reference.one_hot(y, n_classes)
    clf = SoftmaxRegressionClassifier(C=0.5, loss=CrossEntropy(label_smoothing=smoothing), tol=1e-10)
    clf.fit(X, target if soft else y, sample_weight=weight)
    coef, intercept = reference.minimum(X, target, weight, C=0.5, label_smoothing=smoothing)
    np.testing.assert_allclose(clf.coef_, coef, atol=1e-6)
    np.testing.assert_allclose(clf.intercept_, intercept, atol=1e-6)


@pytest.mark.parametrize("solver", list(BATCH_SOLVERS))
def test_solution_value_is_the_objective(make_problem, solver):
    X, y, weight = make_problem()
    clf = SoftmaxRegressionClassifier(C=0.3, solver=solver).fit(X, y, sample_weight=weight)
    expected = reference.objective(X, reference.one_hot(y, 3), weight, clf.coef_, clf.intercept_, C=0.3)
    np.testing.assert_allclose(clf.solution_.value, expected, rtol=1e-12)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("solver", list(BATCH_SOLVERS))
@pytest.mark.parametrize("n_classes", [2, 3])
class TestWeights:
    def fit(self, solver, container, X, y, weight=None):
        tol = 1e-9 if solver == "lbfgs" else 1e-11
        clf = SoftmaxRegressionClassifier(solver=solver, tol=tol, max_iter=3000)
        return clf.fit(container(X), y, sample_weight=weight)

    def test_weight_two_is_the_row_twice(self, make_problem, rng, n_classes, solver, container):
        X, y, _ = make_problem(60, 4, n_classes)
        counts = rng.integers(1, 4, size=60)
        weighted = self.fit(solver, container, X, y, counts.astype(float))
        repeated = self.fit(solver, container, np.repeat(X, counts, axis=0), np.repeat(y, counts))
        np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-7)
        np.testing.assert_allclose(weighted.intercept_, repeated.intercept_, atol=1e-7)

    def test_weight_zero_is_the_row_absent(self, make_problem, rng, n_classes, solver, container):
        X, y, _ = make_problem(60, 4, n_classes)
        weight = np.ones(60)
        weight[40:] = 0
        X[40:] *= 100
        weighted = self.fit(solver, container, X, y, weight)
        absent = self.fit(solver, container, X[:40], y[:40])
        np.testing.assert_allclose(weighted.coef_, absent.coef_, atol=1e-7)
        np.testing.assert_allclose(weighted.intercept_, absent.intercept_, atol=1e-7)

    def test_soft_targets_are_weighted_copies(self, make_problem, rng, n_classes, solver, container):
        X, _, weight = make_problem(40, 4, n_classes)
        proba = rng.dirichlet(np.ones(n_classes), size=40)
        proba[0] = np.eye(n_classes)[0]
        soft = self.fit(solver, container, X, proba, weight)
        copies = np.repeat(X, n_classes, axis=0)
        labels = np.tile(np.arange(n_classes), 40)
        hard = self.fit(solver, container, copies, labels, (weight[:, None] * proba).ravel())
        np.testing.assert_allclose(soft.coef_, hard.coef_, atol=1e-7)
        np.testing.assert_allclose(soft.intercept_, hard.intercept_, atol=1e-7)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0, 1: 0.5, 2: 1.0}])
def test_class_weight_of_labels_and_of_soft_targets_agree(make_problem, class_weight):
    X, y, weight = make_problem()
    options = {"class_weight": class_weight, "tol": 1e-10}
    hard = SoftmaxRegressionClassifier(**options).fit(X, y, sample_weight=weight)
    soft = SoftmaxRegressionClassifier(**options).fit(X, reference.one_hot(y, 3), sample_weight=weight)
    peer = LogisticRegression(class_weight=class_weight, tol=1e-10, solver="newton-cholesky").fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(soft.coef_, hard.coef_, atol=1e-9)
    if class_weight != "balanced":  # versions of scikit-learn differ in whether "balanced" counts weights
        np.testing.assert_allclose(hard.coef_, peer.coef_, atol=1e-6)


def test_balanced_gives_every_class_the_same_weight(make_problem):
    X, y, weight = make_problem()
    balanced = SoftmaxRegressionClassifier(class_weight="balanced", tol=1e-10).fit(X, y, sample_weight=weight)
    mass = np.bincount(y, weight)
    by_hand = weight * (weight.sum() / (3 * mass))[y]
    expected = SoftmaxRegressionClassifier(tol=1e-10).fit(X, y, sample_weight=by_hand)
    np.testing.assert_allclose(balanced.coef_, expected.coef_, atol=1e-8)
