"""``partial_fit``: parts of the data one after another, and fits whose data are larger than what may be copied."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.losses import CrossEntropy
from sksoftmax.solvers import BATCH_SOLVERS, SGD, STOCHASTIC_SOLVERS, Adam
from sksoftmax.solvers.schedules import Cosine, InverseScaling

ALL = pytest.mark.parametrize("name", list(STOCHASTIC_SOLVERS))


def make(solver, **params):
    return SoftmaxRegressionClassifier(solver=solver, random_state=0, **params)


@pytest.fixture
def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y


def parts(X, y, n=6):
    return list(zip(np.array_split(X, n), np.array_split(y, n), strict=True))


@ALL
def test_one_call_is_one_epoch_of_fit(name, digits):
    X, y = digits
    fitted = make(name, max_iter=1, tol=None).fit(X, y)
    streamed = make(name).partial_fit(X, y, classes=np.arange(10))
    assert_array_equal(streamed.coef_, fitted.coef_)
    assert_array_equal(streamed.intercept_, fitted.intercept_)
    assert streamed.n_iter_[0] == 1
    assert streamed.solution_.history[-1].value == fitted.solution_.history[-1].value
    assert np.abs(streamed.coef_).max() > 1e-3


@pytest.mark.parametrize("solver", [*STOCHASTIC_SOLVERS, SGD(momentum=0.9, average=True, schedule="invscaling")], ids=repr)
def test_state_goes_on_from_call_to_call_and_through_pickle(solver, digits):
    X, y = digits
    straight, pickled = make(solver), make(solver)
    for some_X, some_y in parts(X, y):
        straight.partial_fit(some_X, some_y, classes=np.arange(10))
        pickled = pickle.loads(pickle.dumps(pickled.partial_fit(some_X, some_y, classes=np.arange(10))))
        assert_array_equal(pickled.coef_, straight.coef_)
    assert straight.n_iter_[0] == 6


def test_moments_and_numbers_of_steps_are_part_of_the_state(digits):
    """Two calls differ from two first calls, one starting where the other ended."""
    X, y = digits
    for solver in (Adam(learning_rate=0.01), SGD(momentum=0.9), SGD(schedule="invscaling")):
        clf = make(solver).partial_fit(X, y, classes=np.arange(10))
        afresh = make(solver, max_iter=1, tol=None, warm_start=True)
        afresh.coef_, afresh.intercept_, afresh.classes_ = clf.coef_, clf.intercept_, clf.classes_
        afresh.n_features_in_ = 64
        assert np.abs(clf.partial_fit(X, y).coef_ - afresh.fit(X, y).coef_).max() > 1e-3


def test_a_stream_of_parts_ends_near_the_optimum_of_all(digits):
    """The penalty is that of C and all rows met, however they came; rows met in P passes count P times."""
    X, y = digits
    n_passes = 60
    best = make("auto", C=0.1).fit(X, y)
    sgd = SGD(learning_rate=1.0, batch_size=32, schedule=InverseScaling(power=0.6), average=True)
    clf = make(sgd, C=0.1 / n_passes)
    for _ in range(n_passes):
        for some_X, some_y in parts(X, y, 3):
            clf.partial_fit(some_X, some_y, classes=np.arange(10))
    assert np.abs(best.predict_proba(X) - clf.predict_proba(X)).mean() < 0.01


def test_rows_count_by_their_weight_whatever_their_part_weighs(digits):
    """Parts of one class each, in turn, of weights 1 and 9: their rows are alike, and so one is nine times as likely."""
    rows = digits[0][:600]
    clf = make(SGD(learning_rate=0.1, average=True), C=np.inf)
    for _ in range(300):
        clf.partial_fit(rows, np.zeros(600, dtype=int), classes=[0, 1], sample_weight=np.ones(600))
        clf.partial_fit(rows, np.ones(600, dtype=int), sample_weight=np.full(600, 9.0))
    assert_allclose(clf.predict_proba(rows)[:, 1].mean(), 0.9, atol=0.02)


@ALL
def test_dense_and_sparse_parts_and_dtypes_mix(name, digits):
    X, y = digits
    dense, mixed = make(name), make(name)
    for i, (some_X, some_y) in enumerate(parts(X, y)):
        dense.partial_fit(some_X, some_y, classes=np.arange(10))
        mixed.partial_fit(sparse.csr_array(some_X) if i % 2 else some_X, some_y, classes=np.arange(10))
    assert_allclose(mixed.coef_, dense.coef_, rtol=1e-8, atol=1e-12)
    mixed.partial_fit(X.astype(np.float32), y)
    assert mixed.coef_.dtype == np.float32


def test_soft_targets_need_no_classes_and_count_as_weighted_labels(digits):
    X, y = digits
    proba = np.full((len(y), 10), 0.1 / 9)
    proba[np.arange(len(y)), y] = 0.9
    soft, smooth = make("sgd"), make("sgd", loss=CrossEntropy(label_smoothing=0.1))
    for i in (slice(0, 900), slice(900, None)):
        soft.partial_fit(X[i], proba[i])
        smooth.partial_fit(X[i], y[i], classes=np.arange(10))
    assert_allclose(soft.coef_, smooth.coef_, rtol=1e-9)
    with pytest.raises(ValueError, match=r"a column for each of the classes \[0, 1, .*\], in this order; got 3 columns"):
        soft.partial_fit(X[:5], np.full((5, 3), 1 / 3))


def test_labels_of_any_kind_of_which_a_part_may_lack_some(digits):
    X, y = digits
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    few = y < 3
    clf = make("adam").partial_fit(X[few], names[y[few]], classes=names)
    assert_array_equal(clf.classes_, np.sort(names))
    assert clf.coef_.shape == (10, 64)
    only_one = make("sgd").partial_fit(X[y == 1], y[y == 1], classes=[0, 1])
    assert only_one.coef_.shape == (1, 64)


@pytest.mark.parametrize("solver", ["adam", "rmsprop"])
def test_one_pass_in_many_parts_teaches_as_much_as_sgd(solver, digits):
    """The learning rate of deep networks left it at 1.9 nats a row, near the 2.3 of the start."""
    X, y = digits
    losses = []
    for name in ("sgd", solver):
        clf = make(name)
        for some_X, some_y in parts(X, y, 40):
            clf.partial_fit(some_X, some_y, classes=np.arange(10))
        losses.append(log_loss(y, clf.predict_proba(X)))
    assert losses[1] < losses[0] < 1.8


@pytest.mark.parametrize("solver", ["auto", "sgd"])
def test_after_fit_the_penalty_is_that_of_all_rows_met(solver, digits):
    """That of the ten rows of the part alone, 51 times as strong, would leave hardly a coefficient."""
    X, y = digits
    clf = make(solver, C=1e-3, **({"tol": None, "max_iter": 20} if solver == "sgd" else {})).fit(X[:500], y[:500])
    rows, off = X[500:510], clf.predict_proba(X[500:510]) - np.eye(10)[y[500:510]]
    expected = (clf.coef_ - 0.5 * off.T @ rows / 10) / (1 + 0.5 / (1e-3 * 510))
    clf.set_params(solver=SGD(learning_rate=0.5)).partial_fit(rows, y[500:510])
    assert_allclose(clf.coef_, expected, rtol=1e-10, atol=1e-14)


def test_errors_leave_what_was_learnt(digits):
    X, y = digits
    clf = make("sgd")
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        clf.partial_fit(X, y)
    with pytest.raises(ValueError, match="at least two classes"):
        clf.partial_fit(X[y == 3], y[y == 3], classes=[3])
    assert not hasattr(clf, "classes_")
    clf.partial_fit(X, y, classes=np.arange(10))
    untouched = pickle.loads(pickle.dumps(clf))
    for error, wrong, kwargs in (
        ("is not the same as on last call", (X, y), {"classes": np.arange(11)}),
        ("labels that are not among the classes", (X, y + 5), {}),
        ("64 features", (X[:, :5], y), {}),
        ("NaN", (np.full_like(X, np.nan), y), {}),
        ("zero throughout", (X, y), {"sample_weight": np.zeros(len(y))}),
    ):
        with pytest.raises(ValueError, match=error):
            clf.partial_fit(*wrong, **kwargs)
        assert clf.n_features_in_ == 64
        assert_array_equal(clf.coef_, untouched.coef_)
    assert_array_equal(clf.partial_fit(X, y).coef_, untouched.partial_fit(X, y).coef_)
    clf.set_params(solver=SGD(schedule=Cosine()))
    with pytest.raises(ValueError, match=r"pass Cosine\(n_epochs=...\)"):
        clf.partial_fit(X, y)
    with pytest.raises(ValueError, match="'balanced' is not supported for partial_fit"):
        make("sgd", class_weight="balanced").partial_fit(X, y, classes=np.arange(10))
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        make("sgd", early_stopping=True).partial_fit(X, y, classes=np.arange(10))


@pytest.mark.parametrize("solver", [SGD(momentum=0.9, batch_size=2000), Adam(batch_size=2000, average=True)], ids=repr)
def test_a_part_that_diverges_leaves_what_was_learnt(solver, digits):
    """Each part is one minibatch: the order of rows, which a call draws whatever becomes of it, does not count."""
    X, y = digits
    clf = make(clone(solver)).partial_fit(X, y, classes=np.arange(10))
    untouched = pickle.loads(pickle.dumps(clf))
    clf.set_params(solver__learning_rate=1e308)
    with pytest.raises(ValueError, match="diverged"):
        clf.partial_fit(1e6 * X[:100], y[:100])
    clf.set_params(solver__learning_rate=solver.learning_rate)
    assert_array_equal(clf.coef_, untouched.coef_)
    assert_allclose(clf.partial_fit(X, y).coef_, untouched.partial_fit(X, y).coef_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("begin", ["fit", "partial_fit"])
def test_rows_without_weight_are_as_if_left_out(begin, digits):
    X, y = digits
    weight = np.arange(len(y)) % 3.0
    learnt = []
    for rows in (np.arange(len(y)), np.flatnonzero(weight)):
        early, late = rows[rows < 900], rows[rows >= 900]
        clf = make("sgd", C=0.01, max_iter=2, tol=None)
        first = {"classes": np.arange(10)} if begin == "partial_fit" else {}
        getattr(clf, begin)(X[early], y[early], sample_weight=weight[early], **first)
        learnt.append(clf.partial_fit(X[late], y[late], sample_weight=weight[late]).coef_)
    assert_allclose(learnt[0], learnt[1], rtol=1e-9, atol=1e-12)


def test_calls_draw_one_order_after_another_as_epochs_do(digits):
    X, y = digits
    fitted = make(SGD(batch_size=16), C=1e12, max_iter=3, tol=None).fit(X, y)
    streamed = make(SGD(batch_size=16), C=1e12)
    for _ in range(3):
        streamed.partial_fit(X, y, classes=np.arange(10))
    assert_allclose(streamed.coef_, fitted.coef_, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("solver", ["auto", "saga", *BATCH_SOLVERS])
def test_batch_solvers_do_not_have_it_and_name_those_that_do(solver):
    clf = make(solver)
    assert not hasattr(clf, "partial_fit")
    with pytest.raises(AttributeError) as raised:
        clf.partial_fit  # noqa: B018
    assert "'sgd'" in str(raised.value)
    assert hasattr(make("sgd"), "partial_fit")
    assert hasattr(make(Adam()), "partial_fit")


def test_after_fit_it_goes_on_from_the_coefficients_with_any_solver(digits):
    X, y = digits
    clf = make("auto").fit(X, y)
    before = clf.coef_.copy()
    clf.set_params(solver=SGD(learning_rate=1e-6)).partial_fit(X[:100], y[:100])
    assert_allclose(clf.coef_, before, atol=1e-5)
    assert np.any(clf.coef_ != before)
    clf.set_params(tol=None, max_iter=2).fit(X, y)  # begins anew
    assert_array_equal(clf.coef_, make(SGD(learning_rate=1e-6), tol=None, max_iter=2).fit(X, y).coef_)
    clf.set_params(solver="adam").partial_fit(X, y)  # another rule: its own state, the same coefficients
    assert np.all(np.isfinite(clf.coef_))


def test_parameters_may_change_between_calls(digits):
    X, y = digits
    clf = make(SGD()).partial_fit(X, y, classes=np.arange(10))
    clf.set_params(solver__momentum=0.9, solver__average=True).partial_fit(X, y)
    clf.set_params(solver__momentum=0.0, solver__average=False).partial_fit(X, y)
    assert clone(clf).solver == SGD()
    assert clf.n_iter_[0] == 3


PROGRAM = """
import sys
import numpy as np
from scipy import sparse
from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.solvers import SGD

