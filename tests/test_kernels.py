"""sksoftmax.kernels through row blocks: every tile and remainder, dense and CSR, against plain products."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import sparse

from sksoftmax.data.dataset import as_rows
from sksoftmax.data.rows import score_rows
from sksoftmax.data.threads import map_in_order, run_in_pool
from sksoftmax.losses import CrossEntropy, Targets

DTYPES = [np.float64, np.float32]
TOLERANCE = {np.float64: 1e-12, np.float32: 1e-5}


def make_rows(rng, n_rows, n_features, dtype, container):
    X = rng.normal(size=(n_rows, n_features)).astype(dtype)
    if container != "dense":
        X[rng.uniform(size=X.shape) < 0.6] = 0
    return X, (X if container == "dense" else container(X))


def csr_int64(X):
    rows = sparse.csr_array(X)
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    return rows


CONTAINERS = ["dense", sparse.csr_matrix, sparse.csr_array, csr_int64]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_logits", [1, 2, 3, 4, 5, 7, 10])
def test_scores_are_the_product(rng, n_logits, dtype, container):
    for n_rows in (1, 2, 3, 4, 5, 9):
        for n_features in (1, 3, 17):
            plain, X = make_rows(rng, n_rows, n_features, dtype, container)
            coef, intercept = rng.normal(size=(n_logits, n_features)).astype(dtype), rng.normal(size=n_logits).astype(dtype)
            rows = as_rows(X)
            logits = score_rows(rows, coef if rows.class_major else np.ascontiguousarray(coef.T), intercept, 1)
            assert logits.dtype == dtype
            np.testing.assert_allclose(logits, plain @ coef.T + intercept, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_rows_logits_do_not_depend_on_its_neighbours(rng, dtype):
    X = rng.normal(size=(41, 33)).astype(dtype)
    coef, intercept = rng.normal(size=(7, 33)).astype(dtype), rng.normal(size=7).astype(dtype)
    together = score_rows(as_rows(X), coef, intercept, 1)
    alone = np.vstack([score_rows(as_rows(X[i : i + 1]), coef, intercept, 1) for i in range(len(X))])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together[::-1], score_rows(as_rows(np.ascontiguousarray(X[::-1])), coef, intercept, 1))


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 3, 4, 6])
def test_projection_is_the_transposed_product(rng, n_classes, dtype, container):
    """At zero coefficients the gradient is Xᵀ(1/K − onehot) weighted, whatever the kernels do in between."""
    for n_rows in (1, 7, 8, 9, 40):
        plain, X = make_rows(rng, n_rows, 6, dtype, container)
        labels = rng.integers(n_classes, size=n_rows).astype(np.int32)
        weight = rng.dirichlet(np.ones(n_rows))
        targets = Targets(n_classes, weight, labels=labels)
        loss = CrossEntropy().bind(targets)
        rows = as_rows(X)
        shape = (loss.n_logits, 6) if rows.class_major else (6, loss.n_logits)
        out = np.zeros(shape), np.zeros(loss.n_logits)
        value = rows.sum_value_and_gradient(
            loss.arguments(targets), np.zeros(shape, dtype), np.zeros(loss.n_logits, dtype), (0, n_rows), out
        )
        residual = (1 / n_classes - np.eye(n_classes)[labels]) * weight[:, None]
        residual = residual[:, 1:] if n_classes == 2 else residual
        coef_gradient = out[0] if rows.class_major else out[0].T
        np.testing.assert_allclose(value, np.log(n_classes), rtol=1e-6)
        np.testing.assert_allclose(coef_gradient, residual.T @ plain, atol=TOLERANCE[dtype])
        np.testing.assert_allclose(out[1], residual.sum(axis=0), atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [4, 5, 7, 10])
def test_wide_rows_are_taken_in_chunks_of_classes(rng, n_classes, dtype):
    """Of 6,000 columns the coefficients of four classes stay in cache: the others are other chunks."""
    X = rng.normal(size=(9, 6000)).astype(dtype) / 100
    labels, weight = rng.integers(n_classes, size=9).astype(np.int32), rng.dirichlet(np.ones(9))
    coef, intercept = rng.normal(size=(n_classes, 6000)).astype(dtype), rng.normal(size=n_classes).astype(dtype)
    logits = score_rows(as_rows(X), coef, intercept, 1)
    np.testing.assert_allclose(logits, X @ coef.T + intercept, rtol=100 * TOLERANCE[dtype], atol=100 * TOLERANCE[dtype])
    out = np.zeros(coef.shape), np.zeros(n_classes)
    targets = Targets(n_classes, weight, labels=labels)
    loss = CrossEntropy().bind(targets)
    as_rows(X).sum_value_and_gradient(loss.arguments(targets), np.zeros_like(coef), np.zeros_like(intercept), (0, 9), out)
    residual = (1 / n_classes - np.eye(n_classes)[labels]) * weight[:, None]
    np.testing.assert_allclose(out[0], residual.T @ X, atol=TOLERANCE[dtype])


@pytest.mark.large
def test_float32_gradients_are_summed_in_float64(rng):
    """A million equal rows: a float32 sum would be off in its fourth digit."""
    X = np.full((2**20, 1), 0.1, dtype=np.float32)
    labels = np.zeros(len(X), dtype=np.int32)
    targets = Targets(3, np.full(len(X), 1 / len(X)), labels=labels)
    loss = CrossEntropy().bind(targets)
    out = np.zeros((3, 1)), np.zeros(3)
    as_rows(X).sum_value_and_gradient(
        loss.arguments(targets), np.zeros((3, 1), np.float32), np.zeros(3, np.float32), (0, len(X)), out
    )
    np.testing.assert_allclose(out[0][:, 0], 0.1 * np.array([-2 / 3, 1 / 3, 1 / 3]), rtol=1e-6)


def test_segments_cover_the_rows_once_and_ignore_threads(rng):
    rows = as_rows(rng.normal(size=(50_001, 40)))
    segments = rows.segments(10)
    assert len(segments) == 16
    np.testing.assert_array_equal(np.concatenate([np.arange(*s) for s in segments]), np.arange(50_001))
    assert as_rows(np.zeros((10, 3))).segments(3) == [(0, 10)]


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_map_in_order_keeps_order_and_raises_what_was_raised(n_threads):
    def collect(function, items):
        return run_in_pool(n_threads, lambda pool: list(map_in_order(pool, 2, function, items)))

    assert collect(lambda item: item**2, range(20)) == [i**2 for i in range(20)]
    with pytest.raises(ZeroDivisionError):
        collect(lambda item: 1 // item, [1, 0, 1])


def test_map_in_order_takes_no_more_items_ahead_than_it_may():
    """What is computed ahead waits in memory."""
    taken = []

    def items():
        for item in range(20):
            taken.append(item)
            yield item

    with ThreadPoolExecutor(2) as pool:
        results = map_in_order(pool, 3, abs, items())
        for n_results in range(1, 5):
            next(results)
            assert len(taken) == n_results + 3
        results.close()
