"""Fair timing of two implementations against each other, and the tables that it is told in."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata

import numba
import numpy as np
import scipy
import sklearn

import sksoftmax


@dataclass(frozen=True)
class Row:
    """One comparison; ``goal`` is the least ratio peer/ours that is wanted, None where there is no goal."""

    what: str
    dtype: str
    threads: int
    peer: float
    ours: float
    goal: float | None

    @property
    def ratio(self) -> float:
        return self.peer / self.ours


def interleaved(
    peer: Callable[[], object], ours: Callable[[], object], *, repeats: int, pause: float = 0.1
) -> tuple[float, float]:
    """Return the median seconds of each, the two taking turns so that a slow spell of the machine meets both.

    Worker threads of BLAS and OpenMP spin for tens of milliseconds after a call and take a core from whatever comes next:
    the pause lets them fall asleep. What the caches lose meanwhile comes back with a call that is not timed, as the
    evaluations of a fit follow on each other.
    """
    seconds: tuple[list[float], list[float]] = [], []
    peer(), ours()  # compiles, loads libraries, fills caches
    for _ in range(repeats):
        for function, taken in zip((peer, ours), seconds, strict=True):
            time.sleep(pause)
            function()
            began = time.perf_counter()
            function()
            taken.append(time.perf_counter() - began)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def table(rows: list[Row], unit: str, scale: float) -> str:
    """Return a Markdown table; peer and ours are multiplied by scale to be in unit."""
    lines = [
        f"| what | dtype | threads | peer {unit} | ours {unit} | peer/ours | goal |",
        "|:--|:--|--:|--:|--:|--:|:--|",
    ]
    for row in rows:
        goal = "" if row.goal is None else f"≥ {row.goal:.3g}" + ("" if row.ratio >= row.goal else " **missed**")
        lines.append(
            f"| {row.what} | {row.dtype} | {row.threads} | {row.peer * scale:.4g} | {row.ours * scale:.4g} "
            f"| {row.ratio:.2f} | {goal} |"
        )
    return "\n".join(lines)


def heading(*optional: str) -> str:
    """Return what the numbers were measured with, where and when; of the optional packages those that are installed."""
    versions = [f"{module.__name__} {module.__version__}" for module in (sksoftmax, sklearn, np, scipy, numba)]
    for package in optional:
        with suppress(metadata.PackageNotFoundError):
            versions.append(f"{package} {metadata.version(package)}")
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {', '.join(versions)}; "
        f"{os.cpu_count()} CPUs ({_cpu()}), {platform.system()}, load average {os.getloadavg()[0]:.1f} at the start"
    )


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
