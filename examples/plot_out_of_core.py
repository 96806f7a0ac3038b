"""
Data larger than memory
=======================

Can a model learn from a file that does not fit into memory? This process allows itself less address space than the file has
bytes, beside what Python and its libraries take, and streams the file in parts to ``partial_fit``.

``python examples/plot_out_of_core.py`` (Linux; the file is 240 MB and is removed)
"""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path

import numpy as np

from sksoftmax import SoftmaxRegressionClassifier
from sksoftmax.solvers import SGD

N_PARTS, PART_ROWS, N_FEATURES, N_CLASSES = 60, 10_000, 100, 5
ALLOWED = 120 * 2**20


def part(number: int, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and labels of a part: classes around centres."""
    rng = np.random.default_rng(number)
    y = rng.integers(N_CLASSES, size=PART_ROWS)
    return (centres[y] + rng.normal(scale=4, size=(PART_ROWS, N_FEATURES))).astype(np.float32), y


def main() -> None:
    centres = np.random.default_rng(0).normal(size=(N_CLASSES, N_FEATURES))
    clf = SoftmaxRegressionClassifier(solver=SGD(learning_rate=0.1, average=True), random_state=0)
    X_test, y_test = part(N_PARTS, centres)
    clf.partial_fit(X_test[:256], y_test[:256], classes=np.arange(N_CLASSES))  # compiles, before memory is scarce
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.f4"
        labels = []
        with path.open("wb") as file:
            for number in range(N_PARTS):
                X, y = part(number, centres)
                X.tofile(file)
                labels.append(y)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + ALLOWED, resource.RLIM_INFINITY))
        print(f"file: {path.stat().st_size / 2**20:.0f} MiB; memory allowed beside libraries: {ALLOWED / 2**20:.0f} MiB")
        try:
            np.fromfile(path, dtype=np.float32)
            raise SystemExit("the file fits into memory: nothing is shown")
        except MemoryError:
            print("read at once: MemoryError")
        clf = SoftmaxRegressionClassifier(solver=SGD(learning_rate=0.1, average=True), random_state=0)
        with path.open("rb") as file:
            for y in labels:
                X = np.fromfile(file, dtype=np.float32, count=PART_ROWS * N_FEATURES).reshape(PART_ROWS, N_FEATURES)
                clf.partial_fit(X, y, classes=np.arange(N_CLASSES))
    print(f"streamed in {clf.n_iter_[0]} parts; accuracy on other rows: {clf.score(X_test[256:], y_test[256:]):.3f}")


if __name__ == "__main__":
    main()
