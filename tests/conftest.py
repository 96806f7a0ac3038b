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


SMALL_BLOCKS = {
    "data.batches.GATHER_BYTES": 2**10,
    "data.csr_rows.SQUARED_NORM_ROWS": 8,
    "data.rows.BLOCK_BYTES": 2**10,
    "data.rows.MAX_BLOCK_ROWS": 8,
    "data.rows.MIN_BLOCK_ROWS": 8,
    "data.rows.SEGMENT_WORK": 1,
    "calibration._inputs.BLOCK_ROWS": 8,
    "data.arrays.BLOCK_ROWS": 8,
    "calibration._likelihood.BLOCK_SIZE": 2**5,
    "calibration._likelihood.SEGMENT_SIZE": 2**6,
    "calibration.ensemble.BLOCK_ROWS": 8,
    "calibration._scaling.TRANSFORM_NUMBERS": 2**5,
    "objectives.hessian.PANEL": 2,
    "objectives.class_blocks.RUN": 2,
    "objectives.class_blocks.STEP_NUMBERS": 1,
    "objectives.logit_scaling.BLOCK_NUMBERS": 2**5,
    "objectives.logit_scaling.SEGMENT_NUMBERS": 2**6,
    "objectives.hessian.HESSIAN_ROWS": 8,
    "fitting.validation.BLOCK_BYTES": 2**8,
    "fitting.validation.MIN_BLOCK_ROWS": 8,
}


@pytest.fixture
def small_blocks(monkeypatch):
    """Cut rows into so short blocks, segments and steps that every sum over some dozens of rows is one over several of each."""
    for name, value in SMALL_BLOCKS.items():
        monkeypatch.setattr(f"sksoftmax.{name}", value)


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