def kilobytes(field):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field + ":"))

path, kind = sys.argv[1:]
n_rows, n_features = 60_000, 200
X = np.memmap(path, dtype=np.float32, mode="r", shape=(n_rows, n_features))
y = np.arange(n_rows) % 4
if kind == "csr":
    X = sparse.csr_array(np.asarray(X))
clf = SoftmaxRegressionClassifier(solver=SGD(), max_iter=2, tol=None, random_state=0)
clf.fit(X[:500], y[:500])  # compiles
before = kilobytes("RssAnon")
peak = [before]
import threading
done = threading.Event()
def watch():
    while not done.wait(0.002):
        peak.append(kilobytes("RssAnon"))
watcher = threading.Thread(target=watch)
watcher.start()
clf.fit(X, y)
done.set()
watcher.join()
print(1024 * (max(peak) - before))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from Linux's /proc")
@pytest.mark.parametrize("kind", ["memmap", "csr"])
def test_fit_neither_loads_nor_copies_rows(kind, tmp_path):
    path = tmp_path / "X"
    X = np.memmap(path, dtype=np.float32, mode="w+", shape=(60_000, 200))
    X[:] = np.random.default_rng(0).normal(size=(200,)).astype(np.float32) + np.arange(60_000, dtype=np.float32)[:, None] % 4
    X.flush()
    out = subprocess.run([sys.executable, "-c", PROGRAM, path, kind], capture_output=True, text=True, check=True)
    assert int(out.stdout) < X.nbytes / 4  # 12 MB of 48: targets, weights, orders, buffers
