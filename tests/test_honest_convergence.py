"""``converged_`` is true: a law over every loss and batch solver on tables that make fits stop short.

A fit that says that it has converged has no probability off by more than 1e-2 and its objective by at most 1e-4 nats a row;
one that is at the optimum does not warn. The optima of convex losses are those of ``reference_optimum``, which shares nothing
with the solvers; of the others, a fit that goes on from there at a tolerance of 1e-9 must not find a better one.
"""

import warnings
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

import reference
from reference_optimum import hinge_terms, newton_optimum
from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.losses import LOSSES
from sksoftmax.solvers import BATCH_SOLVERS, STOCHASTIC_SOLVERS

SOLVERS = ["auto", *BATCH_SOLVERS]
CONVEX = ["cross_entropy", "hinge", "logit_adjusted", "margin"]
PROBABILITY, NATS = 1e-2, 1e-4


# -- tables ----------------------------------------------------------------------------------------------------------


class Table(NamedTuple):
    X: np.ndarray | sparse.csr_array
    y: np.ndarray
    C: float = 1.0


def drawn(n_rows, n_features, n_classes, *, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    logits = X @ rng.normal(size=(n_features, n_classes)) + rng.gumbel(scale=noise, size=(n_rows, n_classes))
    y = logits.argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return rng, X, y


def scales_from_1e_minus_8_to_1e12():
    _, X, y = drawn(200, 11, 3)
    return Table(X * 10.0 ** np.arange(-8, 13, 2), y)


def collinear():
    rng, X, y = drawn(200, 5, 4)
    return Table(np.column_stack([X, X + 1e-6 * rng.normal(size=X.shape), X[:, 0], 1 - X[:, 1]]), y, C=1e3)


def nearly_separable():
    _, X, y = drawn(150, 6, 3, noise=0.01)
    return Table(X, y, C=1e5)


def one_row_of_a_class():
    _, X, y = drawn(3_000, 5, 3)
    y[y == 2] = 1
    y[17] = 2
    return Table(30 + 10 * X, y)


def outlier_row():
    _, X, y = drawn(400, 12, 3)
    X[7] *= 1e6
    return Table(X, y)


def fewer_rows_than_columns():
    _, X, y = drawn(30, 200, 3)
    return Table(50 * X, y)


def time_stamps():
    rng, X, y = drawn(300, 4, 3)
    days = X[:, :1] + 0.1 * rng.normal(size=(300, 1))
    return Table(np.column_stack([1.6e9 + 1e5 * days, X]), y)


def time_stamp_alone():
    _, X, y = drawn(300, 1, 3)
    return Table(1.6e9 + 1e5 * X, y)


def word_counts(n_columns=20_000):
    """Most of the columns are of zeros."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=200)
    words = (rng.pareto(0.5, size=(200, 30)) * 10).astype(int)
    words += np.where(rng.random((200, 30)) < 0.3, n_columns * 3 // 10 * y[:, None], 0)
    rows = np.repeat(np.arange(200), 30)
    X = sparse.csr_array((np.ones(6000), (rows, np.minimum(words, n_columns - 1).ravel())), shape=(200, n_columns))
    X.sum_duplicates()
    norms = np.sqrt(np.asarray(X.multiply(X).sum(axis=1))).ravel()
    return Table(sparse.csr_array(sparse.diags_array(1 / norms) @ X), y, C=100.0)


def million_columns():
    return word_counts(1_000_000)


def many_classes():
    _, X, y = drawn(900, 5, 30)
    return Table(np.round(10 * X), y)


def skewed():
    _, X, y = drawn(300, 6, 2)
    return Table(np.exp(2 * X), y, C=100.0)


def digits():
    return Table(*load_digits(return_X_y=True))


def wine():
    return Table(*load_wine(return_X_y=True))


def breast_cancer():
    return Table(*load_breast_cancer(return_X_y=True))


TABLES = {
    make.__name__: make
    for make in (
        scales_from_1e_minus_8_to_1e12,
        collinear,
        nearly_separable,
        one_row_of_a_class,
        outlier_row,
        fewer_rows_than_columns,
        time_stamps,
        time_stamp_alone,
        word_counts,
        many_classes,
        skewed,
        wine,
        breast_cancer,
        digits,
    )
}


# An iteration takes long: of the default solver only, and not of hinge, which takes hundreds of them.
LARGE = {"million_columns": million_columns}


@cache
def table(name):
    return {**TABLES, **LARGE}[name]()


def span(X):
    """Return rows as good as X, in coordinates of the space that they span where that is smaller."""
    if not sparse.issparse(X) and X.shape[0] >= X.shape[1]:
        return X
    used = np.flatnonzero(np.bincount(X.indices, minlength=X.shape[1])) if sparse.issparse(X) else np.arange(X.shape[1])
    dense = X[:, used].toarray() if sparse.issparse(X) else X
    return np.linalg.qr(dense.T, mode="r").T


@cache
def optimum(loss, name):
    """Return the optimal objective of a convex loss with its default parameters, and the logits there."""
    X, y, C = table(name)
    rows = span(X)
    n_classes = y.max() + 1
    target, options = reference.one_hot(y, n_classes), {}
    if loss == "hinge":
        options = {"terms": [partial(hinge_terms, smoothing=width) for width in np.geomspace(12.8, 0.1, 22)]}
    elif loss == "margin":
        options = {"offset": -target}
    elif loss == "logit_adjusted":
        options = {"offset": np.log(target.mean(axis=0))}
    with threadpool_limits(1):
        found = newton_optimum(rows, target, np.ones(len(y)), C=C, **options)
    # Hinge's second derivatives jump: the prediction of a Newton step says little, and ``off`` sees whether it ended too high.
    assert found.gap <= 1e-9 or loss == "hinge", found.gap
    return found.value, reference.full_logits(rows, found.coef, found.intercept)


def fit(name, loss, solver, **options):
    """Return the fitted classifier and the messages of its warnings about convergence; no other warning passes."""
    X, y, C = table(name)
    clf = SoftmaxRegressionClassifier(C, loss=loss, solver=solver, **options)
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always", ConvergenceWarning)
        clf.fit(X, y)
    return clf, [str(warning.message) for warning in record]


def proba(logits):
    proba = np.exp(logits - logits.max(axis=1, keepdims=True))
    return proba / proba.sum(axis=1, keepdims=True)


def off(name, loss, clf):
    """Return by how many nats a row a fit of a convex loss is above the optimum, and by how much a probability is off."""
    value, logits = optimum(loss, name)
    too_high = clf.solution_.value - value
    # A reference that is itself too high would hide as much: 1.1e-5 with hinge and the outlier, else 2e-8 at most.
    assert too_high >= -2e-5
    if loss == "hinge":
        return too_high, 0.0
    reached = clf.decision_function(table(name).X)
    reached = np.column_stack([np.zeros(len(reached)), reached]) if reached.ndim == 1 else reached
    return too_high, float(np.abs(proba(reached) - proba(logits)).max())


QUICK_OF_STOCHASTIC = ["breast_cancer", "nearly_separable", "outlier_row", "skewed", "time_stamp_alone"]


def cases(losses, solvers):
    """Return every solver with every loss and table; all but a few are marked slow."""
    found = []
    quick = [
        ("auto", "focal", "digits"),
        ("auto", "hinge", "outlier_row"),
        ("auto", "cosine", "time_stamp_alone"),
        ("auto", "cosine", "breast_cancer"),
        ("auto", "focal", "time_stamps"),
        ("lbfgs", "cross_entropy", "one_row_of_a_class"),
        ("lbfgs", "cross_entropy", "wine"),
        ("lbfgs", "hinge", "nearly_separable"),
        ("lbfgs", "focal", "wine"),
        ("newton-cg", "cross_entropy", "fewer_rows_than_columns"),
        ("newton-cg", "hinge", "time_stamps"),
        ("newton-cholesky", "hinge", "time_stamp_alone"),
        ("newton-cholesky", "hinge", "nearly_separable"),
        ("block-lbfgs", "logit_adjusted", "skewed"),
        ("block-lbfgs", "margin", "collinear"),
    ]
    for solver in solvers:
        for loss in losses:
            for name in TABLES:
                marks = [] if (solver, loss, name) in quick else [pytest.mark.slow]
                found.append(pytest.param(solver, loss, name, marks=marks))
    found += [pytest.param("auto", loss, name, marks=pytest.mark.slow) for loss in losses if loss != "hinge" for name in LARGE]
    return found


# A stationary point, but no minimum: a fit at a tolerance of 1e-9 that begins there finds its way down, by 1.1e-4 nats.
SADDLES = [("cosine", "one_row_of_a_class")]


@pytest.mark.parametrize(("solver", "loss", "name"), cases(CONVEX, SOLVERS))
def test_converged_is_true(solver, loss, name):
    clf, messages = fit(name, loss, solver)
    too_high, improbable = off(name, loss, clf)
    if clf.converged_:
        assert too_high <= NATS
        assert improbable <= PROBABILITY
    assert clf.converged_ is not bool(messages)
    if too_high <= 1e-9:
        assert not messages
    if solver == "auto":
        assert clf.converged_


@pytest.mark.parametrize("solver", [*STOCHASTIC_SOLVERS, "saga"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK_OF_STOCHASTIC else [pytest.mark.slow]) for name in TABLES]
)
def test_converged_is_true_of_stochastic_solvers(name, solver):
    """On hard tables they get nowhere, as a rule, and must say so."""
    clf, messages = fit(name, "cross_entropy", solver, random_state=0)
    too_high, improbable = off(name, "cross_entropy", clf)
    if clf.converged_:
        assert too_high <= NATS
        assert improbable <= PROBABILITY
    assert clf.converged_ is not bool(messages)


@pytest.mark.parametrize(("solver", "loss", "name"), cases(sorted(set(LOSSES) - set(CONVEX)), ["auto", "block-lbfgs", "lbfgs"]))
def test_converged_is_a_stationary_point(solver, loss, name):
    clf, messages = fit(name, loss, solver)
    assert clf.converged_ is not bool(messages)
    if solver == "auto":
        assert clf.converged_
    if not clf.converged_:
        return
    X = table(name).X
    if (loss, name) in SADDLES and solver != "lbfgs":
        assert clf.solution_.gradient_norm <= 1e-5
        return
    before = clf.solution_.value, clf.predict_proba(X)
    clf.set_params(solver="auto", tol=1e-9, max_iter=3000, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        clf.fit(X, table(name).y)
    assert before[0] - clf.solution_.value <= NATS
    assert np.abs(clf.predict_proba(X) - before[1]).max() <= PROBABILITY


def three_hundred_classes():
    _, X, y = drawn(3_000, 5, 300)
    return np.round(10 * X), y


def one_row_of_a_class_in_100_000():
    _, X, y = drawn(100_000, 5, 3)
    y[y == 2] = 1
    y[17] = 2
    return 30 + 10 * X, y


def large_cases():
    """Return the default solver with every loss, and others with cross-entropy; what is known to be off has to fail."""
    off_by = {
        "cosine": "a saddle: .042",
        "logit_adjusted": ".019 of probabilities of a population in which the row's class is a third",
    }
    for make in (three_hundred_classes, one_row_of_a_class_in_100_000):
        for solver, loss in [*(("auto", loss) for loss in LOSSES), ("lbfgs", "cross_entropy"), ("newton-cg", "cross_entropy")]:
            known = make is one_row_of_a_class_in_100_000 and loss in off_by
            marks = [pytest.mark.slow, *([pytest.mark.xfail(reason=off_by[loss], strict=True)] if known else [])]
            yield pytest.param(make, solver, loss, marks=marks)


@pytest.mark.parametrize(("make", "solver", "loss"), list(large_cases()))
def test_converged_is_true_of_large_tables(make, solver, loss):
    """Too large for the slow reference: a fit that goes on from there at a tolerance of 1e-9 must find nothing better."""
    X, y = make()
    clf = SoftmaxRegressionClassifier(loss=loss, solver=solver, max_iter=200)
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always", ConvergenceWarning)
        clf.fit(X, y)
    assert clf.converged_ is not bool(record)
    if not clf.converged_:
        return
    value, logits = clf.solution_.value, clf.decision_function(X)
    clf.set_params(solver="auto", tol=1e-9, max_iter=1000, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        clf.fit(X, y)
    assert value - clf.solution_.value <= NATS
    if loss != "hinge":
        assert np.abs(proba(clf.decision_function(X)) - proba(logits)).max() <= PROBABILITY


def test_what_is_no_matter_of_columns_is_not_cured_by_scaling_them():
    """A small gradient, and more predicted: iterations are missing, and the message says what is left."""
    _, (message,) = fit("digits", "cross_entropy", "block-lbfgs", max_iter=40)
    assert "the last step was predicted to lower the objective by" in message
    assert "max_iter=40" in message
    assert "StandardScaler" not in message
