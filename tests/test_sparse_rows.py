"""Sparse matrices whose indices point outside of them are refused by every method that takes X, before anything follows one."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

from sksoftmax import CalibratedClassifier, SoftmaxRegressionClassifier
from sksoftmax.data.sparse_indices import check_indices

N_ROWS, N_FEATURES = 60, 40
GOOD = sparse.random(N_ROWS, N_FEATURES, density=0.2, format="csr", random_state=0)
Y = np.arange(N_ROWS) % 3
SOFT = np.eye(3)[Y]
MIDDLE = GOOD.nnz // 2


def damaged(index_dtype=np.int32, container=sparse.csr_matrix, **arrays):
    """Return GOOD with other arrays, as SciPy lets everybody set them."""
    X = container(GOOD)
    X.indices, X.indptr = X.indices.astype(index_dtype), X.indptr.astype(index_dtype)
    for name, change in arrays.items():
        setattr(X, name, change(getattr(X, name).copy()))
    return X


def put(position, value):
    def change(array):
        array[position] = value
        return array

    return change


LIES = {
    **{
        f"index {value} at {position}": ({"indices": put(position, value)}, rf"indices must be in 0\.\.39, got {value} at")
        for value in (N_FEATURES, -1, 2**31 - 1)
        for position in (0, MIDDLE, -1)
    },
    **{
        f"64-bit index {value} at {position}": (
            {"index_dtype": np.int64, "indices": put(position, value)},
            rf"indices must be in 0\.\.39, got {value} at",
        )
        for value in (N_FEATURES, -(2**40), 2**32)
        for position in (0, -1)
    },
    "falling indptr": ({"indptr": put(20, 0)}, "indptr must not fall, got 0 after .* at position 20"),
    "negative indptr": ({"indptr": put(20, -5)}, "indptr must not fall, got -5"),
    "huge indptr": ({"indptr": put(20, 2**31 - 1)}, "indptr must not fall, got .* after 2147483647"),
    "64-bit huge indptr": ({"index_dtype": np.int64, "indptr": put(20, 2**40)}, "indptr must not fall"),
    "indptr ends late": ({"indptr": put(-1, GOOD.nnz + 1)}, "indptr must end within the 480 entries .* got 481"),
    "indptr begins late": ({"indptr": put(0, 3)}, "indptr must begin with 0, got 3"),
    "indptr begins negative": ({"indptr": put(0, -3)}, "indptr must begin with 0, got -3"),
    "short indptr": ({"indptr": lambda a: a[:-1]}, "indptr must have 61 entries, got 60"),
    "long indptr": ({"indptr": lambda a: np.append(a, a[-1])}, "indptr must have 61 entries, got 62"),
    "short indices": ({"indices": lambda a: a[:-1]}, "must have the same length, got 479 and 480"),
    "short data": ({"data": lambda a: a[:-1]}, "must have the same length, got 480 and 479"),
    "float indices": ({"indices": lambda a: a.astype(float)}, "indices must be a vector of int32 or int64, got dtype float64"),
    "float indptr": ({"indptr": lambda a: a.astype(float)}, "indptr must be a vector of int32 or int64, got dtype float64"),
    "unsigned indices": ({"indices": lambda a: a.astype(np.uint64)}, "indices must be a vector of int32 or int64, got dtype u"),
    "swapped bytes": ({"indices": lambda a: a.astype(">i4")}, "indices must be a vector of int32 or int64, got dtype >i4"),
    "2D indices": ({"indices": lambda a: a[:, None]}, "indices must be a vector of int32 or int64"),
    "sparse array": ({"container": sparse.csr_array, "indices": put(0, 40)}, "indices must be in"),
    "CSC": ({"container": sparse.csc_matrix, "indices": put(7, N_ROWS)}, r"damaged CSC matrix .* indices must be in 0\.\.59"),
    "CSC indptr": ({"container": sparse.csc_matrix, "indptr": put(5, 400)}, "damaged CSC matrix .* indptr must not fall"),
}


def in_coordinates(**arrays):
    X = sparse.coo_matrix(GOOD)
    for name, change in arrays.items():
        setattr(X, name, change(getattr(X, name).copy()))
    return X


def in_blocks(**arrays):
    X = sparse.bsr_matrix(GOOD, blocksize=(2, 4))
    for name, change in arrays.items():
        setattr(X, name, change(getattr(X, name).copy()))
    return X


def in_lists(row, columns, values):
    X = sparse.lil_matrix(GOOD)
    X.rows[row], X.data[row] = columns, values
    return X


def in_diagonals(offsets):
    X = sparse.dia_matrix(([[1.0] * 40] * 2, [0, 1]), shape=(60, 40))
    X.offsets = offsets
    return X


MATRICES = {
    **{name: (damaged(**arguments), message) for name, (arguments, message) in LIES.items()},
    "COO row": (in_coordinates(row=put(3, N_ROWS)), r"damaged COO matrix .* row must be in 0\.\.59, got 60 at position 3"),
    "COO col": (in_coordinates(col=put(3, -2)), r"damaged COO matrix .* col must be in 0\.\.39, got -2 at position 3"),
    "COO data": (in_coordinates(data=lambda a: a[:-1]), "damaged COO matrix .* same length"),
    "BSR": (in_blocks(indices=put(-1, 10)), r"damaged BSR matrix .* indices must be in 0\.\.9, got 10"),
    "BSR data": (in_blocks(data=lambda a: a[:-1]), "damaged BSR matrix .* same length"),
    "BSR blocks": (in_blocks(data=lambda a: a[:, :, :3]), "damaged BSR matrix .* blocks that divide it"),
    "LIL": (in_lists(5, [3, 40], [1.0, 1.0]), r"damaged LIL matrix .* rows\[5\] must be in 0\.\.39, got 40"),
    "LIL values": (in_lists(5, [3, 4, 5], [1.0]), r"damaged LIL matrix .* rows\[5\] and data must have the same length"),
    "LIL floats": (in_lists(5, [3.5], [1.0]), r"damaged LIL matrix .* rows\[5\] must be a vector of int32 or int64"),
    "DIA": (in_diagonals(np.arange(3)), "damaged DIA matrix .* a row for each of 3 offsets"),
    "DIA floats": (in_diagonals(np.array([0.0, 1.5])), "damaged DIA matrix .* offsets must be a vector"),
}

CLF = SoftmaxRegressionClassifier().fit(GOOD, Y)
STREAM = SoftmaxRegressionClassifier(solver="sgd").partial_fit(GOOD, Y, classes=[0, 1, 2])
HINGE = SoftmaxRegressionClassifier(loss="hinge").fit(GOOD, Y)
COSINE = SoftmaxRegressionClassifier(loss="cosine").fit(GOOD, Y)
CALIBRATED = CalibratedClassifier(cv=2).fit(GOOD, Y)

OPERATIONS = {
    "fit": lambda X: SoftmaxRegressionClassifier().fit(X, Y),
    "fit to probabilities": lambda X: SoftmaxRegressionClassifier().fit(X, SOFT),
    "fit with early stopping": lambda X: SoftmaxRegressionClassifier(early_stopping=True).fit(X, Y),
    "fit of cosines": lambda X: SoftmaxRegressionClassifier(loss="cosine").fit(X, Y),
    "refit": lambda X: CLF.fit(X, Y),
    "fit with X_val": lambda X: SoftmaxRegressionClassifier().fit(GOOD, Y, X_val=X, y_val=Y),
    "partial_fit": lambda X: SoftmaxRegressionClassifier(solver="sgd").partial_fit(X, Y, classes=[0, 1, 2]),
    "partial_fit again": lambda X: STREAM.partial_fit(X, Y),
    "partial_fit to probabilities": lambda X: STREAM.partial_fit(X, SOFT),
    "decision_function": CLF.decision_function,
    "predict": CLF.predict,
    "predict_proba": CLF.predict_proba,
    "predict_log_proba": CLF.predict_log_proba,
    "score": lambda X: CLF.score(X, Y),
    "score on probabilities": lambda X: CLF.score(X, SOFT),
    "predict of hinge": HINGE.predict,
    "predict of cosines": COSINE.predict,
    "calibrated fit": lambda X: CalibratedClassifier(cv=2).fit(X, Y),
    "calibrated prefit": lambda X: CalibratedClassifier(CLF, cv="prefit").fit(X, Y),
    "calibrated decision_function": CALIBRATED.decision_function,
    "calibrated predict": CALIBRATED.predict,
    "calibrated predict_proba": CALIBRATED.predict_proba,
    "calibrated predict_log_proba": CALIBRATED.predict_log_proba,
    "calibrated score": lambda X: CALIBRATED.score(X, Y),
}


@pytest.mark.parametrize("lie", MATRICES)
def test_indices_are_looked_at_before_anything_follows_them(lie):
    X, message = MATRICES[lie]
    before = dict(vars(CLF)), dict(vars(STREAM))
    with pytest.raises(ValueError, match=message):
        check_indices(X)  # if this did not raise, the rest would crash
    for name, operation in OPERATIONS.items():
        with pytest.raises(ValueError, match=message) as raised:
            operation(X)
        assert str(raised.value).startswith("X_val is" if name == "fit with X_val" else "X is")
    # Nothing half-fitted, nothing lost.
    assert (vars(CLF), vars(STREAM)) == before


def test_a_process_that_is_given_indices_outside_lives_on():
    """Where nothing looks, it crashes."""
    code = """
