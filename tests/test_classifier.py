"""SoftmaxRegressionClassifier: targets, inputs, outputs and convergence as a user meets them."""

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.solvers import BATCH_SOLVERS

BUNDLED = [datasets.load_iris, datasets.load_wine, datasets.load_breast_cancer, datasets.load_digits]


# -- targets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        np.array(["ant", "bee", "cat"]),
        np.array([-7, 3, 1000]),
        np.array([0.0, 1.0, 2.0]),
        np.array(["a", "b", "c"], dtype=object),
        np.array([False, True]),
    ],
    ids=["strings", "gapped", "floats", "objects", "booleans"],
)
@pytest.mark.parametrize(
    "container", [np.asarray, list, pd.Series, pl.Series, lambda y: pd.Series(y[::-1], index=range(5, 5 + len(y)))[::-1]]
)
def test_labels_of_any_kind(make_problem, names, container):
    X, codes, _ = make_problem(60, 4, len(names))
    y = names[codes]
    clf = SoftmaxRegressionClassifier().fit(X, container(y))
    expected = SoftmaxRegressionClassifier().fit(X, codes)
    np.testing.assert_array_equal(clf.classes_, names)
    np.testing.assert_array_equal(clf.coef_, expected.coef_)
    np.testing.assert_array_equal(clf.predict(X), names[expected.predict(X)])
    assert clf.score(X, container(y)) == expected.score(X, codes)


def test_categoricals(make_problem):
    X, codes, _ = make_problem()
    y = pd.Series(pd.Categorical.from_codes(codes, ["low", "mid", "top"]))
    assert list(SoftmaxRegressionClassifier().fit(X, y).classes_) == ["low", "mid", "top"]


def test_column_vector_warns_and_is_ravelled(make_problem):
    X, y, _ = make_problem()
    with pytest.warns(DataConversionWarning, match="column-vector"):
        clf = SoftmaxRegressionClassifier().fit(X, y[:, None])
    np.testing.assert_array_equal(clf.coef_, SoftmaxRegressionClassifier().fit(X, y).coef_)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, int])
def test_one_hot_rows_are_their_labels(make_problem, dtype):
    X, y, _ = make_problem()
    one_hot = np.eye(3)[y].astype(dtype)
    clf = SoftmaxRegressionClassifier(tol=1e-10).fit(X, one_hot)
    np.testing.assert_allclose(clf.coef_, SoftmaxRegressionClassifier(tol=1e-10).fit(X, y).coef_, atol=1e-8)
    np.testing.assert_array_equal(clf.classes_, [0, 1, 2])
    assert clf.score(X, one_hot) == pytest.approx(clf.score(X, y))


def test_a_frame_of_probabilities_names_the_classes(make_problem, rng):
    X, _, _ = make_problem()
    proba = rng.dirichlet(np.ones(3), size=len(X))
    for frame in (pd.DataFrame(proba, columns=["a", "b", "c"]), pl.DataFrame(proba, schema=["a", "b", "c"])):
        clf = SoftmaxRegressionClassifier().fit(X, frame)
        assert list(clf.classes_) == ["a", "b", "c"]
        assert set(clf.predict(X)) <= {"a", "b", "c"}


def test_score_of_soft_targets_is_the_share_on_the_predicted_class(make_problem, rng):
    X, y, weight = make_problem(60, 4, 2)
    clf = SoftmaxRegressionClassifier().fit(X, y)
    proba = rng.dirichlet(np.ones(2), size=60)
    by_hand = np.average(proba[np.arange(60), clf.predict(X)], weights=weight)
    assert clf.score(X, proba, sample_weight=weight) == pytest.approx(by_hand)


# -- inputs ----------------------------------------------------------------------------------------------------------


def csr_int64(X):
    rows = sparse.csr_array(X)
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    return rows


CONTAINERS = {
    "F-ordered": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "list": np.ndarray.tolist,
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcd")),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcd")),
    "csr_matrix": sparse.csr_matrix,
    "csr_array": sparse.csr_array,
    "csr 64-bit": csr_int64,
    "csc": sparse.csc_array,
    "coo": sparse.coo_array,
}


@pytest.mark.parametrize("solver", list(BATCH_SOLVERS))
@pytest.mark.parametrize("kind", list(CONTAINERS))
def test_any_container_gives_the_same_fit(make_problem, kind, solver):
    X, y, _ = make_problem(60, 4, 3)
    X[np.abs(X) < 0.5] = 0
    options = {"solver": solver, "tol": 1e-9, "max_iter": 2000}
    expected = SoftmaxRegressionClassifier(**options).fit(X, y)
    given = CONTAINERS[kind](X)
    clf = SoftmaxRegressionClassifier(**options).fit(given, y)
    np.testing.assert_allclose(clf.coef_, expected.coef_, atol=1e-7)
    np.testing.assert_allclose(clf.predict_proba(given), expected.predict_proba(X), atol=1e-7)
    if kind in ("pandas", "polars"):
        assert list(clf.feature_names_in_) == list("abcd")


