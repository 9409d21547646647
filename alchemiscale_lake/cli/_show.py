"""Tables on stdout: laid out on a terminal, TSV through a pipe; in a file, the format of its suffix."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from ..plurals import count
from ._errors import put_out, say
from ._files import TargetFile

if TYPE_CHECKING:
    from ..report import Table
    from ..store import Lake

__all__ = ["is_for_people", "output_options", "show_summary", "show_table"]


F = TypeVar("F", bound=Callable[..., object])

_KEYS: Final = f"{__name__}.keys"
#: Rows of a query result shown on a terminal.
_MOST_ROWS: Final = 40


def output_options(command: F) -> F:
    """Add `tsv: bool`, `output: str | None`, and `--keys`, which `show_table` handles."""
    options = (
        click.option("--tsv", is_flag=True, help="Write TSV with full precision; the default through a pipe."),
        click.option(
            "-o",
            "--output",
            default=None,
            type=TargetFile(allow_dash=True),
            metavar="FILE",
            help="Write to a file; its suffix gives the format: .tsv, .csv, .json or .parquet.",
        ),
        click.option(
            "--keys",
            is_flag=True,
            expose_value=False,
            callback=_keep_keys,
            help="Show columns of gufe keys and ids on a terminal too.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _keep_keys(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[_KEYS] = value


def is_for_people(tsv: bool, output: str | None) -> bool:
    """Return whether a table is laid out on a terminal, with these options.

    Parameters
    ----------
    tsv : bool
        `--tsv` was given.
    output : str or None
        Value of `--output`.
    """
    return not tsv and output is None and sys.stdout.isatty()


def show_table(
    table: Table,
    *,
    tsv: bool = False,
    output: str | None = None,
    counted: str | None = None,
    as_asked: bool = False,
    empty: str = "no rows",
) -> None:
    """Show a table.

    Parameters
    ----------
    table : Table
    tsv : bool
        Write TSV on a terminal too.
    output : str, optional
        Write to this file; `-` is TSV on stdout.
    counted : str, optional
        Contents of the file in words, as in `42 edges, 2 failed`.
    as_asked : bool
        Whether the user chose the columns, as in a query: key columns are shown, and of more than forty rows only
        the first and last.
    empty : str
        Message for a table without rows, in addition to its header; none if it is empty itself.
    """
    from ..report import lay_out, table_bytes

    if output is not None and output != "-":
        Path(output).write_bytes(table_bytes(table, output))
        say(f"wrote {output} ({counted or count(len(table.rows), 'row')})")
    elif not is_for_people(tsv, output):
        click.echo(table.tsv(), nl=False)
    else:
        from rich.console import Console

        if table.title:
            put_out(table.title, bold=True)
        console = Console()
        ctx = click.get_current_context(silent=True)
        keys = bool(ctx and ctx.meta.get(_KEYS))
        screen = lay_out(
            table,
            console.width,
            keys=keys or as_asked,
            short_keys=as_asked and not keys,
            most_rows=_MOST_ROWS if as_asked else None,
        )
        console.print(screen.rich())
        for note in screen.notes:
            say(note, dim=True)
    if not table.rows and empty:
        say(empty)


def show_summary(lake: Lake, network: str, *, plot: str | None = None) -> None:
    """Show the summary of a campaign: ligands on stdout, everything else on stderr.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    plot : str, optional
        File for a plot; its suffix selects the format.
    """
    from ..report import summarise

    summary = summarise(lake, network, plot=plot)
    show_table(summary.table)
    sys.stdout.flush()
    for line in summary.lines:
        say(line)
