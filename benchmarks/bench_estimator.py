"""The estimator against scikit-learn's LogisticRegression: ratios from one run, as Markdown.

``python benchmarks/bench_estimator.py`` runs all sections, or those named: evaluation, predict, memory, startup.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _measure import Row, heading, interleaved, table
from _peak_memory import MAX_ITER, N_CLASSES, N_ROWS
from numpy.typing import NDArray
from scipy import sparse
from sklearn._loss import HalfMultinomialLoss
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model._linear_loss import LinearModelLoss
from sklearn.preprocessing import normalize
from threadpoolctl import ThreadpoolController, threadpool_limits

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.data.dataset import in_memory
from sksoftmax.losses import CrossEntropy, Targets
from sksoftmax.objectives.linear import LinearObjective
from sksoftmax.penalties import L2

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "examples"))
from _fashion_mnist import load_fashion_mnist  # noqa: E402  # the examples read it too

THREADS = (1, 2)


class Data(NamedTuple):
    what: str
    X: NDArray | sparse.csr_array
    y: NDArray[np.int32]
    n_classes: int


def fashion_mnist() -> Data:
    images, labels, *_ = load_fashion_mnist()
    return Data("Fashion-MNIST 60,000 x 784, K=10", images / 255, labels.astype(np.int32), 10)


def zipf_csr() -> Data:
    """Return rows like those of a bag of words: few columns are frequent, most are rare."""
    n_rows, n_columns, n_words, n_classes = 20_000, 20_000, 50, 20
    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(1, n_columns + 1)
    columns = rng.choice(n_columns, size=n_rows * n_words, p=frequency / frequency.sum()).astype(np.int32)
    rows = np.repeat(np.arange(n_rows, dtype=np.int32), n_words)
    X = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(n_rows, n_columns))
    X.sum_duplicates()
    y = rng.integers(n_classes, size=n_rows).astype(np.int32)
    return Data(f"CSR 20,000 x 20,000, {X.nnz / n_rows:.0f} a row, K={n_classes}", normalize(X), y, n_classes)


# --------------------------------------------------------------------------------------------------------------------
# one evaluation of loss and gradient


def evaluation(repeats: int) -> str:
    rows = [
        _evaluation_row(data, dtype, n_threads, repeats)
        for data in (fashion_mnist(), zipf_csr())
        for dtype in (np.float64, np.float32)
        for n_threads in THREADS
    ]
    return table(rows, "ms", 1e3)


def _evaluation_row(data: Data, dtype: type, n_threads: int, repeats: int) -> Row:
    X, y, alpha = data.X.astype(dtype), data.y, 1 / len(data.y)
    rng = np.random.default_rng(0)
    coef, intercept = 0.05 * rng.normal(size=(data.n_classes, X.shape[1])), rng.normal(size=data.n_classes)
    # scikit-learn keeps each feature's coefficients of all classes together.
    peer_params = np.column_stack([coef, intercept]).ravel(order="F").astype(dtype)
    peer_loss = LinearModelLoss(base_loss=HalfMultinomialLoss(n_classes=data.n_classes), fit_intercept=True)
    peer_y = y.astype(dtype)
    targets = Targets(data.n_classes, np.full(len(y), 1 / len(y)), labels=y)
    bound = CrossEntropy().bind(targets)
    pools = ThreadpoolController()  # found once: looking for them takes longer than setting their limits
    with ThreadPoolExecutor(n_threads) as executor:
        pool = executor if n_threads > 1 else None
        rows = in_memory(X, targets, pool=pool, n_threads=n_threads)
        objective = LinearObjective(rows, bound, L2(), alpha, fit_intercept=True)
        params = objective.pack(coef, intercept)

        def ours() -> tuple[float, NDArray]:
            with pools.limit(limits=1, user_api="blas"):  # as in a fit: our own threads fill the cores
                return objective.value_and_gradient(params)

        def peer() -> tuple[float, NDArray]:
            with pools.limit(limits=n_threads):
                return peer_loss.loss_gradient(peer_params, X, peer_y, None, alpha, n_threads)

        _check_agreement(peer(), ours(), objective, dtype)
        taken = interleaved(peer, ours, repeats=repeats)
    return Row(data.what, np.dtype(dtype).name, n_threads, *taken, goal=1.5)


def _check_agreement(peer: tuple, ours: tuple, objective: LinearObjective, dtype: type) -> None:
    tolerance = 1e-10 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(ours[0], peer[0], rtol=tolerance)
    gradient = np.column_stack(objective.unpack(ours[1])).ravel(order="F")
    np.testing.assert_allclose(gradient, peer[1], rtol=0, atol=tolerance * np.abs(peer[1]).max())


# --------------------------------------------------------------------------------------------------------------------
# predicting


def predict(repeats: int) -> str:
    data = fashion_mnist()
    peer, ours = (_briefly_fitted(model, data) for model in (LogisticRegression, SoftmaxRegressionClassifier))
    ours.coef_, ours.intercept_ = peer.coef_, peer.intercept_
    np.testing.assert_allclose(ours.predict_proba(data.X), peer.predict_proba(data.X), atol=1e-12)
    rows = []
    for n_threads in THREADS:
        with threadpool_limits(n_threads):
            taken = interleaved(lambda: peer.predict_proba(data.X), lambda: ours.predict_proba(data.X), repeats=repeats)
            rows.append(Row("predict_proba of 60,000 x 784, K=10", "float64", n_threads, *taken, goal=1))
            taken = interleaved(_single_rows(peer, data.X), _single_rows(ours, data.X), repeats=repeats)
            rows.append(Row("predict_proba of one row", "float64", n_threads, *(t / SINGLE_ROWS for t in taken), goal=1 / 1.2))
    return table(rows, "ms", 1e3)


SINGLE_ROWS = 200


def _briefly_fitted(model: type, data: Data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model(solver="lbfgs", max_iter=20).fit(data.X[:2000], data.y[:2000])


def _single_rows(model, X: NDArray) -> Callable[[], None]:
    def call() -> None:
        for i in range(SINGLE_ROWS):
            model.predict_proba(X[i : i + 1])

    return call


# --------------------------------------------------------------------------------------------------------------------
# memory


def memory(repeats: int) -> str:
    rows = []
    for n_features in (64, 512):
        peaks = {which: [] for which in ("peer", "ours")}
        for _ in range(min(repeats, 3)):  # it hardly varies
            for which, taken in peaks.items():
                taken.append(int(_run([str(HERE / "_peak_memory.py"), which, str(n_features)])))
        what = f"fit of {N_ROWS:,} x {n_features}, K={N_CLASSES:,}, lbfgs, max_iter={MAX_ITER}"
        medians = (statistics.median(taken) for taken in peaks.values())
        rows.append(Row(what, "float64", os.cpu_count(), *medians, goal=10))
    return table(rows, "MiB", 2**-20)


# --------------------------------------------------------------------------------------------------------------------
# a fresh process: import and first fit


def startup(repeats: int) -> str:
    imports = {
        "peer": "from sklearn.linear_model import LogisticRegression as Model",
        "ours": "from sksoftmax import SoftmaxRegressionClassifier as Model",
    }
    rows = []
    for n_threads in THREADS:
        for what, model in _startup_models():
            scripts = {
                which: f"from sklearn.datasets import load_digits\n{imports[which]}\n{model[which]}" for which in imports
            }
            medians = _interleaved_processes(scripts, n_threads, repeats)
            rows.append(Row(what, "float64", n_threads, *medians, goal=1 / 1.5))
    return table(rows, "s", 1)


def _interleaved_processes(scripts: dict[str, str], n_threads: int, repeats: int) -> Iterator[float]:
    seconds = {which: [] for which in scripts}
    for i in range(repeats + 1):
        for which, script in scripts.items():
            began = time.perf_counter()
            _run(["-W", "ignore", "-c", script], OMP_NUM_THREADS=str(n_threads))
            if i > 0:  # the first run of each fills the compile cache
                seconds[which].append(time.perf_counter() - began)
    return (statistics.median(taken) for taken in seconds.values())


def _startup_models() -> Iterator[tuple[str, dict[str, str]]]:
    digits = "*load_digits(return_X_y=True)"
    ours = f"Model().fit({digits})"
    yield "import and fit of digits, LogisticRegression()", {"peer": ours, "ours": ours}
    converged = f"Model(max_iter=1000).fit({digits})"
    yield "the same, LogisticRegression(max_iter=1000)", {"peer": converged, "ours": ours}
    yield "import alone", {"peer": "", "ours": ""}


def _run(arguments: list[str], **variables: str) -> str:
    # Bytecode is cached as in any installation, even where this shell turns that off.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"} | variables
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=HERE, check=True, capture_output=True, text=True
    ).stdout


SECTIONS = {
    "evaluation": (evaluation, "One evaluation of loss and gradient; the peer is what LogisticRegression evaluates"),
    "predict": (predict, "Probabilities, with the same coefficients"),
    "memory": (memory, "Peak extra memory of a fit"),
    "startup": (startup, "A fresh process, compile cache warm"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    # argparse holds the empty list of a bare call to be a choice too.
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], metavar="SECTION", help="all by default")
    parser.add_argument("--repeats", type=int, default=7, help="runs of each, of which the median counts")
    parser.add_argument("--output", type=Path, help="Markdown file to write as well")
    arguments = parser.parse_args()
    parts = [f"Medians of {arguments.repeats} interleaved runs after a warm-up. {heading()}."]
    print(parts[0], flush=True)
    for name in arguments.sections or SECTIONS:
        section, title = SECTIONS[name]
        parts.append(f"### {name}\n\n{title}.\n\n{section(arguments.repeats)}")
        print(f"\n{parts[-1]}", flush=True)
    if arguments.output is not None:
        arguments.output.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
