"""Names beside points of a plot: of those farthest off, and only where a name covers nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["label_worst", "legend_name", "plain"]

#: Points that are named.
_MOST: Final = 5
_LONGEST: Final = 34
#: Characters at the start and at the end of a name in a legend.
_NAME_ENDS: Final = (24, 15)
_SIZE_PT: Final = 5.5
#: Where a name may go beside a point above x = y, in points from it, and how it is aligned there: first where neither
#: x = y nor the bars of the point are. Below x = y it is the other way round.
_PLACES: Final = (
    (-2, 2, "right", "bottom"),
    (2, 2, "left", "bottom"),
    (-2, -2, "right", "top"),
    (-4, 0, "right", "center"),
    (0, 4, "center", "bottom"),
    (2, -2, "left", "top"),
    (4, 0, "left", "center"),
    (0, -4, "center", "top"),
)
_OPPOSITE: Final = {"left": "right", "right": "left", "top": "bottom", "bottom": "top", "center": "center"}
_BELOW: Final = tuple((-dx, -dy, _OPPOSITE[h], _OPPOSITE[v]) for dx, dy, h, v in _PLACES)
#: Least distance of a name from the frame, in points: letters are a little wider at another resolution.
_MARGIN_PT: Final = 3.0
#: Half the side of a point, in points.
_POINT_PT: Final = 2.0


def legend_name(name: str) -> str:
    """Return a name as short as a legend can hold, with both of its ends; without formulas."""
    start, end = _NAME_ENDS
    return plain(name if len(name) <= start + end else f"{name[:start]}…{name[-end:]}")


def plain(text: str) -> str:
    """Return text in which matplotlib finds no formula."""
    return text.replace("$", r"\$")


def label_worst(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], labels: Sequence[str]) -> list[str]:
    """Name the points farthest from x = y.

    Call it last: what moves the axes afterwards moves names over one another.

    Parameters
    ----------
    axes : matplotlib Axes
    x, y : ndarray, shape (n,)
    labels : sequence of str

    Returns
    -------
    list of str
        The names that found room, the farthest first.
    """
    from matplotlib.patheffects import withStroke

    figure: Any = axes.figure
    figure.draw_without_rendering()
    scale = figure.dpi / 72
    at = axes.transData.transform(np.column_stack([x, y]))
    around = _POINT_PT * scale
    taken: list[Sequence[float]] = [(px - around, py - around, px + around, py + around) for px, py in at]
    frame = axes.get_window_extent().padded(-_MARGIN_PT * scale).extents
    named = []
    for k in sorted(range(len(labels)), key=lambda k: (-abs(y[k] - x[k]), labels[k]))[:_MOST]:
        label = labels[k] if len(labels[k]) <= _LONGEST else labels[k][: _LONGEST - 1] + "…"
        for dx, dy, horizontal, vertical in _PLACES if y[k] >= x[k] else _BELOW:
            text = axes.annotate(
                label,
                (x[k], y[k]),
                (dx, dy),
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                fontsize=_SIZE_PT,
                zorder=4,
                parse_math=False,
                annotation_clip=False,
                path_effects=[withStroke(linewidth=1.2, foreground="white", alpha=0.7)],
            )
            # names have no part in the layout, which would move the axes again
            text.set_in_layout(False)
            box = tuple(text.get_window_extent().extents)
            if _inside(box, frame) and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                named.append(labels[k])
                break
            text.remove()
    return named


def _inside(box: Sequence[float], frame: Sequence[float]) -> bool:
    return bool(box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3])


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return bool(one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3])
