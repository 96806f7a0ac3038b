"""The data of the benchmarks: Fashion-MNIST, scikit-learn's bundled sets and seeded generators, the same for everyone.

What lives here: ``PROBLEMS``, name → function without arguments → ``Problem``. What doesn't: any timing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.preprocessing import normalize

sys.path.append(str(Path(__file__).resolve().parent.parent / "examples"))
from _fashion_mnist import load_fashion_mnist  # the examples read it too


class Problem(NamedTuple):
    """Rows, labels and the inverse strength of the penalty; ``goals`` are the least ratios wanted at each gap."""

    what: str
    X: NDArray | sparse.csr_array
    y: NDArray
    C: float
    goals: tuple[float, float]


def fashion_mnist(dtype: type, C: float) -> Problem:
    images, labels, *_ = load_fashion_mnist()
    name = f"Fashion-MNIST 60,000 × 784, K = 10, C = {C:g}, {np.dtype(dtype).name}"
    return Problem(name, (images / 255).astype(dtype), labels.astype(np.int64), C, (12, 20))


def bundled(what: str, load: Callable, goals: tuple[float, float], n_rows: int | None = None) -> Problem:
    X, y = load(return_X_y=True)
    name = f"{what} {len(X[:n_rows]):,} × {X.shape[1]}, K = {len(np.unique(y))}"
    return Problem(name, X[:n_rows], y[:n_rows], 1.0, goals)


def table() -> Problem:
    """Return a table that nobody scaled: neighbouring columns correlate by 0.99, scales run from 1e-3 to 1e5."""
    n_rows, n_features, n_classes = 50_000, 30, 7
    rng = np.random.default_rng(0)
    correlation = 0.99 ** np.abs(np.subtract.outer(np.arange(n_features), np.arange(n_features)))
    X = rng.normal(size=(n_rows, n_features)) @ np.linalg.cholesky(correlation).T
    logits = X @ rng.normal(size=(n_features, n_classes)) + rng.normal(size=n_classes)
    y = np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)
    scale = 10 ** rng.uniform(-3, 5, size=n_features)
    return Problem(
        "raw table 50,000 × 30, K = 7, scales 1e-3 to 1e5", (X + rng.normal(size=n_features)) * scale, y, 1.0, (5, 8)
    )


def letters() -> Problem:
    """Return rows like those of the letter recognition data: 16 integer features of 0..15, 26 classes."""
    rng = np.random.default_rng(0)
    centres, y = rng.uniform(2, 13, size=(26, 16)), rng.integers(26, size=20_000)
    X = np.clip(np.rint(centres[y] + 2.5 * rng.normal(size=(len(y), 16)) + rng.normal(size=(len(y), 1))), 0, 15)
    return Problem("letters-like 20,000 × 16, K = 26", X, y, 1.0, (8, 15))


def embeddings(n_rows: int, n_features: int, n_classes: int) -> Problem:
    """Return what the last layer of a network gives: few strong directions, an offset, classes around centres, wrong labels."""
    rng = np.random.default_rng(0)
    spectrum = np.arange(1, n_features + 1) ** -0.5
    rotation = np.linalg.qr(rng.normal(size=(n_features, n_features)))[0]
    y = rng.integers(n_classes, size=n_rows)
    centres = rng.normal(size=(n_classes, n_features))
    X = ((0.6 * centres[y] + rng.normal(size=(n_rows, n_features))) * spectrum) @ rotation + rng.normal(size=n_features)
    wrong = rng.random(n_rows) < 0.05
    y[wrong] = rng.integers(n_classes, size=wrong.sum())
    name = f"embeddings {n_rows:,} × {n_features}, K = {n_classes:,}, float32"
    return Problem(name, X.astype(np.float32), y, 1.0, (5, 8))


def text(n_rows: int = 100_000, n_columns: int = 50_000, n_classes: int = 20) -> Problem:
    """Return a bag of words: columns as frequent as Zipf has it, each class with its own words, one row in ten mislabelled."""
    n_words = 60
    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(1, n_columns + 1)
    y = rng.integers(n_classes, size=n_rows)
    words = rng.choice(n_columns, size=(n_rows, n_words), p=frequency / frequency.sum())
    # A quarter of the words are drawn from the class's own order of the vocabulary.
    own = rng.random((n_rows, n_words)) < 0.25
    orders = np.stack([rng.permutation(n_columns) for _ in range(n_classes)])
    words = np.where(own, orders[y[:, None], words], words)
    wrong = rng.random(n_rows) < 0.1
    y[wrong] = rng.integers(n_classes, size=wrong.sum())
    rows = np.repeat(np.arange(n_rows, dtype=np.int32), n_words)
    shape = (n_rows, n_columns)
    counts = sparse.csr_array((np.ones(words.size), (rows, words.ravel().astype(np.int32))), shape=shape)
    counts.sum_duplicates()
    idf = np.log((1 + n_rows) / (1 + np.bincount(counts.indices, minlength=n_columns))) + 1
    counts.data *= idf[counts.indices]
    X = normalize(counts)
    name = f"text CSR {n_rows:,} × {n_columns:,}, {X.nnz / n_rows:.0f} a row, K = {n_classes}"
    return Problem(name, X, y, 1.0, (3, 5))


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "iris": lambda: bundled("iris", load_iris, (2, 2)),
    "wine": lambda: bundled("wine", load_wine, (5, 8)),
    "breast-cancer": lambda: bundled("breast cancer", load_breast_cancer, (5, 8)),
    "digits": lambda: bundled("digits", load_digits, (2, 2)),
    "digits-500": lambda: bundled("digits", load_digits, (2, 2), 500),
    "table": table,
    "letters": letters,
    "text": text,
    "embeddings-100": lambda: embeddings(50_000, 768, 100),
    "embeddings-1000": lambda: embeddings(20_000, 512, 1_000),
} | {
    f"fashion-{C:g}-{np.dtype(dtype).name}": lambda dtype=dtype, C=C: fashion_mnist(dtype, C)
    for dtype in (np.float32, np.float64)
    for C in (0.01, 1, 100)
}
