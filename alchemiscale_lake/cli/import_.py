"""`alchemiscale-lake import`: take an archive into a lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import click

from ..plurals import count
from ._bar import FileBar
from ._errors import put_out, say
from ._files import ExistingFile
from ._launch import lake_to_plan, open_lake
from ._options import at_this_lake, lake_option

__all__ = ["command"]

_AS_IT_WAS: Final = "as-archived"


@click.command("import")
@click.argument("archive", type=ExistingFile(dir_okay=True))
@lake_option
@click.option(
    "--scope",
    default=None,
    metavar="ORG-CAMPAIGN-PROJECT",
    help="Scope to import into, if the networks are in one.  [default: the Scopes that they were in]",
)
@click.option(
    "--state",
    type=click.Choice(["inactive", "active", _AS_IT_WAS]),
    default="inactive",
    show_default=True,
    help="State of networks that are new: waiting Tasks of active ones run.",
)
@click.option("--dry-run", is_flag=True, help="Verify the archive and print what would be new, without writing.")
def command(archive: str, lake: str, scope: str | None, state: str, dry_run: bool) -> None:
    """Import an archive into a lake, and print the ScopedKeys of its networks.

    ARCHIVE is a zip file or folder that `archive` wrote. Every file is verified first. What the lake has already
    stays as it is; an interrupted import is completed by repeating it.

    \b
    Examples:
      alchemiscale-lake import tyk2.zip
      alchemiscale-lake import tyk2.zip --scope org-published-tyk2 --dry-run
    """
    from ..archives import import_archive, read_manifest

    with FileBar() as bar, lake_to_plan(lake) as known:
        opened = known if dry_run else open_lake(lake, say, check=lambda: read_manifest(archive))
        done = import_archive(
            opened,
            archive,
            scope=scope,
            state=None if state == _AS_IT_WAS else state,
            dry_run=dry_run,
            progress=bar,
        )
    for key in done.networks:
        put_out(key)
    would = "would be " if dry_run else ""
    say(
        f"{count(done.n_new_networks, 'network')}, {count(done.n_new['tasks'], 'Task')}, "
        f"{count(done.n_new['results'], 'result')} and {count(done.n_new_objects, 'object')} {would}new"
    )
    if done.n_recognised:
        say(f"{count(done.n_recognised, 'Transformation')} {would}stored under other keys, as the same calculations")
    if done.n_without_object:
        say(f"{count(done.n_without_object, 'result')} without object in the archive: their numbers are there")
    if done.n_new_networks and not dry_run:
        say(at_this_lake(f"next: alchemiscale-lake {_next_command(done.networks, done.n_new)}"))


def _next_command(networks: Sequence[str], n_new: Mapping[str, int]) -> str:
    """Return the command that shows or continues what was imported.

    Parameters
    ----------
    networks : sequence of str
        ScopedKeys of the networks.
    n_new : mapping of str to int
        New rows by table.
    """
    if len(networks) > 1:
        return "status"
    if n_new["network_estimates"]:
        return f"rank {networks[0]}"
    return f"gather {networks[0]}" if n_new["results"] else f"run {networks[0]}"
