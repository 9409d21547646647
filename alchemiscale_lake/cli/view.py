"""`alchemiscale-lake view`: a network as one self-contained HTML page."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..plurals import count
from ._errors import say
from ._options import lake_option, scope_option

__all__ = ["command"]


@click.command("view")
@click.argument("network", required=False)
@lake_option
@scope_option
@click.option(
    "--colour",
    "--color",
    type=click.Choice(["status", "estimate", "uncertainty", "residual", "experiment"], case_sensitive=False),
    default="status",
    show_default=True,
    help="Initial colouring of ligands and edges; the page can switch between all.",
)
@click.option(
    "-o",
    "--output",
    default=None,
    type=click.Path(dir_okay=False, allow_dash=True),
    show_default="<name>.html",
    metavar="FILE",
    help="Output file; `-` is standard output.",
)
@click.option("--as-is", is_flag=True, help="Show the newest stored estimates, and write nothing to the lake.")
@click.option("--keys", is_flag=True, help="Show gufe keys on the page as well.")
def command(
    network: str | None, lake: str, scope: str | None, colour: str, output: str | None, as_is: bool, keys: bool
) -> None:
    """Draw a network of ligands as one self-contained HTML page.

    NETWORK is a name, a ScopedKey or a prefix of one; it may be omitted if there is only one.
    Estimates are updated first. The page shows the network, structures, the atom mapping of every edge, and
    estimates against experiment; it loads nothing from the internet.

    \b
    Example:
      alchemiscale-lake view tyk2 --colour residual -o tyk2.html
    """
    from ..estimates.gathering import gather_network
    from ..query import find_network
    from ..report.file_names import file_stem
    from ..report.network_view import network_page
    from ..store import Lake

    opened = Lake.open(lake)
    found = find_network(opened, network, scope=scope)
    if not as_is:
        gather_network(opened, found)
    page = network_page(opened, found, colour=colour, keys=keys)
    for note in page.notes:
        say(note)
    if output == "-":
        sys.stdout.write(page.html)
        return
    target = Path(output or f"{file_stem(opened, found)}.html")
    target.write_text(page.html, encoding="utf-8", newline="\n")
    say(f"wrote {target} ({count(page.n_ligands, 'ligand')}, {count(page.n_edges, 'edge')})")
