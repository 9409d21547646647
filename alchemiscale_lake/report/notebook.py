"""Helpers for notebooks: opening the lake, tables as data frames, and displayable figures.

Works in marimo, Jupyter and plain scripts; imports neither of the first two.
"""

from __future__ import annotations

import base64
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from ..store import Lake
from .table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ShownFigure", "frame", "open_lake", "picture"]

#: Pixels per displayed pixel, for high-resolution screens.
_PIXELS: Final = 2
_DPI: Final = 100 * _PIXELS


@dataclass(frozen=True, slots=True)
class ShownFigure:
    """A rendered figure that marimo and Jupyter display.

    Attributes
    ----------
    png : bytes
    width_px : int
        Display width.
    alt_text : str
        Alternative text.
    """

    png: bytes
    width_px: int
    alt_text: str

    def _repr_html_(self) -> str:
        from html import escape

        data = base64.b64encode(self.png).decode()
        # figures are drawn in dark colours, and notebooks may have a dark background
        return (
            f'<img alt="{escape(self.alt_text)}" width="{self.width_px}" src="data:image/png;base64,{data}" '
            'style="max-width: 100%; background: white; border-radius: 6px">'
        )


def picture(figure: Figure, alt_text: str = "figure") -> ShownFigure:
    """Render a figure for a notebook.

    Parameters
    ----------
    figure : matplotlib Figure
    alt_text : str
        Alternative text.
    """
    paper = io.BytesIO()
    # a tight bounding box includes titles that extend beyond the axes
    figure.savefig(paper, format="png", dpi=_DPI, bbox_inches="tight", pad_inches=0.05)
    png = paper.getvalue()
    # bytes 16 to 20 of a PNG are its width
    return ShownFigure(png, int.from_bytes(png[16:20], "big") // _PIXELS, alt_text)


def frame(table: Table, *, decimals: int = 2) -> pl.DataFrame:
    """Return a table of `report` as a data frame, which notebooks can sort, search and page.

    Parameters
    ----------
    table : Table
    decimals : int
        Decimal places, where the table does not set them.
    """
    rows = pl.DataFrame(list(table.rows), schema=list(table.columns), orient="row", infer_schema_length=None)
    places = {name: table.decimals.get(name, decimals) for name, kind in rows.schema.items() if kind.is_float()}
    return rows.with_columns(pl.col(name).round(n) for name, n in places.items())


def open_lake(arguments: Sequence[str] | None = None) -> Lake:
    """Open the lake of a notebook.

    The lake is the value of `--lake` on the command line (`marimo run NOTEBOOK -- --lake ./lake`), else
    ALCHEMISCALE_LAKE, else `./lake`.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command line; by default that of this process.

    Raises
    ------
    NotFoundError
        If there is no lake.
    """
    given = list(sys.argv if arguments is None else arguments)
    for place, word in enumerate(given):
        if word == "--lake" and place + 1 < len(given):
            return Lake.open(given[place + 1])
        if word.startswith("--lake="):
            return Lake.open(word.removeprefix("--lake="))
    return Lake.open(os.environ.get("ALCHEMISCALE_LAKE") or "./lake")
