"""The benchmark of solvers as told: two Markdown tables and a plot, made of curves alone.

What lives here: ``report`` and ``plot``. What doesn't: measuring, and the file of curves.

A time that was not seen is an interval: from the end of the run to infinity where the limit ended it, infinity alone where the
solver gave up by itself. A ratio of times is the interval of what it can be, and a goal is missed where all of it is below.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from _curves import GAPS, Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

OURS, PEER, EXTENSION, TORCH = "sksoftmax", "scikit-learn", "scikit-learn-intelex", "torch"
AUTO = f"{OURS} auto"
# What "auto" may take of the time of the best of our solvers.
AUTO_AT_MOST = 1.3
# A reported value further from that in float64 is worth a word: a tenth of the smallest gap.
MAX_DEVIATION = GAPS[-1] / 10


class Interval(NamedTuple):
    """Where a number lies; low and high are the same for one that is known."""

    low: float
    high: float

    def __str__(self) -> str:
        if self.low == self.high:
            return "never" if np.isinf(self.low) else f"{self.low:.3g}"
        if np.isinf(self.high):
            return f"> {self.low:.3g}" if self.low > 0 else "–"
        return f"< {self.high:.3g}"


UNKNOWN = Interval(0, np.inf)


def seconds(curve: Curve, gap: int) -> Interval:
    found = curve.median_seconds(gap)
    if np.isinf(found) and curve.ended == "limit":
        # A ladder of fits ends before the limit where its next rung would pass it.
        return Interval(min(curve.limit, curve.lasted), np.inf)
    return Interval(found, found)


def quotient(top: Interval, bottom: Interval) -> Interval:
    if np.isinf(top.high) and np.isinf(bottom.high):
        return UNKNOWN
    return Interval(top.low / bottom.high, top.high / bottom.low)


def family(curve: Curve) -> str:
    return curve.competitor.partition(" ")[0]


def solver(curve: Curve) -> str:
    return curve.competitor.partition(" ")[2]


def fastest(curves: list[Curve], gap: int) -> Curve | None:
    """Return the curve that reaches the gap first; one that may still get there comes before one that gave up."""
    return min(curves, key=lambda curve: seconds(curve, gap)[::-1], default=None)


# --------------------------------------------------------------------------------------------------------------------
# tables


def report(curves: list[Curve]) -> str:
    """Return the tables, and what they were measured with, as Markdown."""
    groups = [list(group) for _, group in groupby(_sorted(curves), key=lambda curve: (curve.problem, curve.threads))]
    groups = [group for group in groups if any(curve.competitor == AUTO for curve in group)]
    parts = [
        "### Ours against others\n",
        f"Median seconds until the objective is within a relative gap of its optimum; ours is `{AUTO}`. `>`: not there when "
        "the limit ended the run. `never`: the solver gave up before. `open`: a longer limit would tell if the goal is met.\n",
        _table(_peer_header(), [_peer_row(group) for group in groups]),
        "\n### `auto` against the best of our own\n",
        _table(_own_header(), [_own_row(group) for group in groups]),
        "\n### Measured with\n",
        *_provenance(curves),
        *_deviations(curves),
    ]
    return "\n".join(parts)


def _sorted(curves: list[Curve]) -> list[Curve]:
    """Return the curves problem by problem, in the order in which these first appear."""
    order = {problem: i for i, problem in reversed(list(enumerate(curve.problem for curve in curves)))}
    return sorted(curves, key=lambda curve: (order[curve.problem], curve.threads))


def _table(header: list[str], rows: list[list[str]]) -> str:
    alignment = [":--" if name in ("problem", "goal", "fastest") else "--:" for name in header]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, alignment, *rows))


def _short(gap: float) -> str:
    return f"{gap:.0e}".replace("e-0", "e-")


def _peer_header() -> list[str]:
    columns = [[f"ours to {_short(gap)}", "scikit-learn", "fastest", "peer/ours", "goal"] for gap in GAPS]
    others = [f"{name}/ours, {' and '.join(map(_short, GAPS))}" for name in ("intelex", "torch")]
    return ["problem", "threads", *(name for part in columns for name in part), *others]


def _peer_row(group: list[Curve]) -> list[str]:
    ours = next(curve for curve in group if curve.competitor == AUTO)
    cells = [ours.what, str(ours.threads)]
    for gap, goal in enumerate(ours.goals):
        peer = fastest([curve for curve in group if family(curve) == PEER], gap)
        cells.append(str(seconds(ours, gap)))
        if peer is None:
            cells += ["", "", "", f"≥ {goal:g}"]
            continue
        ratio = quotient(seconds(peer, gap), seconds(ours, gap))
        cells += [str(seconds(peer, gap)), solver(peer), str(ratio), f"≥ {goal:g}{_verdict(ratio, at_least=goal)}"]
    return cells + [_both_gaps([curve for curve in group if family(curve) == other], ours) for other in (EXTENSION, TORCH)]


def _verdict(ratio: Interval, *, at_least: float) -> str:
    if ratio.low >= at_least:
        return ""
    return " **missed**" if ratio.high < at_least else " open"


def _both_gaps(peers: list[Curve], ours: Curve) -> str:
    return ", ".join(str(quotient(seconds(peer, gap), seconds(ours, gap))) for peer in peers for gap in range(len(GAPS)))


def _own_header() -> list[str]:
    columns = [[f"auto to {_short(gap)}", "best", "fastest", "auto/best", "goal"] for gap in GAPS]
    return ["problem", "threads", *(name for part in columns for name in part)]


def _own_row(group: list[Curve]) -> list[str]:
    auto = next(curve for curve in group if curve.competitor == AUTO)
    cells = [auto.what, str(auto.threads)]
    for gap in range(len(GAPS)):
        best = fastest([curve for curve in group if family(curve) == OURS and curve is not auto], gap)
        cells.append(str(seconds(auto, gap)))
        if best is None:
            cells += ["", "", "", f"≤ {AUTO_AT_MOST}"]
            continue
        ratio = quotient(seconds(auto, gap), seconds(best, gap))
        missed = " **missed**" if ratio.low > AUTO_AT_MOST else ""
        cells += [str(seconds(best, gap)), solver(best), str(ratio), f"≤ {AUTO_AT_MOST}{missed}"]
    return cells


def _provenance(curves: list[Curve]) -> list[str]:
    """Return a line for each run of the benchmark: what it measured, and where."""
    problems: dict[str, list[str]] = {}
    for curve in curves:
        names = problems.setdefault(f"limit {curve.limit:g} s; {curve.measured}", [])
        if curve.problem not in names:
            names.append(curve.problem)
    return [f"* {', '.join(names)}: {measured}" for measured, names in problems.items()]


def _deviations(curves: list[Curve]) -> list[str]:
    """Return a line for each competitor whose reported values are off by more than the smallest gap allows."""
    off = [curve for curve in curves if not abs(curve.deviation) <= MAX_DEVIATION]
    return [
        f"* {curve.competitor}, {curve.problem}, threads {curve.threads}: the last value that it reported was off by "
        f"{curve.deviation:.0e} of the value in float64"
        for curve in off
    ]


# --------------------------------------------------------------------------------------------------------------------
# plot

# Okabe and Ito's colours, which colour-blind people tell apart; "auto" is the wide line under the solver that it chose.
STYLES: dict[str, dict] = {
    AUTO: {"color": "#E69F00", "linewidth": 5, "alpha": 0.55},
    f"{OURS} block-lbfgs": {"color": "#0072B2"},
    f"{OURS} lbfgs": {"color": "#009E73"},
    f"{OURS} newton-cg": {"color": "#CC79A7"},
    f"{OURS} newton-cholesky": {"color": "#D55E00"},
    f"{PEER} lbfgs": {"color": "#444444", "linestyle": "--"},
    f"{PEER} newton-cg": {"color": "#444444", "linestyle": "-."},
    f"{PEER} newton-cholesky": {"color": "#444444", "linestyle": ":"},
    f"{PEER} saga": {"color": "#444444", "linestyle": "--", "marker": "^"},
    f"{EXTENSION} lbfgs": {"color": "#888888", "linestyle": "--", "marker": "x"},
    f"{TORCH} lbfgs": {"color": "#888888", "linestyle": "--", "marker": "s"},
}
PANEL = (4.2, 3.3)  # inches
MOST_COLUMNS = 3  # of a picture that is looked at in a column of text
FONT_SIZE = 12
TITLE_WIDTH = 36  # characters


def plot(curves: list[Curve], path: Path) -> None:
    """Draw one panel a problem, with the most threads that it was measured with."""
    figure = draw(curves)
    figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)


def draw(curves: list[Curve]) -> Figure:
    """Return the picture; the legend stands in the panels that are left over, or below."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # The same curves give the same file.
    with mpl.rc_context({"svg.hashsalt": "sksoftmax", "font.size": FONT_SIZE}):
        problems = list(dict.fromkeys(curve.problem for curve in curves))
        threads = {name: max(curve.threads for curve in curves if curve.problem == name) for name in problems}
        n_columns = min(MOST_COLUMNS, len(problems))
        n_rows = -(-len(problems) // n_columns)
        in_free_panels = n_rows * n_columns - len(problems) >= 2
        height = n_rows * PANEL[1] + (0 if in_free_panels else 0.3 * -(-len(STYLES) // n_columns))
        figure = Figure(figsize=(n_columns * PANEL[0], height), layout="constrained")
        axes = figure.subplots(n_rows, n_columns, squeeze=False)
        one = len(set(threads.values())) == 1
        handles: dict = {}
        for problem, ax in zip(problems, axes.flat, strict=False):
            own = [curve for curve in curves if (curve.problem, curve.threads) == (problem, threads[problem])]
            handles |= _panel(ax, own)
            title = fill(own[0].what, TITLE_WIDTH)
            ax.set_title(title if one else f"{title}\n{_threads(threads[problem])}", fontsize="medium")
        for ax in axes.flat[len(problems) :]:
            ax.set_axis_off()
        figure.supylabel("relative gap to the optimum", fontsize="medium")
        told = f", {_threads(threads[problems[0]])}" if one else ""
        figure.supxlabel(f"seconds since the fit began{told}", fontsize="medium")
        _legend(figure, axes.flat[len(problems) :], [(handles[name], name) for name in STYLES if name in handles])
        figure.draw_without_rendering()
    return figure


def _threads(number: int) -> str:
    return f"{number} thread{'s' if number > 1 else ''}"


def _legend(figure: Figure, empty: Sequence[Axes], content: list[tuple[Line2D, str]]) -> None:
    """Draw the legend: in two free panels or more in two columns that begin in the first, else above all panels."""
    names = {"handles": [handle for handle, _ in content], "labels": [name for _, name in content], "frameon": False}
    if len(empty) >= 2:
        empty[0].legend(**names, loc="upper left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0).set_in_layout(False)
    else:
        # Not below: there is the label of the seconds.
        figure.legend(**names, loc="outside upper center", ncols=min(3, figure.axes[0].get_gridspec().ncols))


def _panel(ax: Axes, curves: list[Curve]) -> dict[str, Line2D]:
    lines = {}
    for curve in curves:
        style = {"linewidth": 1.8, "markersize": 5, "markevery": 0.15} | STYLES.get(curve.competitor, {})
        times, gaps = np.array(curve.points).T
        # The best value so far stays until the next evaluation has returned.
        (lines[curve.competitor],) = ax.plot(times, np.maximum(gaps, GAPS[-1] / 10), drawstyle="steps-post", **style)
    for gap in GAPS:
        ax.axhline(gap, color="#BBBBBB", linewidth=0.8, zorder=0)
    ax.set(xscale="log", yscale="log", ylim=(GAPS[-1] / 3, None))
    ax.set_yticks([10.0**power for power in range(-6, 3, 2) if 10.0**power < ax.get_ylim()[1]])
    ax.minorticks_off()
    return lines
