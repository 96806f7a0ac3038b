"""Rows with more columns than rows: solved in the space that the rows span."""

import numpy as np
import pytest
from scipy import sparse

import reference
from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.data import rotated_rows
from sksoftmax.data.dataset import as_rows
from sksoftmax.data.rotated_rows import RotatedRows


@pytest.fixture
def wide(rng):
    """Return 50 raw rows of 200 columns: few strong directions, offsets, scales from 0.1 to 10."""
    n_rows, n_features, n_classes = 50, 200, 3
    strong = rng.normal(size=(n_rows, 20)) * np.arange(1, 21) ** -1.0
    X = strong @ rng.normal(size=(20, n_features)) + 0.1 * rng.normal(size=(n_rows, n_features))
    X = (3 * X + 5 * rng.normal(size=n_features)) * 10 ** rng.uniform(-1, 1, size=n_features)
    y = np.argmax(strong @ rng.normal(size=(20, n_classes)) + 0.3 * rng.gumbel(size=(n_rows, n_classes)), axis=1)
    return X, y


def test_only_wide_dense_rows_of_moderate_size_are_rotated(monkeypatch):
    X = np.ones((3, 4))
    assert RotatedRows.is_worth_it(as_rows(X))
    assert not RotatedRows.is_worth_it(as_rows(np.ones((4, 4))))
    assert not RotatedRows.is_worth_it(as_rows(sparse.csr_array(X)))
    monkeypatch.setattr(rotated_rows, "MAX_ROTATION_BYTES", X.nbytes - 1)
    assert not RotatedRows.is_worth_it(as_rows(X))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rotated_rows_score_as_the_rows_do(wide, rng, dtype):
    X = wide[0].astype(dtype)
    rows = RotatedRows(X)
    assert rows.n_features == rows.n_rows == len(X)
    assert rows.dtype == dtype
    coef = rng.normal(size=(2, X.shape[1]))
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    expected = X.astype(np.float64) @ coef.T
    scale = np.abs(expected).max()
    reduced = rows.reduce(coef)
    np.testing.assert_allclose(rows.dense(0, len(X)) @ reduced.T, expected, atol=tolerance * scale)
    # Back in X's coordinates they are the part of coef that the rows see.
    np.testing.assert_allclose(X @ rows.expand(reduced).T, expected, atol=tolerance * scale)
    np.testing.assert_allclose(rows.reduce(rows.expand(reduced)), reduced, atol=1e-12)


def test_defaults_converge_on_raw_wide_rows(wide):
    clf = SoftmaxRegressionClassifier().fit(*wide)  # any warning is an error
    # With rows of no weight they are no longer wide: nothing is rotated.
    X, y = np.vstack([wide[0], np.zeros((200, 200))]), np.append(wide[1], np.zeros(200, dtype=int))
    peer = SoftmaxRegressionClassifier(solver="newton-cholesky", tol=1e-10).fit(X, y, np.repeat([1.0, 0.0], [50, 200]))
    assert clf.coef_.shape == (3, 200)
    np.testing.assert_allclose(clf.predict_proba(wide[0]), peer.predict_proba(wide[0]), atol=5e-4)
    assert clf.n_iter_[0] <= 60  # plain L-BFGS takes hundreds


@pytest.mark.parametrize("solver", ["auto", "block-lbfgs", "newton-cholesky"])
def test_the_gradient_norm_is_that_in_the_columns_of_x(wide, solver):
    X, y = wide
    clf = SoftmaxRegressionClassifier(solver=solver, max_iter=3, tol=1e-300)
    with pytest.warns(match="failed to converge|did not converge"):
        clf.fit(X, y)
    proba = clf.predict_proba(X)
    residual = (proba - reference.one_hot(y, 3)) / len(y)
    gradient = np.concatenate([residual.T @ X + clf.coef_ / len(y), residual.sum(axis=0)[:, None]], axis=1)
    np.testing.assert_allclose(clf.solution_.gradient_norm, np.abs(gradient).max(), rtol=1e-8)


def test_a_warm_start_outside_the_span_of_the_rows_ends_at_the_same_optimum(wide, rng):
    X, y = wide
    cold = SoftmaxRegressionClassifier(tol=1e-10).fit(X, y)
    warm = SoftmaxRegressionClassifier(tol=1e-10, warm_start=True).fit(X, y)
    warm.coef_ = warm.coef_ + 0.1 * rng.normal(size=warm.coef_.shape)
    warm.fit(X, y)
    np.testing.assert_allclose(warm.coef_, cold.coef_, atol=1e-6 * np.abs(cold.coef_).max())


def test_single_precision_stays(wide):
    X, y = wide
    clf = SoftmaxRegressionClassifier().fit(X.astype(np.float32), y)
    assert clf.coef_.dtype == clf.intercept_.dtype == np.float32
    exact = SoftmaxRegressionClassifier().fit(X, y)
    np.testing.assert_allclose(clf.predict_proba(X), exact.predict_proba(X), atol=2e-3)
