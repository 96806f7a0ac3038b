"""Seconds an epoch of minibatch SGD, against others: ``python benchmarks/bench_stochastic.py``.

Each competitor makes plain SGD epochs of the same rows at the same batch size (SGDClassifier, one row a step and K problems
one versus rest, has twice the time). Two threads; PyTorch is left out where it is not installed.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
from _measure import Row, heading, table
from _problems import PROBLEMS, Problem
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax._optional import import_optional
from sksoftmax.solvers import SGD, Adam

BATCH, RATE, EPOCHS, REPEATS = 256, 0.1, 3, 3


def epoch_seconds(competitors: dict[str, Callable[[int], object]]) -> dict[str, float]:
    """Return each one's least seconds of one more epoch, in turn: what a fit does beside its epochs is left out."""
    taken = {name: {1: np.inf, 1 + EPOCHS: np.inf} for name in competitors}
    for fit in competitors.values():
        fit(1)
    for _ in range(REPEATS):
        for name, fit in competitors.items():
            for n_epochs in taken[name]:
                time.sleep(0.1)
                began = time.perf_counter()
                fit(n_epochs)
                taken[name][n_epochs] = min(taken[name][n_epochs], time.perf_counter() - began)
    return {name: (seconds[1 + EPOCHS] - seconds[1]) / EPOCHS for name, seconds in taken.items()}


def ours(problem: Problem) -> Callable[[int], object]:
    solver = SGD(learning_rate=RATE, batch_size=BATCH)
    return lambda n: SoftmaxRegressionClassifier(solver=solver, max_iter=n, tol=None, random_state=0).fit(problem.X, problem.y)


def mlp(problem: Problem) -> Callable[[int], object]:
    params: dict[str, Any] = {
        "solver": "sgd",
        "batch_size": BATCH,
        "learning_rate_init": RATE,
        "momentum": 0.0,
        "random_state": 0,
    }
    return lambda n: MLPClassifier(hidden_layer_sizes=(), max_iter=n, **params).fit(problem.X, problem.y)


def one_versus_rest(problem: Problem) -> Callable[[int], object]:
    return lambda n: SGDClassifier(loss="log_loss", max_iter=n, tol=None, n_jobs=2, random_state=0).fit(problem.X, problem.y)


def torch_fit(problem: Problem, *, loader: bool) -> Callable[[int], object]:
    import torch

    torch.set_num_threads(2)
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)
    data = torch.utils.data.TensorDataset(X, y)

    def fit(n_epochs: int) -> None:
        model = torch.nn.Linear(X.shape[1], int(y.max()) + 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
        for _ in range(n_epochs):
            order = torch.randperm(len(X))
            pieces = ((X[rows], y[rows]) for rows in order.split(BATCH))
            for some_X, some_y in torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True) if loader else pieces:
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(some_X), some_y).backward()
                optimizer.step()

    return fit


def curve(problem: Problem, solver: Any) -> tuple[list[float], list[float]]:
    """Return seconds and cross-entropy on held-out rows after each of some epochs, or iterations, of ours."""
    X, X_val, y, y_val = train_test_split(problem.X, problem.y, test_size=10_000, random_state=0)
    fit = {"X_val": X_val, "y_val": y_val}
    clf = SoftmaxRegressionClassifier(solver=solver, tol=None if solver != "auto" else 1e-4, max_iter=20, random_state=0)
    history = clf.fit(X, y, **fit).solution_.history
    return [each.seconds for each in history], [each.validation_cross_entropy for each in history]


def torch_curve(problem: Problem) -> tuple[list[float], list[float]]:
    """Return the same for PyTorch with tensors indexed; the time of validation counts, as it does for ours."""
    import torch

    torch.manual_seed(0)
    parts = train_test_split(problem.X, problem.y, test_size=10_000, random_state=0)
    X, X_val, y, y_val = map(torch.from_numpy, parts)
    model = torch.nn.Linear(X.shape[1], int(y.max()) + 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    seconds, losses, began = [], [], time.perf_counter()
    for _ in range(20):
        for rows in torch.randperm(len(X)).split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(X[rows]), y[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            losses.append(float(torch.nn.functional.cross_entropy(model(X_val), y_val)))
        seconds.append(time.perf_counter() - began)
    return seconds, losses


def draw(problem: Problem, path: str) -> None:
    """Save validation cross-entropy against seconds."""
    plt = import_optional("matplotlib.pyplot", purpose="The picture")
    solvers = {
        "SGD": SGD(RATE, BATCH),
        "SGD averaged": SGD(RATE, BATCH, average=True),
        "Adam": Adam(1e-3, BATCH),
        "auto": "auto",
    }
    curves = {name: curve(problem, solver) for name, solver in solvers.items()}
    if find_spec("torch"):
        curves["torch SGD, tensors indexed"] = torch_curve(problem)
    figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for (name, (seconds, losses)), marker in zip(curves.items(), "osD^v", strict=False):
        axis.plot(seconds, losses, marker=marker, markersize=4, linestyle="--" if "torch" in name else "-", label=name)
    axis.set(xscale="log", xlabel="seconds", ylabel="cross-entropy on 10,000 held-out images, nats", ylim=(0.38, 0.8))
    axis.set_title("Fashion-MNIST, minibatches of 256, two threads")
    axis.legend()
    figure.savefig(path, dpi=120)
    print(f"Saved {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--plot", help="where to save validation cross-entropy against seconds")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(heading("torch"))
    images, text = PROBLEMS["fashion-1-float32"](), PROBLEMS["text"]()
    dense = {"ours": ours(images), "MLPClassifier": mlp(images)}
    if find_spec("torch"):
        dense |= {"torch, tensors": torch_fit(images, loader=False), "torch, DataLoader": torch_fit(images, loader=True)}
    goals = {"MLPClassifier": 5, "torch, tensors": 5, "torch, DataLoader": 20}
    taken = epoch_seconds(dense)
    own = taken.pop("ours")
    rows = [Row(f"Fashion-MNIST: {name}", "float32", 2, seconds, own, goals[name]) for name, seconds in taken.items()]
    taken = epoch_seconds({"ours": ours(text), "SGDClassifier": one_versus_rest(text)})
    rows.append(Row(f"{text.what}: SGDClassifier", "float64", 2, taken["SGDClassifier"], taken["ours"], 2))
    print(table(rows, "ms an epoch", 1e3))
    if arguments.plot:
        draw(images, arguments.plot)


if __name__ == "__main__":
    main()
