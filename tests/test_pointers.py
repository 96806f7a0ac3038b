"""Kernels called by address: which are compiled, that no stale code is called, and without compiled code at all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import sksoftmax
from sksoftmax.data.dataset import as_rows
from sksoftmax.kernels import _compile, _pointers, csr, dense
from sksoftmax.losses import LOSSES, Targets

compiled_only = pytest.mark.skipif(bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="nothing is compiled")

HELPER = """
from ._compile import kernel

@kernel
def add(x):
    return x + {}
"""
FUNCTION = """
from ._compile import kernel
from .helper import add

@kernel
def increase(values, start, stop):
    for i in range(start, stop):
        values[i] = add(values[i])
    return values[start]

@kernel
def negate(values, start, stop):
    for i in range(start, stop):
        values[i] = -values[i]
    return values[start]
"""
PASS = """
import numpy as np
from ._compile import kernel
from ._pointers import Signature

INCREASE = Signature(np.float64, [("values", 1), (np.int64, 0), (np.int64, 0)])
call = INCREASE.call

@kernel
def twice(function, values):
    return call(function, (values, 0, 2)) + call(function, (values, np.int32(1), len(values)))
"""
SCRIPT = """
import numpy as np
from tiny.kernels import _pointers
{before}
from tiny.kernels.functions import increase, negate
from tiny.kernels.passes import INCREASE, twice
for function in increase, negate:
    values = np.arange(3.0)
    total = twice(INCREASE.address(function, values.dtype), values)
    print(*values, total, end=" ")
stats = [len(getattr(f, "overloads", [])) for f in (twice, increase, negate)]
hits = [sum(f.stats.cache_hits.values()) if hasattr(f, "stats") else -1 for f in (twice, increase, negate)]
print(*stats, *hits)
"""
VALUES = "1.0 3.0 3.0 4.0 -0.0 1.0 -2.0 1.0"


@pytest.fixture
def tiny(tmp_path):
    """Return the folder of a package of a pass and two kernels that it calls by address, with this package's machinery."""
    kernels = tmp_path / "lib" / "tiny" / "kernels"
    kernels.mkdir(parents=True)
    (kernels.parent / "__init__.py").touch()
    (kernels.parent / "_version.py").write_text('__version__ = "1.0"\n')
    (kernels / "__init__.py").touch()
    for module in _compile, _pointers:
        shutil.copy(module.__file__, kernels)
    for name, source in {"helper": HELPER.format(1), "functions": FUNCTION, "passes": PASS}.items():
        (kernels / f"{name}.py").write_text(source)
    return kernels.parent


