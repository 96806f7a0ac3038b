"""Calibration errors against netcal, torchmetrics, relplot and plain NumPy: ratios of medians, one thread.

``python benchmarks/bench_calibration_errors.py``; peers that are not installed are left out:
``pip install netcal torchmetrics relplot``. NumPy's are as short as the formula lets them be, without checks of the input.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from _measure import Row, heading, interleaved, table
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from sksoftmax.functional import softmax
from sksoftmax.metrics import calibration_test, expected_calibration_error, smooth_calibration_error

N_BINS = 15
SHAPES = ((100_000, 10), (10_000, 1_000))
Peer = Callable[[NDArray, NDArray], Callable[[], float]]


def top_label(proba: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
    return proba.max(axis=1), proba.argmax(axis=1) == y


def numpy_ece(p: NDArray, happened: NDArray) -> float:
    b = np.minimum((p * N_BINS).astype(np.int64), N_BINS - 1)
    return float(np.abs(np.bincount(b, p - happened, N_BINS)).sum() / len(p))


def numpy_top_label(proba: NDArray, y: NDArray) -> Callable[[], float]:
    return lambda: numpy_ece(*top_label(proba, y))


def numpy_class_wise(proba: NDArray, y: NDArray) -> Callable[[], float]:
    return lambda: float(np.mean([numpy_ece(proba[:, k], y == k) for k in range(proba.shape[1])]))


def netcal_ece(proba: NDArray, y: NDArray) -> Callable[[], float]:
    from netcal.metrics import ECE

    return lambda: ECE(N_BINS).measure(proba, y)


def torchmetrics_ece(proba: NDArray, y: NDArray) -> Callable[[], float]:
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    torch.set_num_threads(1)
    tensors = torch.from_numpy(proba), torch.from_numpy(y)
    return lambda: float(multiclass_calibration_error(*tensors, num_classes=proba.shape[1], n_bins=N_BINS))


def relplot_smooth(proba: NDArray, y: NDArray) -> Callable[[], float]:
    import relplot

    return lambda: relplot.smECE(*top_label(proba, y))


def numpy_test(proba: NDArray, y: NDArray, n_resamples: int) -> Callable[[], float]:
    def test() -> float:
        p, happened = top_label(proba, y)
        rng = np.random.default_rng(0)
        draws = [numpy_ece(p, rng.random(len(p)) < p) for _ in range(n_resamples)]
        return float(np.mean(np.array(draws) >= numpy_ece(p, happened)))

    return test


CLASS_WISE = partial(expected_calibration_error, kind="class_wise")
TEST = partial(calibration_test, n_resamples=99)
COMPARISONS: tuple[tuple[str, str, Peer, Callable[..., object], float | None, float], ...] = (
    # what, module of the peer, peer, ours, goal, how far results may be from each other
    ("class-wise ECE, NumPy", "numpy", numpy_class_wise, CLASS_WISE, 3, 1e-6),
    ("top-label ECE, netcal", "netcal", netcal_ece, expected_calibration_error, 1, 1e-6),
    ("top-label ECE, torchmetrics", "torchmetrics", torchmetrics_ece, expected_calibration_error, 1, 1e-4),
    ("top-label ECE, NumPy", "numpy", numpy_top_label, expected_calibration_error, 1, 1e-6),
    ("smooth ECE, relplot", "relplot", relplot_smooth, smooth_calibration_error, 1, 2e-3),
    ("calibration test, 99 draws, NumPy", "numpy", partial(numpy_test, n_resamples=99), TEST, 1, np.inf),
)


def rows(repeats: int, dtype: str) -> Iterator[Row]:
    for n_rows, n_classes in SHAPES:
        rng = np.random.default_rng(0)
        proba = softmax(rng.normal(scale=2, size=(n_rows, n_classes)))
        y = (np.cumsum(proba, axis=1) < rng.uniform(size=(n_rows, 1))).sum(axis=1)
        y[:n_classes] = np.arange(n_classes)
        proba = (proba**1.3 / np.sum(proba**1.3, axis=1, keepdims=True)).astype(dtype)
        for what, module, peer, ours, goal, tolerance in COMPARISONS:
            if importlib.util.find_spec(module) is None:
                continue
            theirs = peer(proba, y)
            if np.isfinite(tolerance):
                distance = abs(theirs() - ours(y, proba))
                what = f"{what} (results {distance:.0e} apart{'' if distance <= tolerance else ', too far'})"
            seconds = interleaved(theirs, partial(ours, y, proba), repeats=repeats)
            yield Row(f"{what}, {n_rows:,} × {n_classes:,}", dtype, 1, *seconds, goal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7, help="runs of each, of which the median counts")
    parser.add_argument("--dtype", nargs="*", default=["float64", "float32"])
    arguments = parser.parse_args()
    print(f"Medians of {arguments.repeats} interleaved runs. {heading('netcal', 'torchmetrics', 'relplot')}.\n")
    with threadpool_limits(1):
        print(table([row for dtype in arguments.dtype for row in rows(arguments.repeats, dtype)], "ms", 1e3))


if __name__ == "__main__":
    main()
