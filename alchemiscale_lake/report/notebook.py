"""What notebooks need beside the tables: the lake they were pointed at, and figures that every notebook shows.

Works alike in marimo, in Jupyter and in a plain script; imports neither.
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

__all__ = ["Picture", "frame", "open_lake", "picture"]

#: Pictures are drawn with twice the pixels they are shown in, for screens that have them.
_PIXELS: Final = 2
_DPI: Final = 100 * _PIXELS


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn figure, shown by marimo and Jupyter without further ado.

    Attributes
    ----------
    png : bytes
    width_px : int
        How wide it is shown.
    says : str
        For readers who cannot see it.
    """

    png: bytes
    width_px: int
    says: str

    def _repr_html_(self) -> str:
        from html import escape

        data = base64.b64encode(self.png).decode()
        # figures have dark ink, and notebooks may be dark
        return (
            f'<img alt="{escape(self.says)}" width="{self.width_px}" src="data:image/png;base64,{data}" '
            'style="max-width: 100%; background: white; border-radius: 6px">'
        )


def picture(figure: Figure, says: str = "figure") -> Picture:
    """Draw a figure for a notebook.

    Parameters
    ----------
    figure : matplotlib Figure
    says : str
        What it shows, in words.
    """
    paper = io.BytesIO()
    # all that was drawn, where titles stand out too
    figure.savefig(paper, format="png", dpi=_DPI, bbox_inches="tight", pad_inches=0.05)
    png = paper.getvalue()
    # the width, where every PNG has it
    return Picture(png, int.from_bytes(png[16:20], "big") // _PIXELS, says)


def frame(table: Table, *, decimals: int = 2) -> pl.DataFrame:
    """Return a table of `report` as a data frame, which notebooks sort, search and page.

    Parameters
    ----------
    table : Table
    decimals : int
        Places that numbers are rounded to, where the table does not say.
    """
    rows = pl.DataFrame(list(table.rows), schema=list(table.columns), orient="row", infer_schema_length=None)
    places = {name: table.decimals.get(name, decimals) for name, kind in rows.schema.items() if kind.is_float()}
    return rows.with_columns(pl.col(name).round(n) for name, n in places.items())


def open_lake(arguments: Sequence[str] | None = None) -> Lake:
    """Open the lake that a notebook was pointed at.

    It is the one after `--lake` on its command line (`marimo run NOTEBOOK -- --lake ./lake`), else
    ALCHEMISCALE_LAKE, else `./lake`.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of this process.

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