def run(tiny, *, before="", **variables):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT.format(before=before)],
        env={**os.environ, "PYTHONPATH": str(tiny.parent), "PYTHONDONTWRITEBYTECODE": "1", **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_numba_has_the_names_that_calls_by_address_use():
    assert not _pointers.USES_CFUNC


@compiled_only
@pytest.mark.slow
def test_one_pass_calls_both_and_neither_is_stale(tiny, tmp_path):
    """The second process loads pass and kernels; an edit of a helper of a kernel is called by the pass."""
    here = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    assert run(tiny, **here) == f"{VALUES} 1 1 1 0 0 0"
    assert run(tiny, **here) == f"{VALUES} 1 1 1 1 1 1"
    (tiny / "kernels" / "helper.py").write_text(HELPER.format(9))
    assert run(tiny, **here) == "9.0 19.0 11.0 28.0 -0.0 1.0 -2.0 1.0 1 1 1 0 0 0"


@pytest.mark.slow
def test_calls_without_compiled_code(tiny):
    assert run(tiny, NUMBA_DISABLE_JIT="1") == f"{VALUES} 0 0 0 -1 -1 -1"


@compiled_only
@pytest.mark.slow
def test_where_numba_changed_its_names_cfunc_serves(tiny, tmp_path):
    here = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    changed = "_pointers.USES_CFUNC = True  # as if a name could not be imported"
    assert run(tiny, before=changed, **here).startswith(VALUES)
    assert run(tiny, before=changed, **here).startswith(VALUES)


@compiled_only
@pytest.mark.parametrize(
    ("dtype", "shape", "layout"),
    [(np.float32, (3,), "C"), (np.int64, (3,), "C"), (np.float64, (3, 1), "C"), (np.float64, (6,), "A")],
)
def test_arguments_of_another_type_are_not_passed(dtype, shape, layout):
    """Compiled code would read them as what it was made for."""
    signature = _pointers.Signature(np.float64, [(np.float64, 1), ("values", 1)])
    call = signature.call

    @_compile.kernel
    def total(given, values):
        return given[0] + values[0]

    @_compile.kernel
    def caller(function, given, values):
        return call(function, (given, values))

    address = signature.address(total, np.float64)
    values = np.ones(3)
    assert caller(address, values, values) == 2
    given = np.ones(shape, dtype)
    with pytest.raises(Exception, match="called by address with"):
        caller(address, given if layout == "C" else given[::2], values)


@compiled_only
def test_read_only_arrays_are_passed():
    read_only = np.ones(3)
    read_only.flags.writeable = False
    signature = _pointers.Signature(np.float64, [(np.float64, 1)])
    call = signature.call

    @_compile.kernel
    def first(values):
        return values[0]

    @_compile.kernel
    def caller(function, values):
        return call(function, (values,))

    assert caller(signature.address(first), read_only) == 1


def targets_of(kind, n_classes):
    weight = np.array([0.1, 0.2, 0.3, 0.4])
    if kind == "labels":
        return Targets(n_classes, weight, labels=np.array([0, 1, n_classes - 1, 0], dtype=np.int32))
    proba = np.random.default_rng(0).dirichlet(np.ones(n_classes), size=4)
    return Targets(n_classes, weight, proba=proba, class_weight=np.ones(n_classes))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_has_the_kernels_that_it_says(name, n_classes):
    bound = LOSSES[name]().bind(targets_of("labels", n_classes))
    kernels, model = bound.kernels.of(bound.n_logits), bound.model.kernels.of(bound.n_logits)
    assert kernels.value_and_gradient_of_labels is not None
    assert (kernels.value_and_gradient_of_proba is not None) == bound.loss.takes_proba
    for kernel in kernels.hessian_product, kernels.curvature, kernels.pairs:
        assert (kernel is not None) == bound.has_hessian
    assert model.curvature is not None


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_one_pass_serves_every_loss(rng, n_classes, dtype, container):
    """It sums what the loss's kernel fills, and is not compiled anew for another loss."""
    X = rng.normal(size=(4, 5)).astype(dtype)
    rows = as_rows(container(X))
    sums, n_compiled = dense.sum_dense if rows.class_major else csr.sum_csr, []
    for name, loss in LOSSES.items():
        targets = targets_of("labels", n_classes)
        bound = loss().bind(targets)
        coef = rng.normal(size=(bound.n_logits, 5)).astype(dtype)
        intercept = np.zeros(bound.n_logits, dtype)
        params = (coef if rows.class_major else np.ascontiguousarray(coef.T)), intercept
        logits = np.empty((4, bound.n_logits), dtype)
        rows.score(*params, 0, 4, logits)
        out = np.zeros(params[0].shape), np.zeros(bound.n_logits)
        arguments = bound.arguments(targets)
        value = rows.sum_value_and_gradient(arguments, *params, (0, 4), out)
        np.testing.assert_allclose(arguments.fill_value_and_gradient(0, 4, logits), value, rtol=1e-14, err_msg=name)
        np.testing.assert_allclose(out[1], logits.sum(axis=0, dtype=np.float64), rtol=1e-6, atol=1e-7, err_msg=name)
        n_compiled.append(len(getattr(sums, "overloads", [])))
    assert n_compiled[0] == n_compiled[-1]


FIT = """
import numpy as np
from sksoftmax import SoftmaxRegressionClassifier
X = np.random.default_rng(0).normal(size=(30, 4))
SoftmaxRegressionClassifier(solver="lbfgs", max_iter=2, tol=10.0).fit(X, np.arange(30) % 3)
"""


@compiled_only
@pytest.mark.slow
def test_a_first_fit_compiles_no_other_loss(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(sksoftmax.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", FIT], env=environment, timeout=300, check=True)
    kernels = {path.name.rsplit("-", 1)[0].removeprefix("sksoftmax.kernels.") for path in tmp_path.rglob("*.bin")}
    of_losses = {name.removeprefix("losses.") for name in kernels if name.startswith("losses.")}
    assert "cross_entropy.cross_entropy_labels" in of_losses
    assert of_losses <= {"cross_entropy.cross_entropy_labels", "cross_entropy.cross_entropy_pairs"}
