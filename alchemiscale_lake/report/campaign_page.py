"""The permanent page of a network: progress, cost, ranking, estimates against experiment, findings, failures.

One file in the lake, replaced as a whole after every gathering, always at the same place. It runs no script and
loads nothing. `network_view` draws the interactive network, a page of its own.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

import polars as pl

from ..errors import LakeError, MissingDependencyError
from ..estimates.experiment_pairs import dg_pairs
from ..hints import with_lake
from ..ids import ScopedKey
from ..plurals import count, part
from ..query import Connection, NetworkNames, ask, connect_to_networks, group_failures
from ..store import Lake, now_utc
from .html_parts import asset, fill_page, html_table, section
from .ligand_notes import ligand_notes
from .ligand_table import failed_ligands, ligand_table
from .page_places import basis, page_place, report_path
from .plots import performance_line, plot_pairs
from .table import Table
from .usage import usage_frame

__all__ = ["campaign_page", "write_campaign_page", "written_page"]

_STATUSES: Final = ("complete", "running", "waiting", "error")
_MOST_ROWS: Final = 1000
_MOST_FINDINGS: Final = 10
_MOST_FAILURES: Final = 5
_DPI: Final = 200
#: The unit stands above the table.
_SHORT: Final = {
    "DG(MLE) (kcal/mol)": "ΔG",
    "uncertainty (kcal/mol)": "uncertainty",
    "experiment (kcal/mol)": "experiment",
}
_UNNAMED: Final = "network without a name"
#: Named queries and statements that the page shows.
_SHOWN: Final = (
    "network_states",
    "network_status",
    "usage",
    "ligand_ranking",
    "latest_edges",
    "latest_findings",
    "network_legs",
    "failures",
)


def write_campaign_page(lake: Lake, network: str) -> str:
    """Write the page of a network as it stands now; return where it is.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey.

    Raises
    ------
    StorageError
        If the lake cannot be written.
    """
    page = campaign_page(lake, network, at=now_utc())
    lake.objects.put(report_path(lake, network, ".html"), page.encode())
    return page_place(lake, network)


def written_page(lake: Lake, network: str) -> tuple[str | None, str]:
    """Write the page of a network; a failure to write it is returned, not raised.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.

    Returns
    -------
    place : str or None
        Where it is; None if it could not be written.
    line : str
        Where it is, or why it was not written.
    """
    try:
        place = write_campaign_page(lake, network)
    except (LakeError, OSError) as e:
        return None, f"the page of the network was not written: {e}"
    return place, f"page: {place}"


def campaign_page(lake: Lake, network: str, *, at: datetime, with_commands: bool = True) -> str:
    """Return the page of a network.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey.
    at : datetime
        When it is written, UTC.
    with_commands : bool, default True
        Name the commands that show more, and the place of the lake.
    """
    opened = connect_to_networks(lake, [network], _SHOWN)
    connection = opened.connection
    state = ask(connection, "network_states", network=network)
    name = (state["name"].item() if len(state) else None) or _UNNAMED
    ranking = ask(connection, "ligand_ranking", network=network)
    return fill_page(
        title=name,
        about=_about(network, ranking, at),
        basis=basis(opened.seq, ranking["round"][0] if len(ranking) else None),
        style=asset("page.css"),
        sections=[
            _progress(connection, network),
            _cost(connection, network),
            _ranking(ranking, failed_ligands(connection, network)),
            _agreement(ranking, name),
            _findings(connection, network),
            _failures(connection, network),
            *([_more(lake, network)] if with_commands else []),
        ],
    )


def _about(network: str, ranking: pl.DataFrame, at: datetime) -> str:
    gathered = ranking["estimated_at"].max() if len(ranking) else None
    told = f"estimates of {gathered:%Y-%m-%d %H:%M} UTC" if isinstance(gathered, datetime) else "no estimates yet"
    return f"{ScopedKey.from_str(network).scope} · {told} · written {at:%Y-%m-%d %H:%M} UTC"


# --- sections ---------------------------------------------------------------------------------------


def _progress(connection: Connection, network: str) -> str:
    rows = ask(connection, "network_status", network=network).to_dicts()
    counts = {status: int(rows[0][f"n_{status}"]) if rows else 0 for status in _STATUSES}
    total = sum(counts.values())
    chips = "".join(f'<span class="chip {status}"></span>{n} {status}' for status, n in counts.items())
    body = [f"<p>{part(counts['complete'], total, 'Task')} complete</p>" if total else "<p>No Tasks yet.</p>"]
    if total:
        body += [_bar(counts, total), f'<p class="soft">{chips}</p>']
    return section("Progress", body)


def _bar(counts: Mapping[str, int], total: int) -> str:
    parts, x = [], 0.0
    for status, n in counts.items():
        width = 1000 * n / total
        parts.append(f'<rect class="{status}" x="{x:.1f}" width="{width:.1f}" height="10"></rect>')
        x += width
    return (
        f'<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">{"".join(parts)}</svg>'
    )


def _cost(connection: Connection, network: str) -> str:
    scope = ScopedKey.from_str(network).scope
    used = usage_frame(connection, "network", scope=scope).filter(pl.col("name") == network).to_dicts()
    if not used:
        return section("Cost", ["<p>Nothing has been computed yet.</p>"])
    row = used[0]
    untimed = row["n_tasks"] - row["n_timed"]
    imported = f" ({'' if untimed == row['n_tasks'] else f'{untimed} of them '}imported without their times)"
    facts = [("results", f"{row['n_tasks']}{imported if untimed else ''}")]
    # a good result without times is one attempt here, whatever it took elsewhere
    if row["n_timed"] or row["n_failed"]:
        facts.append(("failed attempts", f"{row['n_failed']} of {row['n_attempts'] - untimed}"))
    per = "computed result" if untimed else "result"
    for column, unit in (("gpu_h", "GPU-hours"), ("core_h", "core-hours")):
        if row[column]:
            each = f" ({row[column] / row['n_timed']:.2g} per {per})" if row["n_timed"] else ""
            facts.append((unit, f"{row[column]:,.1f}{each}"))
    if row["n_timed"]:
        days = max(1.0, (row["last_end"] - row["first_start"]).total_seconds() / 86400)
        facts.append(("results per day", f"{row['n_timed'] / days:.1f}"))
    return section("Cost", [html_table((), facts, numbers={1})])


def _ranking(ranking: pl.DataFrame, failed: Collection[str]) -> str:
    if not len(ranking):
        return section("Ligands", ["<p>No estimates yet.</p>"])
    body = []
    kinds = ranking["kind"].unique(maintain_order=True).to_list()
    for kind in kinds:
        rows = ranking.filter(pl.col("kind") == kind)
        body += [f"<h2>{html.escape(kind)}</h2>"] if len(kinds) > 1 else []
        body.append(_ligands(ligand_table(rows.head(_MOST_ROWS), failed)))
        if len(rows) > _MOST_ROWS:
            body.append(f'<p class="soft">{part(_MOST_ROWS, len(rows), "ligand")} are shown.</p>')
    notes = ligand_notes(ranking.filter(pl.col("value_kcal_mol").is_not_null()))
    body += [f'<p class="soft">{html.escape(note)}</p>' for note in notes]
    return section("Ligands (kcal/mol)", body)


def _ligands(table: Table) -> str:
    headers = ["", *(_SHORT.get(header, header) for header in table.columns)]
    rows = [(str(k), *table.cells(row)) for k, row in enumerate(table.rows, 1)]
    return html_table(headers, rows, numbers=set(range(2, len(headers))))


def _agreement(ranking: pl.DataFrame, name: str) -> str:
    body = []
    for kind in ranking["kind"].unique(maintain_order=True).to_list():
        pairs = dg_pairs(ranking.filter(pl.col("kind") == kind))
        if not len(pairs):
            continue
        body.append(f"<p>{html.escape(performance_line(pairs))} over {count(len(pairs), 'ligand')}</p>")
        try:
            figure = plot_pairs(pairs, title=name)
        except MissingDependencyError as e:
            body.append(f'<p class="soft">{html.escape(str(e))}</p>')
            continue
        paper = io.BytesIO()
        figure.savefig(paper, format="png", dpi=_DPI)
        drawn = base64.b64encode(paper.getvalue()).decode()
        body.append(f'<img alt="estimates against experiment" src="data:image/png;base64,{drawn}">')
    return section("Against experiment", body or ["<p>No ligand has both an estimate and an experimental value.</p>"])


def _findings(connection: Connection, network: str) -> str:
    found = ask(connection, "latest_findings", network=network, flagged=True)["description"].to_list()
    if not found:
        return ""
    body = [f'<p class="finding">{html.escape(says)}</p>' for says in found[:_MOST_FINDINGS]]
    if len(found) > _MOST_FINDINGS:
        body.append(f'<p class="soft">and {len(found) - _MOST_FINDINGS} more</p>')
    return section("Findings", body, wide=True)


def _failures(connection: Connection, network: str) -> str:
    legs = ask(connection, "network_legs", network=network)["transformation"]
    failures = ask(connection, "failures", scope=ScopedKey.from_str(network).scope)
    failures = failures.filter(pl.col("transformation").is_in(legs.to_list()))
    if not len(failures):
        return ""
    kinds = group_failures(failures)
    rows = [
        (str(row["n"]), str(row["exception"]), str(row["transformation_name"]))
        for row in kinds.head(_MOST_FAILURES).iter_rows(named=True)
    ]
    return section("Failures", [html_table(("attempts", "why", "for example"), rows)], wide=True)


def _more(lake: Lake, network: str) -> str:
    called = NetworkNames.of(lake).arguments(network)
    place = lake.url if lake.local_path is None else str(lake.local_path)
    commands = {
        "the network, with structures and atom mappings": f"alchemiscale-lake view {called}",
        "edges": f"alchemiscale-lake gather {called} --report ddg",
        "why Tasks failed": f"alchemiscale-lake failures {called}",
    }
    given = {what: with_lake(command, place, default="") for what, command in commands.items()}
    rows = [f"<tr><th>{html.escape(what)}</th><td><code>{html.escape(c)}</code></td></tr>" for what, c in given.items()]
    return section("More", [f"<table>{''.join(rows)}</table>"], wide=True)
