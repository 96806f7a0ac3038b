"""Fixtures shared by the tests: small problems with every kind of target."""

import signal

import numpy as np
import pytest


@pytest.fixture(autouse=True, scope="session")
def _heed_interrupts():
    """Let Ctrl-C interrupt: a shell starts what runs in its background deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def make_problem(rng):
    """Return a function that makes X, labels and weights of a noisy linear problem."""

    def make(n_rows=60, n_features=5, n_classes=3, dtype=np.float64, noise=1.0):
        X = rng.normal(size=(n_rows, n_features))
        logits = X @ rng.normal(size=(n_features, n_classes)) + rng.gumbel(scale=noise, size=(n_rows, n_classes))
        labels = logits.argmax(axis=1)
        labels[:n_classes] = np.arange(n_classes)  # every class occurs
        return X.astype(dtype), labels, rng.uniform(0.2, 2.0, size=n_rows)

    return make
