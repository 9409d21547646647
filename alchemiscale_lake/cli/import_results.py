"""`alchemiscale-lake import-results`: import results computed elsewhere."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Final

import click

from ..plurals import count, verb
from ._bar import FileBar
from ._errors import put_out, say
from ._files import ExistingFile
from ._launch import lake_to_plan, open_lake
from ._options import duplicates_option, lake_option, temperature_option

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..importing.imports import ImportReport
    from ..networks.measurements import Duplicates
    from ..store import Lake

__all__ = ["command"]

_SHOWN: Final = 10
#: Input parsed by one process in the time that starting another takes.
_WORTH_PROCESSES_BYTES: Final = 150e6


@click.command("import-results")
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@lake_option
@click.option(
    "--scope",
    required=True,
    metavar="ORG-CAMPAIGN-PROJECT",
    help="Scope to import into; for a table with several systems, ORG-CAMPAIGN-* makes one Scope per system.",
)
@click.option(
    "--network",
    default=None,
    metavar="NAME",
    help="Name of the network, new or existing.  [default: found by keys, else the file's, folder's or system's name]",
)
@click.option(
    "--network-file",
    default=None,
    type=ExistingFile(dir_okay=True),
    metavar="FILE",
    help="Network that the results belong to, in a form that `submit` reads; it is submitted too.",
)
@click.option(
    "--kind",
    type=click.Choice(["binding", "hydration", "direct"], case_sensitive=False),
    default="binding",
    show_default=True,
    help="Quantity that experimental values in tables measure.",
)
@temperature_option
@duplicates_option
@click.option("--skip-bad", is_flag=True, help="Skip files that cannot be imported, instead of importing nothing.")
def command(
    paths: tuple[str, ...],
    lake: str,
    scope: str,
    network: str | None,
    network_file: str | None,
    kind: str,
    temperature: float,
    duplicates: Duplicates,
    skip_bad: bool,
) -> None:
    """Import results, and print the ScopedKeys of their networks.

    PATHS are result files of `openfe quickrun` (.json, .json.gz), folders of them, warehouses of openfe,
    ProtocolDAGResults and ProtocolResults (keyed-chain .json, .json.zst), and tables of edges with repeats,
    of absolute results or of experimental values (.csv, .tsv, .json; name them one by one). Each repeat
    becomes the result of a complete Task, each failed repeat that of a Task in error. Importing again adds
    only new results. Neither openfe nor the Protocols need to be installed.

    \b
    Example:
      alchemiscale-lake import-results results/ --scope org-campaign-project --network-file network.json
    """
    from ..ids import Scope
    from ..importing.assays import unmatched_assays
    from ..importing.imports import import_planned, plan_import
    from ..networks.result_files import find_result_files
    from ..query import new_scope_note

    parsed = Scope.parse(scope)
    processes = _processes(find_result_files(paths))
    with FileBar() as bar:
        with lake_to_plan(lake) as known:
            plan = plan_import(
                known,
                paths,
                parsed,
                network=network,
                network_file=network_file,
                temperature_kelvin=temperature,
                duplicates=duplicates,
                skip_bad=skip_bad,
                progress=bar,
                processes=processes,
            )
        opened = open_lake(lake, say)
        similar_scope = new_scope_note(opened, parsed)
        report = import_planned(opened, plan, kind, progress=bar)
    for key in report.networks:
        put_out(key)
    for line in [*_summary(report), *([] if similar_scope is None else [similar_scope])]:
        say(line)
    unmatched = unmatched_assays(opened, parsed) if report.n_assays and parsed.specific else None
    if unmatched is not None:
        say(unmatched)
    if report.networks and report.n_good:
        say(f"next: alchemiscale-lake gather {_networks_of(opened, report)}")


def _networks_of(lake: Lake, report: ImportReport) -> str:
    """Return the arguments of `gather` for what was imported: a network, or a Scope if there are several."""
    from ..ids import ScopedKey
    from ..query import NetworkNames

    if len(report.networks) == 1:
        return NetworkNames.of(lake).arguments(report.networks[0])
    scopes = sorted({str(ScopedKey.from_str(network).scope) for network in report.networks})
    return f"--scope {scopes[0] if len(scopes) == 1 else shlex.quote('*-*-*')}"


def _processes(files: Sequence[Path]) -> int:
    """Return the number of cores if reading takes longer than starting processes, else 1."""
    packed = sum(5 * path.stat().st_size if path.suffix != ".json" else path.stat().st_size for path in files)
    return len(os.sched_getaffinity(0)) if packed > _WORTH_PROCESSES_BYTES else 1


def _summary(report: ImportReport) -> list[str]:
    lines = [f"skipped {why}" for _, why in report.bad] + list(report.notes)
    if len(lines) > _SHOWN:
        lines = [*lines[:_SHOWN], f"... and {len(lines) - _SHOWN} more"]
    known = f", {report.n_known_files} of them already imported" if report.n_known_files else ""
    lines.append(
        f"{count(report.n_files, 'file')}{known}: {count(report.n_good, 'new result')}, "
        f"{count(report.n_failed, 'new failure')}, {report.n_known} already imported; "
        f"{count(report.n_transformations, 'new Transformation')}"
    )
    if n := report.n_without_estimate:
        lines.append(f"{count(n, 'good result')} {verb(n, 'has', 'have')} no estimate")
    if report.n_assays:
        lines.append(count(report.n_assays, "new experimental value"))
    return lines
