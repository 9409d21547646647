"""Artifacts about Strategy rounds and growth: a report in Markdown, with the place of its HTML page."""

from __future__ import annotations

import logging
from typing import Final

from ..hints import with_lake
from ..query import NetworkNames
from ..report.round_page import write_round_page
from ..report.rounds import round_rows
from ..rounds.network_progress import NetworkProgress, network_progress
from ..rounds.night import Night
from ..store import Lake
from .artifacts import code, escaped, publish_markdown
from .network_pages import page_text

__all__ = ["keep_round_page", "publish_growth", "publish_rounds", "rounds_text"]

_log = logging.getLogger(__name__)
_MOST_ROWS: Final = 30


def publish_rounds(lake: Lake, network: str, *, title: str) -> str | None:
    """Write the page of a network's rounds, publish a report as an artifact, and return the place of the page.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    title : str
        Title of the artifact.
    """
    try:
        progress = network_progress(lake, network)
        place, told = write_round_page(lake, network, progress=progress)
        text = rounds_text(lake, progress, page=told if place is None else page_text(place))
    except Exception as e:
        # a fault of drawing, of whatever kind: the round is in the lake
        _log.warning("the report of rounds of %s was not made", network, exc_info=True)
        place, text = None, f"The report was not made: {code(str(e))}"
    publish_markdown(f"{title}-rounds", text, description=f"Strategy rounds of {title}")
    return place


def keep_round_page(lake: Lake, network: str) -> None:
    """Write the page of a network's rounds; what goes wrong with it stops no round.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    """
    try:
        place, told = write_round_page(lake, network)
        if place is None:
            _log.warning("%s", told)
    except Exception:
        _log.warning("the page of rounds of %s was not written", network, exc_info=True)


def publish_growth(night: Night) -> None:
    """Publish what a night has picked up, and what failed.

    Parameters
    ----------
    night : Night
    """
    lines = [f"# {escaped(night.name)} in {code(night.scope)}"]
    growth = night.growth
    if growth is not None:
        lines += [f"- grown by {growth.n_new_transformations} Transformations"] if growth.grown else []
        lines += [f"- {code(path)} grew it" for path in growth.grown[:_MOST_ROWS]]
        lines += [f"- {code(path)} has nothing new" for path in growth.known[:_MOST_ROWS]]
        lines += [f"- {code(path)} has changed since it was last picked up" for path in growth.changed[:_MOST_ROWS]]
        outcomes = ["is **refused**"] * len(growth.refused) + ["**waits**"] * len(growth.waiting)
        left_out = zip((*growth.refused, *growth.waiting), outcomes, growth.reasons, strict=True)
        lines += [f"- {code(path)} {outcome}: {code(reason)}" for path, outcome, reason in left_out]
        lines += [f"- {growth.n_unsettled} files wait, for they may be incomplete"] if growth.n_unsettled else []
        lines += ["- the network is not active, so nothing was picked up"] if growth.paused else []
        lines += [f"- the reasons were not written beside the files: {code(growth.note)}"] if growth.note else []
    lines += [f"- **failed**: {code(failure)}" for failure in night.failures]
    if len(lines) == 1:
        lines.append("- nothing new")
    publish_markdown(f"{night.name}-growth", "\n".join(lines), description=f"Growth of {night.name}")


def rounds_text(lake: Lake, progress: NetworkProgress, *, page: str) -> str:
    """Return the report of a network's last round as Markdown.

    Parameters
    ----------
    lake : Lake
    progress : NetworkProgress
    page : str
        Line about its HTML page.
    """
    rows = round_rows(lake, progress.network)
    names = NetworkNames.of(lake)
    lines = [f"# {escaped(names.title(progress.network))}", page, *_figures(progress)]
    if len(rows):
        first = rows.row(0, named=True)
        outcome = first["exception"] or first["stop"] or first["state"]
        lines.append(f"- round {first['round']} of {escaped(first['strategy'])}: {escaped(outcome)}")
        asked = rows.filter(rows["n_tasks"] > 0)
        if len(asked):
            lines += ["", "| Transformation | Tasks | why |", "| --- | ---: | --- |"]
            for row in asked.head(_MOST_ROWS).iter_rows(named=True):
                name, why = escaped(row["name"] or row["transformation"]), escaped(row["reason"] or "")
                lines.append(f"| {name} | {row['n_tasks']} | {why} |")
            lines += ["", f"and {len(asked) - _MOST_ROWS} more"] if len(asked) > _MOST_ROWS else []
    else:
        lines.append("- no round yet")
    command = with_lake(f"alchemiscale-lake strategy explain {names.arguments(progress.network)}", lake.url)
    return "\n".join([*lines, "", "```", command, "```"])


def _figures(progress: NetworkProgress) -> list[str]:
    lines = []
    if progress.points:
        last = progress.points[-1]
        lines.append(
            f"- uncertainty {last.mean_uncertainty_kcal_mol:.2f} kcal/mol on average over {last.n_ligands} ligands, "
            f"at most {last.max_uncertainty_kcal_mol:.2f}"
        )
    budget = "" if progress.budget_gpu_hours is None else f" of {progress.budget_gpu_hours:,.4g}"
    lines.append(f"- {progress.gpu_hours:,.4g}{budget} GPU-hours spent, {progress.in_flight_gpu_hours:,.3g} in flight")
    forecast = progress.forecast
    if forecast is not None and forecast.target_kcal_mol is not None:
        hours = forecast.gpu_hours_to_target
        told = "not in sight" if hours is None else f"{hours:,.3g} GPU-hours more" if hours else "reached"
        lines.append(f"- target of {forecast.target_kcal_mol:g} kcal/mol: {told}")
    return lines
