"""What displays share: colours, panels, legends, names that fit, and what an estimator predicts.

What lives here: nothing that a display shows. What doesn't: matplotlib, which is imported when something is drawn.
"""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._optional import import_optional

# Okabe & Ito's palette, which colour-blind readers can tell apart; its yellow is too pale for lines.
BLUE, VERMILION, GREEN, SKY = "#0072B2", "#D55E00", "#009E73", "#56B4E9"
PURPLE, ORANGE, BLACK = "#CC79A7", "#E69F00", "#000000"
GREY, LIGHT = "0.45", "0.85"
COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
MAX_INCHES = 12.0  # of a figure's sides: what a screen shows
NARROW, NARROWER = 4.2, 3.0  # inches of axes in which a legend names models alone, or these in small print
# Columns of a figure, and inches of a square panel's side, for at most so many panels.
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
EM_PER_CHARACTER = 0.58  # width of a mean character, in font sizes


def predict(estimator: Any, X: Any) -> tuple[NDArray, NDArray]:
    """Return the class probabilities of rows, and the classes."""
    check_is_fitted(estimator)
    return np.asarray(estimator.predict_proba(X)), np.asarray(estimator.classes_)


def name_of(estimator: Any, name: str | None) -> str:
    """Return the name, or the estimator's class."""
    return type(estimator).__name__ if name is None else name


def one_axes(ax: Any, display: Any, size: tuple[float, float] = (5.2, 5.0)) -> Any:
    """Return the given axes, or those of a new figure."""
    if ax is not None:
        return ax
    pyplot = import_optional("matplotlib.pyplot", purpose=type(display).__name__)
    return pyplot.subplots(figsize=size, layout="constrained")[1]


def panels(ax: Any, n_panels: int, display: Any, *, size: tuple[float, float], n_columns: int, **options: Any) -> NDArray:
    """Return n_panels axes: those given, or those of a new figure with n_columns in a row, each of this size in inches."""
    if ax is not None:
        given = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
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
    """Return the columns and the inches of a panel's side of a figure of so many square panels."""
    n_columns = int(np.ceil(np.sqrt(1.2 * n_panels)))
    return next((layout for most, layout in SQUARES.items() if n_panels <= most), (n_columns, MAX_INCHES / n_columns))


def label_panels(axes: NDArray, references: tuple[str, ...], *, xlabel: str, ylabel: str, own: bool) -> Any:
    """Draw labels and one legend for panels that show the same models; return the legend.

    Of an own figure these are the figure's, and stay so for models that are added later; in given axes labels stand at the left
    and lower edge and the legend in the first.
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
    """Label the x axis of those panels that have none of the others below.

    Where it is shared, all have the same limits, and the others no numbers.
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
    """Return whether the other place in a grid has a column with this one in common."""
    return other is not None and other.colspan.start < place.colspan.stop and place.colspan.start < other.colspan.stop


def fit_text(text: Any, inches: float, font_size: float, max_lines: int = 2) -> str:
    """Return the text in lines of at most this width; what is beyond the last line becomes an ellipsis."""
    width = max(4, int(inches * 72 / (EM_PER_CHARACTER * font_size)))
    return "\n".join(textwrap.wrap(str(text), width, max_lines=max_lines, placeholder=" …")) or str(text)[:width]


def title_panel(ax: Any, text: Any, inches: float, font_size: float = 10.0) -> None:
    """Draw a title of at most this width: two lines, or one where no layout makes room for them."""
    fit = shorten if ax.figure.get_layout_engine() is None else fit_text
    ax.set_title(fit(text, inches, font_size), fontsize=font_size)


def shorten(text: Any, inches: float, font_size: float) -> str:
    """Return the text in one line of at most this width, less of its middle: names often differ at their end."""
    name, width = str(text), max(4, int(inches * 72 / (EM_PER_CHARACTER * font_size)))
    kept = width - 1
    return name if len(name) <= width else f"{name[: kept - kept // 3]}…{name[-(kept // 3) :]}"


def width_of(ax: Any) -> float:
    """Return how many inches wide the axes are before a layout has moved them."""
    return float(_place(ax).width * ax.figure.bbox.width / ax.figure.dpi)


def height_of(ax: Any) -> float:
    """Return how many inches high the axes are before a layout has moved them."""
    return float(_place(ax).height * ax.figure.bbox.height / ax.figure.dpi)


def _place(ax: Any) -> Any:
    place = ax.get_subplotspec()
    return ax.get_position() if place is None else place.get_position(ax.figure)


def n_models(ax: Any, references: tuple[str, ...] = ()) -> int:
    """Return how many labelled models are drawn on the axes; references are labels of what they share."""
    return sum(label not in references for label in ax.get_legend_handles_labels()[1])


def next_style(ax: Any, references: tuple[str, ...], kwargs: dict[str, Any] | None) -> dict[str, Any]:
    """Return colour and marker of the next model on the axes, and the user's in their place; aliases become full names."""
    lines = import_optional("matplotlib.lines", purpose="A display")
    cbook = import_optional("matplotlib.cbook", purpose="A display")
    place = n_models(ax, references)
    style = {"color": COLORS[place % len(COLORS)], "marker": MARKERS[place % len(MARKERS)]}
    return {**style, **cbook.normalize_kwargs(kwargs, lines.Line2D)}


def draw_legend(ax: Any, references: tuple[str, ...], *, outside: bool, in_full: bool = False) -> Any:
    """Draw one legend of all models on the axes, references last: above the axes, or inside where least is covered.

    One that is above the axes already stays there. Inside narrow axes models alone are named; ``in_full`` lets
    only narrower ones leave out the references.
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
    legend.set_in_layout(False)  # it is inside: no layout need make room
    return legend


def _ordered_handles(ax: Any, references: tuple[str, ...]) -> tuple[list[Any], list[str]]:
    """Return handles and labels of a legend, models first."""
    pairs = sorted(zip(*ax.get_legend_handles_labels(), strict=True), key=lambda pair: pair[1] in references)
    return [handle for handle, _ in pairs], [label for _, label in pairs]


def check_image_shape(image_shape: Any, n_features: int) -> tuple[int, ...]:
    """Return (height, width) or (height, width, 3) if that many numbers are as many as there are features."""
    shape = tuple(int(side) for side in np.atleast_1d(image_shape))
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != 3) or int(np.prod(shape)) != n_features:
        raise ValueError(
            f"image_shape must be (height, width) or (height, width, 3) of {n_features} numbers, one a feature; "
            f"got {image_shape!r}."
        )
    return shape


def fade(color: str, share: float) -> tuple[float, float, float]:
    """Return the color mixed with white, of which it keeps a share."""
    channels = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (1 - share * (1 - channel) for channel in channels)
    return red, green, blue
