"""`compare NETWORK --against OTHER`: several networks on what all of them estimate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..plurals import count
from ._errors import say
from ._show import show_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from ..estimates.side_by_side import CommonPairs

__all__ = ["show_side_by_side"]

_LONGEST_TITLE = 80


def show_side_by_side(
    lake: str,
    named: Sequence[str],
    *,
    scope: str | None,
    kind: str | None,
    statistics: Sequence[str],
    bootstrap: int,
    tsv: bool,
    output: str | None,
    plot: str | None,
    ecdf: str | None,
) -> None:
    """Compare networks on what all of them estimate: show the table, and draw the plots asked for.

    Parameters
    ----------
    lake : str
        Location of the lake.
    named : sequence of str
        Names, ScopedKeys or prefixes; differences are the first minus each other.
    scope : str, optional
        Where networks are looked up.
    kind : str, optional
        Only values of this quantity.
    statistics : sequence of str
        Only these.
    bootstrap : int
        Number of resamples.
    tsv, output
        As in `show_table`.
    plot, ecdf : str, optional
        Files for a plot against experiment, and for the distributions of errors.
    """
    from ..estimates.comparisons import NEEDS_FOR_COMPARISON
    from ..estimates.side_by_side import common_pairs, compare_sources
    from ..query import NetworkNames, connect_for, find_networks, require_scope
    from ..report.performance import side_by_side_remark, side_by_side_table, too_few
    from ..store import Lake

    opened = Lake.open(lake)
    require_scope(opened, scope)
    networks = find_networks(opened, named, scope=scope)
    connection = connect_for(opened, *NEEDS_FOR_COMPARISON)
    found = compare_sources(connection, networks, kind=kind, n_bootstrap=bootstrap)
    known = NetworkNames.of(opened)
    names = {network: known.title(network) for network in networks}
    table = side_by_side_table(found, names, statistics=statistics)
    n_pairs = list({(one.kind, one.quantity): one.n for one in found}.values())
    show_table(table, tsv=tsv, output=output, counted=count(len(n_pairs), "comparison"))
    say(side_by_side_remark(found, names))
    for line in too_few(n_pairs):
        say(line)
    if plot is None and ecdf is None:
        return
    panels = _panels(common_pairs(connection, networks, kind=kind), names)
    title = " and ".join(names.values())
    if len(networks) > 2 or len(title) > _LONGEST_TITLE:
        title = f"{names[networks[0]]} and {count(len(networks) - 1, 'other network')}"
    if plot is not None:
        from ..report.source_plots import plot_sources

        plot_sources(panels, title=title).savefig(Path(plot))
        say(f"wrote {plot}")
    if ecdf is not None:
        from ..report.error_plots import plot_source_ecdf

        plot_source_ecdf(panels, title=title).savefig(Path(ecdf))
        say(f"wrote {ecdf}")


def _panels(common: Sequence[CommonPairs], names: Mapping[str, str]) -> dict[str, dict[str, pl.DataFrame]]:
    """Return the pairs that were compared, by what the axes say and by network."""
    from polars import concat

    from ..estimates.experiment_pairs import centred_pairs, edge_pairs

    panels: dict[str, dict[str, pl.DataFrame]] = {}
    for one in common:
        label = "ΔG" if one.quantity == "dG" else "ΔΔG"
        for network, pairs in one.of.items():
            own = centred_pairs(pairs, zero=("kind", "zero")) if one.quantity == "dG" else edge_pairs(pairs)
            drawn = panels.setdefault(label, {})
            name = names[network]
            drawn[name] = concat([drawn[name], own]) if name in drawn else own
    return panels
