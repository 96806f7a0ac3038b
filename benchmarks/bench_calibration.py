"""Fits of calibrators against scikit-learn, netcal and probmetrics: ratios of medians, and whose loss is less.

``python benchmarks/bench_calibration.py``; peers that are not installed are left out: ``pip install netcal probmetrics``.
The loss is the mean cross-entropy of the rows of the fit, in nats: "+1e-09" says that the peer's is higher by that than ours.
"""

from __future__ import annotations

import argparse
import importlib.util
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from _measure import Row, heading, interleaved, table
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from sksoftmax.calibration import TemperatureScaling
from sksoftmax.functional import cross_entropy, softmax

Fit = Callable[[], float]
"""Fits, returns the temperature."""


def problem(n_rows: int, n_classes: int, dtype: str) -> tuple[NDArray, NDArray]:
    """Logits that are three times too large, and labels, with every class."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(n_rows, n_classes))
    y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return (3 * logits).astype(dtype), y


def ours(logits: NDArray, y: NDArray) -> Fit:
    return lambda: TemperatureScaling().fit(logits, y).temperature_


def scikit_learn(logits: NDArray, y: NDArray) -> Fit:
    from sklearn.calibration import _TemperatureScaling

    return lambda: float(1 / _TemperatureScaling().fit(logits, y).beta_)


def netcal(logits: NDArray, y: NDArray) -> Fit:
    from netcal.scaling import TemperatureScaling as Peer

    proba = softmax(logits.astype(np.float64))  # what it takes; not timed
    return lambda: float(1 / np.ravel(Peer().fit(proba, y, tensorboard=False).weights)[0])


def probmetrics(logits: NDArray, y: NDArray) -> Fit:
    import torch
    from probmetrics.calibrators import get_calibrator
    from probmetrics.distributions import CategoricalLogits

    torch.set_num_threads(1)
    given = CategoricalLogits(torch.from_numpy(logits)), torch.from_numpy(y)

    def fit() -> float:
        calibrator = get_calibrator("temp-scaling")
        calibrator.fit_torch(*given)
        return float(1 / calibrator.invtemp_)

    return fit


PEERS: tuple[tuple[str, Callable[[NDArray, NDArray], Fit]], ...] = (
    ("sklearn", scikit_learn),
    ("netcal", netcal),
    ("probmetrics", probmetrics),
)
SHAPES = {(100_000, 10): 10, (100_000, 100): 8, (10_000, 1_000): 8}
"""Rows, classes: the goal against scikit-learn."""


def rows(shapes: list[str], repeats: int, dtype: str, names: list[str], n_threads: int) -> Iterator[Row]:
    for (n_rows, n_classes), goal in SHAPES.items():
        if f"{n_rows}x{n_classes}" not in shapes:
            continue
        logits, y = problem(n_rows, n_classes, dtype)
        wide = logits.astype(np.float64)
        for name, make in PEERS:
            if name not in names or importlib.util.find_spec(name) is None:
                continue
            peer, mine = make(logits, y), ours(logits, y)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                excess = float(cross_entropy(wide / peer(), y) - cross_entropy(wide / mine(), y))
                seconds = interleaved(peer, mine, repeats=repeats)
            what = f"temperature, {n_rows:,} × {n_classes:,}, {name} (loss {excess:+.0e})"
            yield Row(what, dtype, n_threads, *seconds, goal if name == "sklearn" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    every = [f"{n_rows}x{n_classes}" for n_rows, n_classes in SHAPES]
    parser.add_argument("shapes", nargs="*", default=every, help=f"of {', '.join(every)}")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each, of which the median counts")
    parser.add_argument("--dtype", nargs="*", default=["float64"])
    parser.add_argument("--peers", nargs="*", default=[name for name, _ in PEERS])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    print(f"Medians of {arguments.repeats} interleaved runs. {heading('netcal', 'probmetrics', 'torch')}.\n")
    with threadpool_limits(arguments.threads):
        options = arguments.peers, arguments.threads
        measured = [r for d in arguments.dtype for r in rows(arguments.shapes, arguments.repeats, d, *options)]
    print(table(measured, "ms", 1e3))


if __name__ == "__main__":
    main()
