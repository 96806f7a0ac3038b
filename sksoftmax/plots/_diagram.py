"""One panel of a reliability diagram: points, smooth curve, consistency bars, histogram, label of the legend.

What lives here: drawing them, and the bandwidth of the smooth curve. What doesn't: the choice of axes, and curves and tests
(``reliability``, ``metrics``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..metrics import CalibrationTestResult, SmoothReliabilityCurve, smooth_reliability_curve
from ._drawing import GREY

CALIBRATED, BY_CHANCE = "calibrated", "90 % of calibrated models"
REFERENCES = (CALIBRATED, BY_CHANCE)  # labels of artists that models on the same axes share
LEAST_ROWS = 8  # the smooth curve is drawn where it is the mean of at least so many rows
MARGIN = 0.02  # of the axes beyond 0 and 1, so that points there are not clipped

Artists = list[Any]
XY = tuple[NDArray, NDArray]


def draw_diagram(
    ax: Any, points: XY, smooth: XY | None, bars: XY | None, style: dict[str, Any], size: float
) -> tuple[Artists, Artists, Artists]:
    """Draw a model's points, its smooth curve and its consistency bars.

    Parameters
    ----------
    ax : matplotlib Axes
    points : tuple of two ndarray of shape (n_bins,)
        Mean probabilities and frequencies.
    smooth : tuple of two ndarray of shape (n_points,), or None
        Probabilities and frequencies of the smooth curve.
    bars : tuple of two ndarray of shape (n_bins,), or None
        Lower and upper ends of the consistency bars.
    style : dict
        Colour, marker and label of the model, for ``Axes.plot``.
    size : float
        Marker size and width of the bars in points.

    Returns
    -------
    points, lines, bars : lists of matplotlib Line2D
    """
    known = ax.get_legend_handles_labels()[1]
    if CALIBRATED not in known:
        ax.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1, label=CALIBRATED)
    drawn_bars, line = [], []
    if bars is not None:
        wide = {"color": style["color"], "alpha": 0.25, "linewidth": size, "solid_capstyle": "butt", "zorder": 1.5}
        # One broken line: the legend's loc="best" avoids lines, but not the collection that vlines draws.
        heights = np.column_stack([*bars, np.full(len(bars[0]), np.nan)]).ravel()
        drawn_bars = ax.plot(np.repeat(points[0], 3), heights, **wide)
        if BY_CHANCE not in known:
            ax.plot([], [], **{**wide, "color": GREY}, label=BY_CHANCE)
    if smooth is not None:
        # The line has no markers, but its entry in the legend does.
        line = ax.plot(*smooth, **{"linewidth": size / 4, "markersize": size, **style, "markevery": []})
        style = {**style, "label": None}
    dots = ax.plot(*points, **{"markersize": size, **style, "linestyle": "none"})
    ticks = [0, 0.5, 1] if size < 6 else np.linspace(0, 1, 6)
    limits = (-MARGIN, 1 + MARGIN)
    ax.set(xlim=limits, ylim=limits, xticks=ticks, yticks=ticks)
    ax.xaxis.set_major_formatter("{x:.3g}")
    ax.yaxis.set_major_formatter("{x:.3g}")
    return dots, line, drawn_bars


def draw_histogram(ax: Any, heights: NDArray, edges: NDArray, style: dict[str, Any]) -> Any:
    """Draw the outline of a histogram over a faint area; return it as a matplotlib StepPatch."""
    ax.stairs(heights, edges, fill=True, color=style["color"], alpha=0.12, zorder=0)
    return ax.stairs(heights, edges, color=style["color"], alpha=0.6, linewidth=0.8, zorder=0)


def legend_label(name: str | None, test: CalibrationTestResult | None) -> str:
    """Return the model's name, with the smooth calibration error and the p-value of its test if there is one."""
    if test is None:
        return "model" if name is None else name
    least = 1 / (1 + len(test.resampled))
    pvalue = f"≤\xa0{least:.2g}" if test.pvalue <= least else f"=\xa0{test.pvalue:.2g}"
    error = f"smECE\xa0=\xa0{test.statistic:.3f}, p\xa0{pvalue}"  # a line ends at the comma only
    return error if name is None else f"{name} ({error})"


def smooth_curve(y_true: ArrayLike, y_proba: ArrayLike, n_rows: float, options: dict[str, Any]) -> SmoothReliabilityCurve:
    """Return the smooth curve, NaN where it is the mean of fewer than ``LEAST_ROWS`` rows.

    The bandwidth is that of density estimation, proportional to n^(-1/5). That of the smooth calibration error equals the
    error: the curve of a calibrated model would follow single rows.
    """
    # With n rows, or 1 / Σ w² of normalised weights (Kish), the mean under a Gaussian kernel of bandwidth h has the variance of
    # a mean of n f(p) h 2 √π rows, f the density of predictions.
    curve = smooth_reliability_curve(y_true, y_proba, bandwidth=0.3 * n_rows**-0.2, **options)
    n_averaged = n_rows * curve.density * curve.bandwidth[:, None] * 2 * np.sqrt(np.pi)
    return replace(curve, prob_true=np.where(n_averaged >= LEAST_ROWS, curve.prob_true, np.nan))
