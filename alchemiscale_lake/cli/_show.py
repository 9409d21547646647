"""Tables on stdout: for people on a terminal, TSV through a pipe or into a file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from ._errors import put_out, say

if TYPE_CHECKING:
    from ..report import Table
    from ..store import Lake

__all__ = ["output_options", "show_summary", "show_table"]


F = TypeVar("F", bound=Callable[..., object])


def output_options(command: F) -> F:
    """Add `tsv: bool` and `output: str | None`."""
    options = (
        click.option("--tsv", is_flag=True, help="Write TSV with full precision; through a pipe that is so anyway."),
        click.option(
            "-o",
            "--output",
            default=None,
            type=click.Path(dir_okay=False, allow_dash=True),
            metavar="FILE",
            help="Write TSV into a file.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def show_table(table: Table, *, tsv: bool = False, output: str | None = None, counted: str | None = None) -> None:
    """Show a table.

    Parameters
    ----------
    table : Table
    tsv : bool
        Write TSV on a terminal too.
    output : str, optional
        Write TSV into this file; `-` is stdout.
    counted : str, optional
        What the file holds, as in `42 edges, 2 failed`.
    """
    if output not in (None, "-"):
        Path(str(output)).write_text(table.tsv(), encoding="utf-8", newline="\n")
        say(f"wrote {output} ({counted or f'{len(table.rows)} rows'})")
    elif tsv or output == "-" or not sys.stdout.isatty():
        click.echo(table.tsv(), nl=False)
    else:
        from rich.console import Console

        if table.title:
            put_out(table.title, bold=True)
        Console().print(table.rich())


def show_summary(lake: Lake, network: str, *, plot: str | None = None, lake_argument: str | None = None) -> None:
    """Show the last words of a campaign: ligands on stdout, all else on stderr."""
    from ..report import summarise

    summary = summarise(lake, network, plot=plot, lake_argument=lake_argument)
    show_table(summary.table)
    sys.stdout.flush()
    for line in summary.lines:
        say(line)
