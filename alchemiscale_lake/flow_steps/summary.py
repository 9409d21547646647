"""Final artifacts of a campaign or gathering: the ligands' estimates and a summary."""

from __future__ import annotations

from typing import Any

import polars as pl

from ..estimates.gathering import GatherReport
from ..hints import with_lake
from ..ids import ScopedKey
from ..plurals import count, part, verb
from ..query import NetworkNames, ask, connect_for
from ..statestore.task_operations import network_transformations
from ..store import Lake
from .artifacts import code, escaped, publish_markdown, publish_table
from .dispatching import Dispatched
from .network_pages import page_text, publish_page

__all__ = ["publish_campaign", "publish_estimates"]

_MOST_ROWS = 500
_MOST_FAILURES = 20


def publish_estimates(lake: Lake, report: GatherReport, *, title: str) -> None:
    """Publish the newest estimates of a network as a table of ligands.

    Parameters
    ----------
    lake : Lake
    report : GatherReport
        Report of the last update of estimates.
    title : str
        Title of the artifact.
    """
    ranking = ask(connect_for(lake, "ligand_ranking", "networks"), "ligand_ranking", network=report.network).head(
        _MOST_ROWS
    )
    rows = [
        {
            "ligand": row["ligand"],
            "kind": row["kind"],
            "DG(MLE) (kcal/mol)": _rounded(row["value_kcal_mol"]),
            "uncertainty (kcal/mol)": _rounded(row["uncertainty_kcal_mol"]),
            "experiment (kcal/mol)": _rounded(row["experiment_kcal_mol"]),
        }
        for row in ranking.iter_rows(named=True)
    ]
    if rows:
        status = f"{part(report.n_whole_edges, report.n_edges, 'edge')} complete; estimate version {report.round}"
        publish_table(f"{title}-estimates", rows, description=f"Free energies of {title}: {status}")


def publish_campaign(lake: Lake, title: str, network: str, dispatched: Dispatched, gathered: GatherReport) -> None:
    """Show what ran, what failed and why, where the page is, and what to type next.

    Parameters
    ----------
    lake : Lake
    title : str
        Title of the artifact.
    network : str
        ScopedKey of the network.
    dispatched : Dispatched
        Report of the dispatcher.
    gathered : GatherReport
        Report of the last update of estimates.
    """
    report, n, called = dispatched.report, gathered.n_estimated, NetworkNames.of(lake).arguments(network)
    place = publish_page(lake, network, title=title)
    lines = [
        f"# {escaped(title)}",
        f"{code(str(ScopedKey.from_str(network).scope))} in {code(lake.url)}",
        *([] if place is None else [f"- {page_text(place)}"]),
        f"- {count(report.completed, 'Task')} complete and {report.failed} failed in this run, "
        f"{report.wall_time_s:.0f} s",
        f"- {count(report.recovered, 'result')} of an earlier run {verb(report.recovered, 'was', 'were')} recovered",
        f"- {part(n, gathered.n_transformations, 'Transformation')} {verb(n, 'has', 'have')} an estimate",
        *_failures(lake, network),
        "",
        "Next:",
        *(
            "```",
            *(with_lake(f"alchemiscale-lake {command} {called}", lake.url) for command in ("status", "gather")),
            "```",
        ),
    ]
    publish_markdown(f"{title}-summary", "\n".join(lines), description=f"Summary of {title}")


def _failures(lake: Lake, network: str) -> list[str]:
    failures = ask(connect_for(lake, "failures"), "failures", scope=ScopedKey.from_str(network).scope)
    failures = failures.filter(pl.col("transformation").is_in(network_transformations(lake, network)))
    if not len(failures):
        return []
    rows = failures.tail(_MOST_FAILURES).iter_rows(named=True)
    return [
        "",
        "Failures:",
        *(f"- {escaped(str(row['transformation_name']))}: {code(str(row['exception']))}" for row in rows),
    ]


def _rounded(value: Any) -> float | None:
    return None if value is None else round(float(value), 3)
