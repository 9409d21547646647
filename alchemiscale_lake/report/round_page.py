"""The page of a network's Strategy rounds: state, uncertainty, forecast, votes, what was asked for and why, growth.

One self-contained file that runs no script and loads nothing, replaced as a whole, always at the same place, also
while the network grows. `campaign_page` is about results.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from ..errors import EstimationError, LakeError
from ..plurals import count, part
from ..query import ask, connect_to_networks
from ..rounds.design_history import design_rows
from ..rounds.network_progress import NetworkProgress, network_progress
from ..settings import Pools
from ..store import Lake, now_utc
from .html_parts import asset, fill_page, html_table, section
from .network_graph import NetworkGraph, network_graph
from .network_map import network_map
from .page_places import basis, place_of, report_path
from .rounds import round_rows, rounds_table
from .uncertainty_plot import uncertainty_plot

__all__ = ["RoundPage", "round_page", "write_round_page"]

_MOST_ROWS: Final = 200
_HEIGHT_PX: Final = 760
_UNNAMED: Final = "network without a name"

#: A figure, its unit, and what it is.
_Tile = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class RoundPage:
    """An HTML page; notebooks show it in a frame.

    Attributes
    ----------
    html : str
        The complete page.
    n_rounds : int
        Rounds so far.
    """

    html: str
    n_rounds: int

    def __str__(self) -> str:
        """Return the page as HTML."""
        return self.html

    def _repr_html_(self) -> str:
        """Return the page in a sandboxed frame, for Jupyter and marimo."""
        return (
            f'<iframe sandbox="" title="Strategy rounds" srcdoc="{html.escape(self.html)}" '
            f'style="width: 100%; height: {_HEIGHT_PX}px; border: 1px solid #8884; border-radius: 8px"></iframe>'
        )


def write_round_page(lake: Lake, network: str, *, progress: NetworkProgress | None = None) -> tuple[str | None, str]:
    """Write the page of a network's rounds into the lake; a failure is returned, not raised.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    progress : NetworkProgress, optional
        If it is known.

    Returns
    -------
    place : str or None
        Where it is; None if it could not be written.
    line : str
        Where it is, or why it was not written.
    """
    try:
        progress = progress or network_progress(lake, network)
        page = round_page(lake, network, at=now_utc(), progress=progress)
        path = report_path(lake, progress.networks[0], "-rounds.html")
        lake.objects.put(path, page.html.encode())
    except (LakeError, OSError) as e:
        return None, f"the page of rounds was not written: {e}"
    place = place_of(lake, path)
    return place, f"page of rounds: {place}"


def round_page(
    lake: Lake,
    network: str,
    *,
    at: datetime | None = None,
    progress: NetworkProgress | None = None,
    pools: Pools | None = None,
) -> RoundPage:
    """Return the page of a network's rounds.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    at : datetime, optional
        When it is written, UTC; now by default.
    progress : NetworkProgress, optional
        If it is known.
    pools : Pools, optional
        Declares what Tasks need, for predicted costs.
    """
    at, progress = at or now_utc(), progress or network_progress(lake, network, pools=pools)
    opened = connect_to_networks(lake, [network], ("network_states", "ligand_ranking"))
    state = ask(opened.connection, "network_states", network=network)
    ranking = ask(opened.connection, "ligand_ranking", network=network)
    name = (state["name"].item() if len(state) else None) or _UNNAMED
    rows = round_rows(lake, network)
    n_rounds = sum(len(rounds_table(lake, each).rows) for each in progress.networks)
    head = "" if not len(rows) else f"round {rows['round'][0]} of {rows['at'][0]:%Y-%m-%d %H:%M} UTC · "
    page = fill_page(
        title=name,
        about=f"{progress.network.split('-', 2)[2]} · {head}written {at:%Y-%m-%d %H:%M} UTC",
        basis=basis(opened.seq, ranking["round"][0] if len(ranking) else None),
        style=f"{asset('page.css')}\n{asset('rounds.css')}",
        sections=[
            _tiles(progress, rows),
            *_maps(_graph(lake, network), rows),
            _uncertainty(progress),
            _asked(rows),
            _history(lake, progress),
            _growth(lake, progress),
        ],
    )
    return RoundPage(page, n_rounds)


def _graph(lake: Lake, network: str) -> NetworkGraph | None:
    try:
        return network_graph(lake, network)
    except EstimationError:
        return None


# --- sections ---------------------------------------------------------------------------------------


def _tiles(progress: NetworkProgress, rows: pl.DataFrame) -> str:
    tiles = [*_figures(progress), *_goal(progress)]
    stop = None
    if len(rows):
        row = rows.row(0, named=True)
        stop = row["exception"] or row["stop"]
        if row["state"] == "asked":
            tiles.append((str(rows["n_tasks"].sum()), "", f"Tasks asked for by {row['strategy']}"))
        else:
            tiles.append((row["state"], "", f"outcome of the last round of {row['strategy']}"))
    shown = "".join(
        f'<div class="tile"><b>{html.escape(value)} <small>{html.escape(unit)}</small></b>{html.escape(what)}</div>'
        for value, unit, what in tiles
    )
    note = f'<p class="soft">{html.escape(stop)}</p>' if stop else ""
    return section("Now", [f'<div class="tiles">{shown}</div>', note], wide=True)


def _figures(progress: NetworkProgress) -> list[_Tile]:
    tiles: list[_Tile] = []
    if progress.points:
        last = progress.points[-1]
        what = f"mean uncertainty of {count(last.n_ligands, 'ligand')}, at most {last.max_uncertainty_kcal_mol:.2f}"
        tiles.append((f"{last.mean_uncertainty_kcal_mol:.2f}", "kcal/mol", what))
    budget = "" if progress.budget_gpu_hours is None else f", of {progress.budget_gpu_hours:,.4g}"
    tiles.append((f"{progress.gpu_hours:,.4g}", "GPU-hours", f"spent on results{budget}"))
    if progress.in_flight_gpu_hours > 0:
        tiles.append((f"{progress.in_flight_gpu_hours:,.3g}", "GPU-hours", "predicted for Tasks in flight"))
    return tiles


def _goal(progress: NetworkProgress) -> list[_Tile]:
    """Return the forecast to the target."""
    forecast = progress.forecast
    if forecast is None or forecast.target_kcal_mol is None:
        return []
    which = "a largest" if forecast.of == "max" else "a mean"
    what = f"to {which} uncertainty of {forecast.target_kcal_mol:g} kcal/mol, as stop rules count it"
    if forecast.gpu_hours_to_target is None:
        return [("not in sight", "", what)]
    if forecast.gpu_hours_to_target == 0:
        return [("reached", "", what)]
    return [(f"{forecast.gpu_hours_to_target:,.3g}", "GPU-hours more", what)]


def _maps(graph: NetworkGraph | None, rows: pl.DataFrame) -> list[str]:
    if graph is None:
        return [section("Network", ["<p>There are no edges between ligands to draw.</p>"], wide=True)]
    asked = {key: n for key, n in rows.select("transformation", "n_tasks").iter_rows() if n} if len(rows) else {}
    drawn = []
    for kind in graph.kinds:
        of = f" ({kind['kind']})" if len(graph.kinds) > 1 else ""
        drawn.append(section(f"Status{of}", [network_map(kind, "status", asked=asked)]))
        drawn.append(section(f"Uncertainty{of}", [network_map(kind, "uncertainty")]))
    return drawn


def _uncertainty(progress: NetworkProgress) -> str:
    plot = uncertainty_plot(progress)
    body = [plot or "<p>There are no estimates yet.</p>"]
    if progress.note:
        body.append(f'<p class="soft">{html.escape(progress.note[0].upper() + progress.note[1:])}.</p>')
    return section("Uncertainty against GPU-hours", body, wide=True)


def _asked(rows: pl.DataFrame) -> str:
    if not len(rows):
        return section("What was asked for, and why", ["<p>No round has been run yet.</p>"], wide=True)
    shown = rows.head(_MOST_ROWS)
    votes = [json.loads(text or "{}") for text in shown["votes"]]
    members = sorted({name for vote in votes for name in vote})
    largest = {name: max((vote.get(name) or 0.0 for vote in votes), default=0.0) for name in members}
    heads = ["Transformation", "Tasks", *members, "results", "in flight", "GPU-hours", "why"]
    right = {1, *range(len(members) + 2, len(members) + 5)}
    lines = [_line("th", heads, right)]
    for row, vote in zip(shown.iter_rows(named=True), votes, strict=True):
        cells = [
            html.escape(row["name"] or row["transformation"]),
            str(row["n_tasks"] or ""),
            *(_bar(vote.get(name), largest[name]) for name in members),
            str(row["n_results"]),
            str(row["n_in_flight"] or ""),
            "" if row["gpu_hours"] is None else f"{row['gpu_hours']:.2f}",
            html.escape(row["reason"] or row["exception"] or ""),
        ]
        lines.append(_line("td", cells, right))
    body = [f'<table class="asked-for">{"".join(lines)}</table>']
    if len(rows) > len(shown):
        body.append(f'<p class="soft">{part(len(shown), len(rows), "Transformation")} are shown.</p>')
    title = f"What round {rows['round'][0]} asked for, and why"
    return section(title, body, wide=True)


def _line(tag: str, cells: Sequence[str], right: set[int]) -> str:
    """Return a line of a table of HTML cells."""
    made = (f"<{tag}{' class=number' if k in right else ''}>{cell}</{tag}>" for k, cell in enumerate(cells))
    return f"<tr>{''.join(made)}</tr>"


def _bar(weight: float | None, largest: float) -> str:
    """Return a vote of a member as a bar, relative to its largest."""
    if weight is None:
        return '<span class="soft">finished</span>'
    width = 100.0 * weight / largest if largest > 0 else 0.0
    return (
        f'<svg class="vote" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{weight:.3g}">'
        f'<title>{weight:.3g}</title><rect width="{width:.1f}" height="8"></rect></svg>'
    )


def _history(lake: Lake, progress: NetworkProgress) -> str:
    lines = []
    for network in reversed(progress.networks):
        table = rounds_table(lake, network)
        lines += [table.cells(row) for row in reversed(table.rows)]
        columns = table.columns
    if not lines:
        return ""
    numbers = {
        k for k, name in enumerate(columns) if name in ("round", "tasks", "results", "in_flight", "spent_gpu_hours")
    }
    body = [html_table([name.replace("_", " ") for name in columns], lines[:_MOST_ROWS], numbers=numbers)]
    if len(progress.networks) > 1:
        body.append('<p class="soft">Rounds are counted anew each time the network has grown.</p>')
    return section("Rounds", body, wide=True)


def _growth(lake: Lake, progress: NetworkProgress) -> str:
    rows = design_rows(lake, progress.networks)
    if not len(rows):
        return ""
    lines = [
        (
            f"{row['at']:%Y-%m-%d %H:%M}",
            row["path"] + (" (changed)" if row["replaces"] else ""),
            row["outcome"],
            "" if row["n_new"] is None else f"{row['n_new']} of {row['n_transformations']}",
            row["reason"] or "",
        )
        for row in rows.tail(_MOST_ROWS).reverse().iter_rows(named=True)
    ]
    heads = ("picked up", "design file", "outcome", "new Transformations", "reason")
    refused = _refused(rows)
    body = [f'<p class="finding">{html.escape(text)}</p>' for text in refused]
    return section("Growth", [*body, html_table(heads, lines, numbers={3})], wide=True)


def _refused(rows: pl.DataFrame) -> list[str]:
    """Return the reasons of files that are left out as they are now."""
    latest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in rows.iter_rows(named=True):
        latest[row["source"], row["path"]] = row
    return [row["reason"] for row in latest.values() if row["outcome"] in ("refused", "waiting")]
