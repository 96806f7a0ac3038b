"""What is kept of the runs: a JSON file with one line a curve, that any run of the benchmark adds to.

What lives here: ``Curve``, how it is made of runs, and its file. What doesn't: runs themselves, tables, plots.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from _competitors import Run

GAPS = (1e-3, 1e-6)
MAX_POINTS = 200


class Curve(NamedTuple):
    """One competitor on one problem: all runs' seconds to each gap, and the median run in full.

    The median run alone is kept as a curve: runs of the same solver take the same steps and differ in the machine's noise only,
    which ``seconds`` shows. Its points are those that lower the best value so far, at most ``MAX_POINTS`` of them.
    """

    problem: str
    what: str
    goals: tuple[float, float]
    competitor: str
    threads: int
    limit: float
    measured: str  # date, versions, machine
    ended: str  # by "target", "limit" or "itself"
    lasted: float  # seconds
    evaluations: int
    deviation: float  # of the last reported value from that in float64
    seconds: list[list[float | None]]  # runs × gaps, None where the gap was not reached
    points: list[tuple[float, float]]  # seconds and relative gap to the optimum

    def median_seconds(self, gap: int) -> float:
        """Return the median run's seconds to the gap of this position in ``GAPS``; infinity if it was not reached."""
        return statistics.median(np.inf if run[gap] is None else run[gap] for run in self.seconds)


def seconds_to(run: Run, level: float) -> float:
    """Return when the run is first at or below level; infinity if never."""
    return next((point.seconds for point in run.points if point.value <= level), np.inf)


def seconds_to_gaps(run: Run, best: float) -> tuple[float, ...]:
    return tuple(seconds_to(run, best * (1 + gap)) for gap in GAPS)


def median_run(runs: list[Run], best: float) -> Run:
    """Return the run whose seconds to the smallest gap are the median, the higher one of an even number."""
    return sorted(runs, key=lambda run: seconds_to_gaps(run, best)[::-1])[len(runs) // 2]


def thinned(run: Run, best: float) -> list[tuple[float, float]]:
    """Return seconds and relative gap of the points that lower the best value so far."""
    values = np.nan_to_num([point.value for point in run.points], nan=np.inf, posinf=np.inf)
    before = np.minimum.accumulate(np.concatenate([[np.inf], values[:-1]]))
    lowering = np.flatnonzero(values < before)
    if len(lowering) > MAX_POINTS:
        # Dense at the start, as the axis of time is logarithmic.
        lowering = lowering[np.unique(np.geomspace(1, len(lowering), MAX_POINTS).astype(int)) - 1]
    return [(_rounded(run.points[i].seconds), _rounded(values[i] / best - 1)) for i in lowering.tolist()]


def all_seconds(runs: list[Run], best: float) -> list[list[float | None]]:
    return [[None if np.isinf(s) else _rounded(s) for s in seconds_to_gaps(run, best)] for run in runs]


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")


def read(path: Path) -> list[Curve]:
    return [Curve(**record) for record in json.loads(path.read_text())] if path.exists() else []


def merge(path: Path, new: list[Curve], *, in_part: bool) -> None:
    """Replace the file's curves of the new ones' problems and threads, or, in part, of the same competitors only."""

    def key(curve: Curve) -> tuple:
        return (curve.problem, curve.threads, curve.competitor if in_part else None)

    replaced = {key(curve) for curve in new}
    write(path, [curve for curve in read(path) if key(curve) not in replaced] + new)


def write(path: Path, curves: list[Curve]) -> None:
    lines = [json.dumps(curve._asdict(), ensure_ascii=False) for curve in curves]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
