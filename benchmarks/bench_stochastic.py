"""Seconds an epoch of minibatch SGD, against others: ``python benchmarks/bench_stochastic.py``.

Each competitor makes plain SGD epochs of the same rows at the same batch size (SGDClassifier, one row a step and K problems
one versus rest, has twice the time). Two threads; PyTorch is left out where it is not installed.
"""

from __future__ import annotations

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
from sklearn.neural_network import MLPClassifier

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.solvers import SGD

BATCH, RATE, EPOCHS, REPEATS = 256, 0.1, 3, 3


def epoch_seconds(fit: Callable[[int], object]) -> float:
    """Return the least seconds of one more epoch: what a fit validates and evaluates beside its epochs is left out."""
    fit(1)
    taken = {1: np.inf, 1 + EPOCHS: np.inf}
    for _ in range(REPEATS):
        for n_epochs in taken:
            time.sleep(0.1)
            began = time.perf_counter()
            fit(n_epochs)
            taken[n_epochs] = min(taken[n_epochs], time.perf_counter() - began)
    return (taken[1 + EPOCHS] - taken[1]) / EPOCHS


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


def main() -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(heading("torch"))
    images, text = PROBLEMS["fashion-1-float32"](), PROBLEMS["text"]()
    own = epoch_seconds(ours(images))
    rows = [Row("Fashion-MNIST: MLPClassifier", "float32", 2, epoch_seconds(mlp(images)), own, 5)]
    if find_spec("torch"):
        rows.append(Row("Fashion-MNIST: torch, tensors", "float32", 2, epoch_seconds(torch_fit(images, loader=False)), own, 5))
        rows.append(
            Row("Fashion-MNIST: torch, DataLoader", "float32", 2, epoch_seconds(torch_fit(images, loader=True)), own, 20)
        )
    sparse = epoch_seconds(ours(text))
    rows.append(Row(f"{text.what}: SGDClassifier", "float64", 2, epoch_seconds(one_versus_rest(text)), sparse, 2))
    print(table(rows, "ms an epoch", 1e3))


if __name__ == "__main__":
    main()
