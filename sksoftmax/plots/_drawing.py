"""Colours, axes, legends, and labels shortened to the room that they have, shared by the displays.

What lives here: layout. What doesn't: what a display shows, checks of what it is given (``_inputs``), and matplotlib, which is
imported when something is drawn.
"""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._optional import import_optional

# The palette of Okabe & Ito (2008), distinguishable by colour-blind readers, without its yellow, which is too pale for lines.
BLUE, VERMILION, GREEN, SKY = "#0072B2", "#D55E00", "#009E73", "#56B4E9"
PURPLE, ORANGE, BLACK = "#CC79A7", "#E69F00", "#000000"
GREY = "0.45"
COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
MAX_INCHES = 12.0  # greatest width and height of a figure, so that it fits on a screen
# Width of axes in inches up to which a legend leaves out the references, and up to which its font is smaller.
NARROW, NARROWER = 4.2, 3.0
# Greatest number of square panels: (columns of the figure, side of a panel in inches).
SQUARES = {
    1: (1, 4.5),
    2: (2, 4.0),
    3: (3, 3.4),
    4: (2, 3.2),
    6: (3, 2.9),
    8: (4, 2.6),
    12: (4, 2.5),
    20: (5, 2.2),
    30: (6, 1.9),
}
EM_PER_CHARACTER = 0.58  # mean width of a character, as a multiple of the font size


def given_axes(ax: Any) -> NDArray:
    """Return an axes, or an array or sequence of them, as a vector."""
    return np.ravel(np.asarray(ax, dtype=object))


def one_axes(ax: Any, display: Any, size: tuple[float, float] = (5.2, 5.0)) -> Any:
    """Return the given axes, or those of a new figure of this size in inches."""
    if ax is not None:
        return ax
    pyplot = import_optional("matplotlib.pyplot", purpose=type(display).__name__)
    return pyplot.subplots(figsize=size, layout="constrained")[1]


