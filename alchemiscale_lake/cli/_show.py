"""Tables on stdout: for people on a terminal, TSV through a pipe; into a file by its suffix."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from ._errors import put_out, say

if TYPE_CHECKING:
    from ..report import Table
    from ..store import Lake

__all__ = ["output_options", "show_summary", "show_table"]


F = TypeVar("F", bound=Callable[..., object])

_KEYS: Final = f"{__name__}.keys"
#: Rows of an answer on a terminal.
_MOST_ROWS: Final = 40


def output_options(command: F) -> F:
    """Add `tsv: bool` and `output: str | None`; and `--keys`, which `show_table` sees to."""
    options = (
        click.option("--tsv", is_flag=True, help="Write TSV with full precision; through a pipe that is so anyway."),
        click.option(
            "-o",
            "--output",
            default=None,
            type=click.Path(dir_okay=False, allow_dash=True),
            metavar="FILE",
            help="Write into a file, by its suffix .tsv, .csv, .json or .parquet.",
        ),
        click.option(
            "--keys",
            is_flag=True,
            expose_value=False,
            callback=_keep_keys,
            help="Show columns of gufe keys and ids on a terminal, too.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _keep_keys(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[_KEYS] = value


def show_table(
    table: Table,
    *,
    tsv: bool = False,
    output: str | None = None,
    counted: str | None = None,
    as_asked: bool = False,
) -> None:
    """Show a table.

    Parameters
    ----------
    table : Table
    tsv : bool
        Write TSV on a terminal too.
    output : str, optional
        Write into this file; `-` is TSV on stdout.
    counted : str, optional
        What the file holds, as in `42 edges, 2 failed`.
    as_asked : bool
        The columns are the user's own choice, keys among them, and rows may be many: of more than forty the
        first and last are shown.
    """
    from ..report import lay_out, table_bytes

    if output is not None and output != "-":
        Path(output).write_bytes(table_bytes(table, output))
        say(f"wrote {output} ({counted or f'{len(table.rows)} rows'})")
    elif tsv or output == "-" or not sys.stdout.isatty():
        click.echo(table.tsv(), nl=False)
    else:
        from rich.console import Console

        if table.title:
            put_out(table.title, bold=True)
        console = Console()
        ctx = click.get_current_context(silent=True)
        keys = as_asked or bool(ctx and ctx.meta.get(_KEYS))
        screen = lay_out(table, console.width, keys=keys, most_rows=_MOST_ROWS if as_asked else None)
        console.print(screen.rich())
        for note in screen.notes:
            say(note, dim=True)


def show_summary(lake: Lake, network: str, *, plot: str | None = None, lake_argument: str | None = None) -> None:
    """Show the last words of a campaign: ligands on stdout, all else on stderr."""
    from ..report import summarise

    summary = summarise(lake, network, plot=plot, lake_argument=lake_argument)
    show_table(summary.table)
    sys.stdout.flush()
    for line in summary.lines:
        say(line)