import numpy as np
from scipy.sparse import csr_matrix, random
from sksoftmax import SoftmaxRegressionClassifier
good = random(60, 40, density=0.2, format="csr", random_state=0)
J = good.indices.copy()
J[7] = 10**8
bad = csr_matrix((good.data, J, good.indptr), shape=good.shape)
clf = SoftmaxRegressionClassifier().fit(good, np.arange(60) % 3)
for method in (lambda X: clf.fit(X, np.arange(60) % 3), clf.predict, clf.predict_proba):
    try:
        method(bad)
    except ValueError as error:
        print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.count("indices must be in 0..39, got 100000000 at position 7") == 3


def unsorted(X):
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(X.indptr, X.indptr[1:], strict=False)])
    return sparse.csr_matrix((X.data[order], X.indices[order], X.indptr), shape=X.shape)


def doubled(X):
    """Return X with each entry as two halves."""
    return sparse.csr_matrix((np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)


def padded(X):
    """Return X with more room than it needs, where anything may stand."""
    X = X.copy()
    X.data, X.indices = np.append(X.data, [7.0, 8.0]), np.append(X.indices, [-1, 2**31 - 1]).astype(X.indices.dtype)
    return X


def mixed(X):
    X = X.copy()
    X.indices = X.indices.astype(np.int64)
    return X


def read_only(X):
    X = X.copy()
    for array in (X.data, X.indices, X.indptr):
        array.flags.writeable = False
    return X


UNUSUAL = [unsorted, doubled, padded, read_only, sparse.csr_array, sparse.csc_matrix, sparse.coo_matrix, sparse.lil_matrix]
UNUSUAL += [sparse.dok_matrix, lambda X: sparse.bsr_matrix(X, blocksize=(2, 2))]


@pytest.mark.parametrize("form", UNUSUAL)
def test_unusual_matrices_that_are_whole_give_what_their_dense_rows_give(form):
    X = sparse.random(60, 300, density=0.05, format="csr", random_state=0)  # more columns than have blocks of the Hessian
    for solver in ("block-lbfgs", "lbfgs"):
        clf = SoftmaxRegressionClassifier(solver=solver, tol=1e-9).fit(form(X), Y)
        expected = SoftmaxRegressionClassifier(solver=solver, tol=1e-9).fit(X.toarray(), Y)
        np.testing.assert_allclose(clf.coef_, expected.coef_, atol=1e-6)
        np.testing.assert_allclose(expected.predict_proba(form(X)), expected.predict_proba(X.toarray()), atol=1e-12)


def test_only_sparse_tables_are_looked_at():
    check_indices([[1.0]])
    check_indices(np.ones((2, 2)))
    check_indices(sparse.csr_matrix((0, 3)))
    check_indices(sparse.csr_matrix((3, 0)))
    check_indices(mixed(GOOD))
    check_indices(sparse.eye(3, 4, k=1, format="dia"))


@pytest.mark.skipif(sparse.coo_array([1.0, 0.0]).ndim == 2, reason="SciPy below 1.13 makes a row of it")
def test_a_sparse_vector_is_no_table():
    with pytest.raises(ValueError, match=r"Expected 2D input for X, got a sparse array of shape \(3,\)"):
        check_indices(sparse.coo_array([1.0, 0.0, 2.0]))
