"""`alchemiscale-lake archive`: write networks to a file that opens anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ..amounts import rounded_bytes
from ..plurals import count
from ._bar import FileBar
from ._errors import put_out, say
from ._options import lake_option, scope_option

if TYPE_CHECKING:
    from ..store import Lake

__all__ = ["command"]

_SCRUBBED: Final = ("hosts", "users", "paths", "scopes", "all")


@click.command("archive")
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
@click.option(
    "-o",
    "--output",
    default=None,
    metavar="FILE|FOLDER",
    help="A zip file if it ends in .zip, else a folder.  [default: the network's name, as a zip file]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["lake", "gufe"]),
    default="lake",
    show_default=True,
    help="gufe: one network and its good results as an AlchemicalArchive, in JSON; needs a gufe that has it.",
)
@click.option("--no-objects", is_flag=True, help="Leave out results as gufe wrote them; their numbers are in tables.")
@click.option("--no-outputs", is_flag=True, help="Leave out what units wrote to stdout, stderr and logs.")
@click.option("--files", is_flag=True, help="Include files kept from executions, such as trajectories.")
@click.option(
    "--scrub",
    type=click.Choice(_SCRUBBED),
    multiple=True,
    help="Remove names of hosts, users, paths or Scopes; objects that contain one are left out. May be repeated.",
)
@click.option("--title", default=None, help="Title for a repository.  [default: made of the networks' names]")
@click.option("--description", default=None, help="Description for a repository.  [default: what is in the archive]")
@click.option(
    "--author", "authors", multiple=True, metavar="'FAMILY, GIVEN; AFFILIATION; ORCID'", help="May be repeated."
)
@click.option("--license", "license_", default=None, metavar="SPDX", help="Licence, such as CC-BY-4.0.")
@click.option("--keyword", "keywords", multiple=True, help="May be repeated.")
@click.option(
    "--related",
    multiple=True,
    metavar="[RELATION:]DOI|URL",
    help="Work that the archive supplements, or that it cites (cites:DOI). May be repeated.",
)
@lake_option
@scope_option
def command(
    networks: tuple[str, ...],
    output: str | None,
    form: str,
    no_objects: bool,
    no_outputs: bool,
    files: bool,
    scrub: tuple[str, ...],
    title: str | None,
    description: str | None,
    authors: tuple[str, ...],
    license_: str | None,
    keywords: tuple[str, ...],
    related: tuple[str, ...],
    lake: str,
    scope: str | None,
) -> None:
    """Write networks to one file: tables as Parquet, results, a README, and metadata for a repository.

    DuckDB, polars, pandas or R read it without alchemiscale-lake; `import` takes it into another lake. The same
    content gives the same bytes. Prints the file.

    \b
    Examples:
      alchemiscale-lake archive tyk2 -o tyk2.zip
      alchemiscale-lake archive tyk2 mcl1 -o paper.zip --scrub all --title "Two kinases" \\
        --author "Lovelace, Ada; Analytical Engines" --license CC-BY-4.0 --related 10.1021/acs.jctc.0c00001
    """
    from ..archives import SCRUBBED, Author, Deposit, write_archive
    from ..query import find_networks
    from ..report.file_names import file_stem
    from ..store import Lake

    deposit = Deposit(
        title=title,
        authors=[Author.parse(author) for author in authors],
        description=description,
        license=license_,
        keywords=keywords,
        related=[Deposit.parse_related(work) for work in related],
    )
    opened = Lake.open(lake)
    found = find_networks(opened, networks, scope=scope)
    if form == "gufe":
        if len(found) > 1 or no_objects or no_outputs or files or scrub or related or keywords or authors:
            raise click.UsageError("--format gufe takes one network, --output and --title, and nothing else")
        put_out(str(_write_gufe(opened, found[0], Path(output or f"{file_stem(opened, found[0])}.json"), title)))
        return
    path = Path(output) if output is not None else Path(f"{file_stem(opened, found[0])}.zip")
    with FileBar() as bar:
        written = write_archive(
            opened,
            found,
            path,
            objects=not no_objects,
            outputs=not no_outputs,
            files=files,
            scrub=SCRUBBED if "all" in scrub else scrub,
            deposit=deposit,
            progress=bar,
        )
    put_out(str(written.path))
    for network in written.manifest.networks:
        failed = f", {count(network.n_failed, 'failed one')}" if network.n_failed else ""
        say(
            f"{network.name or network.network}: {count(network.n_transformations, 'Transformation')}, "
            f"{count(network.n_tasks, 'Task')}, {count(network.n_results, 'result')}{failed}"
        )
    say(f"{count(written.manifest.n_objects, 'object')}, {rounded_bytes(written.n_bytes)}")
    for what, why in written.manifest.left_out.items():
        if not what.startswith("table "):
            say(f"left out: {what}: {why}")


def _write_gufe(lake: Lake, network: str, path: Path, title: str | None) -> Path:
    """Write a network and its results as gufe's own archive, and return the file."""
    from ..client import LakeClient
    from ..durable import replace_file
    from ..gufe_adapter import dumps_chain

    archive = LakeClient(lake).get_network_archive(network, None if title is None else {"title": title})
    replace_file(path, dumps_chain(archive))
    return path