@pytest.mark.parametrize("dtype", [int, bool, np.uint8])
def test_integer_and_boolean_features(make_problem, dtype):
    X, y, _ = make_problem()
    X = (X > 0).astype(dtype)
    clf = SoftmaxRegressionClassifier().fit(X, y)
    np.testing.assert_array_equal(clf.coef_, SoftmaxRegressionClassifier().fit(X.astype(float), y).coef_)


@pytest.mark.parametrize("solver", list(BATCH_SOLVERS))
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_float32_is_kept(make_problem, container, solver):
    X, y, _ = make_problem(dtype=np.float32)
    clf = SoftmaxRegressionClassifier(solver=solver).fit(container(X), y)
    exact = SoftmaxRegressionClassifier(solver="newton-cholesky", tol=1e-8).fit(X.astype(np.float64), y)
    assert clf.coef_.dtype == clf.intercept_.dtype == np.float32
    assert clf.predict_proba(container(X)).dtype == np.float32
    np.testing.assert_allclose(clf.predict_proba(X), exact.predict_proba(X.astype(np.float64)), atol=2e-3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_read_only_memory_maps(make_problem, tmp_path, dtype):
    X, y, _ = make_problem(dtype=dtype)
    X.tofile(tmp_path / "X")
    mapped = np.memmap(tmp_path / "X", dtype=dtype, mode="r", shape=X.shape)
    clf = SoftmaxRegressionClassifier().fit(mapped, y)
    np.testing.assert_array_equal(clf.coef_, SoftmaxRegressionClassifier().fit(X, y).coef_)
    np.testing.assert_array_equal(clf.predict_proba(mapped), clf.predict_proba(X))


@pytest.mark.parametrize("solver", ["block-lbfgs", "lbfgs", "newton-cg"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_no_copy_of_x_and_no_array_of_rows_times_classes(rng, dtype, solver):
    n_rows, n_classes = 120_000, 100
    X = rng.normal(size=(n_rows, 40)).astype(dtype)
    y = rng.integers(n_classes, size=n_rows)
    clf = SoftmaxRegressionClassifier(solver=solver, tol=1e9)
    clf.fit(X, y)
    tracemalloc.start()
    clf.fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 2 < X.itemsize * n_rows * n_classes


# -- outputs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 4])
def test_outputs_agree_with_each_other(make_problem, n_classes):
    X, y, _ = make_problem(80, 4, n_classes)
    clf = SoftmaxRegressionClassifier().fit(X, y)
    logits, proba = clf.decision_function(X), clf.predict_proba(X)
    assert logits.shape == ((80,) if n_classes == 2 else (80, n_classes))
    assert proba.shape == (80, n_classes)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_array_equal(clf.predict(X), clf.classes_[proba.argmax(axis=1)])
    np.testing.assert_allclose(np.exp(clf.predict_log_proba(X)), proba, rtol=1e-12)
    peer = LogisticRegression().fit(X, y)
    peer.coef_, peer.intercept_ = clf.coef_, clf.intercept_
    np.testing.assert_allclose(logits, peer.decision_function(X), atol=1e-13)
    np.testing.assert_allclose(proba, peer.predict_proba(X), atol=1e-13)
    assert clf.n_iter_.shape == (1,)
    assert clf.n_iter_[0] == clf.solution_.n_iter == len(clf.solution_.history)
    assert clf.converged_ is True


@pytest.mark.parametrize("n_classes", [2, 3])
def test_log_probabilities_are_finite_where_probabilities_vanish(make_problem, n_classes):
    X, y, _ = make_problem(60, 2, n_classes, noise=0.1)
    clf = SoftmaxRegressionClassifier().fit(X, y)
    far = 1e4 * X
    assert clf.predict_proba(far).min() == 0
    assert np.all(np.isfinite(clf.predict_log_proba(far)))
    assert clf.predict_log_proba(far).min() < -1000


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_predictions_do_not_depend_on_the_batch(rng, make_problem, container, dtype):
    X, y, _ = make_problem(300, 30, 5, dtype=dtype)
    clf = SoftmaxRegressionClassifier().fit(container(X), y)
    together = clf.predict_proba(container(X))
    order = rng.permutation(len(X))
    np.testing.assert_allclose(clf.predict_proba(container(X[order])), together[order], atol=1e-7)
    alone = np.vstack([clf.predict_proba(container(X[i : i + 1])) for i in range(len(X))])
    np.testing.assert_allclose(alone, together, atol=1e-7)


def test_mixed_precision_predicts_in_the_wider(make_problem):
    X, y, _ = make_problem()
    clf = SoftmaxRegressionClassifier().fit(X, y)
    assert clf.predict_proba(X.astype(np.float32)).dtype == np.float64
    narrow = SoftmaxRegressionClassifier().fit(X.astype(np.float32), y)
    assert narrow.predict_proba(X).dtype == np.float64


def test_sparsify_and_densify(make_problem):
    X, y, _ = make_problem()
    clf = SoftmaxRegressionClassifier(warm_start=True).fit(X, y)
    expected = clf.predict_proba(X)
    clf.sparsify()
    assert sparse.issparse(clf.coef_)
    np.testing.assert_array_equal(clf.predict_proba(X), expected)
    np.testing.assert_allclose(clf.predict_proba(sparse.csr_array(X)), expected)
    assert clf.fit(X, y).n_iter_[0] <= 1
    clf.sparsify().densify()
    assert isinstance(clf.coef_, np.ndarray)


def test_warm_start_goes_on(make_problem):
    X, y, _ = make_problem()
    clf = SoftmaxRegressionClassifier(solver="lbfgs", warm_start=True).fit(X, y)
    assert clf.fit(X, y).n_iter_[0] == 0
    with pytest.raises(ValueError, match="warm_start=True needs the classes of the last fit"):
        clf.fit(X, y + 1)
    with pytest.raises(ValueError, match="warm_start=True needs the 5 features of the last fit; got 4"):
        clf.fit(X[:, :4], y)


# -- convergence -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("load", BUNDLED)
def test_defaults_converge_on_every_bundled_set(load, scaled, dtype):
    X, y = load(return_X_y=True)
    X = (scale(X) if scaled else X).astype(dtype)
    clf = SoftmaxRegressionClassifier().fit(X, y)  # any warning is an error
    assert clf.converged_
    with threadpool_limits(1):  # the peer's BLAS threads get in each other's way
        peer = LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(X.astype(np.float64), y)
    # LogisticRegression's own defaults leave 1e-2 on the scaled digits.
    np.testing.assert_allclose(clf.predict_proba(X), peer.predict_proba(X), atol=5e-4 if dtype is np.float64 else 2e-3)


@pytest.mark.parametrize("solver", list(BATCH_SOLVERS))
def test_one_warning_says_how_far_and_what_to_change(solver):
    X, y = datasets.load_wine(return_X_y=True)
    with pytest.warns(ConvergenceWarning) as record:
        clf = SoftmaxRegressionClassifier(solver=solver, max_iter=3).fit(X, y)
    assert len(record) == 1
    message = str(record[0].message)
    assert "after 3 iterations" in message
    assert f"gradient norm is {clf.solution_.gradient_norm:.3g}, the tolerance 0.0001" in message
    assert "max_iter=3" in message
    assert "StandardScaler" in message
    assert record[0].filename == __file__
    assert clf.converged_ is False


@pytest.mark.parametrize("solver", list(BATCH_SOLVERS))
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("soft", [False, True])
def test_separable_data_without_penalty_is_named(n_classes, solver, soft):
    X = np.repeat(np.arange(float(n_classes)), 10)[:, None] ** [1, 2] + np.linspace(0, 0.1, 10 * n_classes)[:, None]
    y = np.repeat(np.arange(n_classes), 10)
    with pytest.warns(ConvergenceWarning, match="perfectly separable") as record:
        clf = SoftmaxRegressionClassifier(C=np.inf, solver=solver).fit(X, np.eye(n_classes)[y] if soft else y)
    assert len(record) == 1
    assert clf.converged_ is False
    assert np.all(np.isfinite(clf.coef_))
    np.testing.assert_array_equal(clf.predict(X), y)


def test_inseparable_data_without_penalty_is_silent(make_problem):
    X, y, _ = make_problem(200, 3, 3, noise=3.0)
    assert SoftmaxRegressionClassifier(C=np.inf).fit(X, y).converged_


def test_verbose_prints_a_line_an_iteration(make_problem, capsys):
    X, y, _ = make_problem()
    clf = SoftmaxRegressionClassifier(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == clf.n_iter_[0]
    assert lines[0].startswith("iteration 1: objective ")
    SoftmaxRegressionClassifier().fit(X, y)
    assert capsys.readouterr().out == ""


def test_a_failed_fit_leaves_the_last_one(make_problem):
    X, y, _ = make_problem()
    clf = SoftmaxRegressionClassifier().fit(X, y)
    before = clf.predict_proba(X)
    with warnings.catch_warnings(), pytest.raises(ValueError, match="only one class"):
        clf.fit(X, np.zeros(len(X), dtype=int))
    np.testing.assert_array_equal(clf.predict_proba(X), before)