def panels(ax: Any, n_panels: int, display: Any, *, size: tuple[float, float], n_columns: int, **options: Any) -> NDArray:
    """Return n_panels axes: the first of those given, or those of a new figure.

    Parameters
    ----------
    ax : matplotlib Axes, array of them or None
    n_panels : int
    display : object
        Its class is named if matplotlib is not installed.
    size : tuple of float
        Width and height of a panel of a new figure in inches.
    n_columns : int
        Panels in a row of a new figure.
    **options
        For ``matplotlib.pyplot.subplots``.

    Raises
    ------
    ValueError
        Fewer axes are given than there are panels.
    """
    if ax is not None:
        given = given_axes(ax)
        if len(given) < n_panels:
            raise ValueError(f"ax must be at least {n_panels} axes, one a panel, got {len(given)}.")
        return given[:n_panels]
    pyplot = import_optional("matplotlib.pyplot", purpose=type(display).__name__)
    n_columns = min(n_columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    figsize = (min(MAX_INCHES, n_columns * size[0]), min(MAX_INCHES, n_rows * size[1]))
    figure, grid = pyplot.subplots(n_rows, n_columns, figsize=figsize, squeeze=False, layout="constrained", **options)
    for empty in grid.ravel()[n_panels:]:
        figure.delaxes(empty)
    for lowest in grid.ravel()[max(0, n_panels - n_columns) : n_panels]:
        lowest.tick_params(labelbottom=True)  # shared axes have labels in the last row only
    return grid.ravel()[:n_panels]


def square_layout(n_panels: int) -> tuple[int, float]:
    """Return the number of columns, and the side of a panel in inches, of a figure of n_panels square panels."""
    n_columns = int(np.ceil(np.sqrt(1.2 * n_panels)))
    return next((layout for most, layout in SQUARES.items() if n_panels <= most), (n_columns, MAX_INCHES / n_columns))


def label_panels(axes: NDArray, references: tuple[str, ...], *, xlabel: str, ylabel: str, own: bool) -> Any:
    """Label the axes of panels that show the same models, and draw one legend; return the legend.

    In a new figure (``own``) labels and legend are the figure's, and remain so when further models are drawn on its axes. In
    given axes, labels are at the left and lower edge, and the legend is in the first panel.
    """
    figure = axes[0].figure
    old = [legend for legend in figure.legends if references[0] in [text.get_text() for text in legend.get_texts()]]
    for legend in old:
        legend.remove()
    if own:
        figure.supxlabel(xlabel, fontsize="medium")
        figure.supylabel(ylabel, fontsize="medium")
    if own or old:
        content = _ordered_handles(axes[0], references)
        return figure.legend(*content, loc="outside upper center", ncols=2, frameon=False, fontsize="small")
    label_lowest(axes, xlabel, shared=True)
    for ax in axes:
        place = ax.get_subplotspec()
        if place is None or place.is_first_col():
            ax.set_ylabel(ylabel)
    return draw_legend(axes[0], references, outside=False)


def label_lowest(axes: NDArray, xlabel: str, *, shared: bool = False) -> None:
    """Label the x axis of the panels that have no other panel below.

    If ``shared``, all panels get the same limits, and only the labelled ones have tick labels.
    """
    if shared:
        ends = np.ravel([ax.get_xlim() for ax in axes])
        for ax in axes:
            ax.set_xlim(ends.min(), ends.max())
    for i, ax in enumerate(axes):
        place = ax.get_subplotspec()
        if place is None or not any(_shares_column(other.get_subplotspec(), place) for other in axes[i + 1 :]):
            ax.set_xlabel(xlabel)
        elif shared:
            ax.tick_params(labelbottom=False)


def _shares_column(other: Any, place: Any) -> bool:
    """Return whether two places in a grid have a column in common."""
    return other is not None and other.colspan.start < place.colspan.stop and place.colspan.start < other.colspan.stop


def fit_text(text: Any, inches: float, font_size: float, max_lines: int = 2) -> str:
    """Return the text wrapped to lines of at most this width; what exceeds the last line becomes an ellipsis."""
    width = max(4, int(inches * 72 / (EM_PER_CHARACTER * font_size)))
    return "\n".join(textwrap.wrap(str(text), width, max_lines=max_lines, placeholder=" …")) or str(text)[:width]


def title_panel(ax: Any, text: Any, inches: float, font_size: float = 10.0) -> None:
    """Set a title of at most this width: two lines, or one if the figure has no layout engine to make room for them."""
    fit = shorten if ax.figure.get_layout_engine() is None else fit_text
    ax.set_title(fit(text, inches, font_size), fontsize=font_size)


def shorten(text: Any, inches: float, font_size: float) -> str:
    """Return the text in one line of at most this width, with an ellipsis in its middle: names often differ at their end."""
    name, width = str(text), max(4, int(inches * 72 / (EM_PER_CHARACTER * font_size)))
    kept = width - 1
    return name if len(name) <= width else f"{name[: kept - kept // 3]}…{name[-(kept // 3) :]}"


def width_of(ax: Any) -> float:
    """Return the width of the axes in inches, before a layout engine has moved them."""
    return float(_place(ax).width * ax.figure.bbox.width / ax.figure.dpi)


def height_of(ax: Any) -> float:
    """Return the height of the axes in inches, before a layout engine has moved them."""
    return float(_place(ax).height * ax.figure.bbox.height / ax.figure.dpi)


def _place(ax: Any) -> Any:
    """Return the axes' box in the figure: that of their place in a grid, if they have one."""
    place = ax.get_subplotspec()
    return ax.get_position() if place is None else place.get_position(ax.figure)


def n_models(ax: Any, references: tuple[str, ...] = ()) -> int:
    """Return the number of labelled models on the axes; ``references`` are the labels of artists that they share."""
    return sum(label not in references for label in ax.get_legend_handles_labels()[1])


def next_style(ax: Any, references: tuple[str, ...], kwargs: dict[str, Any] | None) -> dict[str, Any]:
    """Return colour and marker of the next model on the axes, overridden by the user's; aliases become full names."""
    lines = import_optional("matplotlib.lines", purpose="A display")
    cbook = import_optional("matplotlib.cbook", purpose="A display")
    place = n_models(ax, references)
    style = {"color": COLORS[place % len(COLORS)], "marker": MARKERS[place % len(MARKERS)]}
    return {**style, **cbook.normalize_kwargs(kwargs, lines.Line2D)}


def draw_legend(ax: Any, references: tuple[str, ...], *, outside: bool, in_full: bool = False) -> Any:
    """Draw one legend of all models on the axes, references last; return it.

    It is above the axes if ``outside`` or if their legend is there already, else inside, where it covers least. Inside axes of
    at most ``NARROW`` inches (with ``in_full`` ``NARROWER``) the references are left out.
    """
    handles, labels = _ordered_handles(ax, references)
    old = ax.get_legend()
    if outside or (old is not None and old.get_bbox_to_anchor().width == 0):
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2, "frameon": False}
        return ax.legend(handles, labels, fontsize="small", **above)
    width = width_of(ax)
    size = ("x-small", 6.9) if width <= NARROWER else ("small", 8.3)
    if width <= (NARROWER if in_full else NARROW):
        labels = [label for label in labels if label not in references]
    labels = [fit_text(label, 0.75 * width, size[1]) for label in labels]
    legend = ax.legend(handles[: len(labels)], labels, fontsize=size[0], loc="best", framealpha=0.8)
    legend.set_in_layout(False)  # inside the axes it needs no room of its own
    return legend


def _ordered_handles(ax: Any, references: tuple[str, ...]) -> tuple[list[Any], list[str]]:
    """Return handles and labels of a legend, models before references."""
    pairs = sorted(zip(*ax.get_legend_handles_labels(), strict=True), key=lambda pair: pair[1] in references)
    return [handle for handle, _ in pairs], [label for _, label in pairs]


def fade(color: str, share: float) -> tuple[float, float, float]:
    """Return the mixture of a share of the colour, "#rrggbb", and white, as RGB in [0, 1]."""
    channels = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (1 - share * (1 - channel) for channel in channels)
    return red, green, blue
