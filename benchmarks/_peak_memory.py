"""Prints the peak extra memory, in bytes, of one fit in this process: ``python _peak_memory.py {peer,ours} N_FEATURES``.

A process of its own for each measurement: memory that an earlier fit gave back to the allocator would hide what the next one
takes. Linux only.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sksoftmax import SoftmaxRegressionClassifier

N_ROWS, N_CLASSES, MAX_ITER = 20_000, 1000, 5
MODELS = {"peer": LogisticRegression, "ours": SoftmaxRegressionClassifier}


def main(which: str, n_features: int) -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)  # five iterations are not meant to converge
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, n_features))
    y = rng.permutation(np.arange(N_ROWS) % N_CLASSES)
    # No tolerance: all iterations are made, and their history is kept as in a longer fit.
    model = MODELS[which](solver="lbfgs", max_iter=MAX_ITER, tol=0)
    model.fit(X[:60, :3].copy(), y[:60] % 3)  # compiled kernels and libraries are no part of the data's memory
    before = _kilobytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    model.fit(X, y)
    assert model.n_iter_[0] == MAX_ITER, model.n_iter_
    print(1024 * (_kilobytes("VmHWM") - before))


def _kilobytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
