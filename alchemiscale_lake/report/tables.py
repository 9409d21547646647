"""Estimates of a network as tables, with openfe's headers: `dg`, `ddg` and `raw`.

Headers, order and the treatment of failures follow `openfe gather`, so that readers of its files can read
these. Failures print `Error`, good results without an estimate `-`; rows without a result yet are omitted and
counted in `remarks`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from ..errors import EstimationError
from ..ids import ScopedKey
from ..networks.measures import MEASURES
from ..plurals import count, part, verb
from ..query import Connection, ask, ask_edges, read_sql, statement
from .digits import EXPERIMENT_DECIMALS
from .ligand_notes import notes_of, scale_of
from .table import ERROR, NO_ESTIMATE, Table

__all__ = ["REPORTS", "EstimateTable", "ddg_table", "dg_table", "omitted", "raw_table"]

_EXPERIMENT: Final = "experiment (kcal/mol)"
#: Codes of notes that explain the uncertainties of edges, not only those of ligands.
_WIDENED: Final = frozenset({"scaled-by-cycles", "shared-error", "uncertainty-unchecked", "uncertainty-unknown"})
_UNCERTAINTY: Final = "uncertainty (kcal/mol)"
#: Missing links that a message names.
_MOST_LINKS: Final = 5
_DG: Final = "DG(MLE) (kcal/mol)"
_DDG: Final = "DDG(i->j) (kcal/mol)"
_RAW: Final = "DG(i->j) (kcal/mol)"
_RAW_UNCERTAINTY: Final = "MBAR uncertainty (kcal/mol)"


@dataclass(frozen=True, slots=True)
class EstimateTable:
    """A table with remarks.

    Attributes
    ----------
    table : Table
    noun : str
        Noun for a row.
    n_failed : int
        Number of rows that print `Error`.
    remarks : tuple of str
        Sentences about missing rows and the scale of the values.
    """

    table: Table
    noun: str
    n_failed: int
    remarks: tuple[str, ...]

    @property
    def counted(self) -> str:
        """Return a count of rows, such as `42 edges, 2 failed`."""
        return f"{count(len(self.table.rows), self.noun)}, {self.n_failed} failed"


def dg_table(connection: Connection, network: str, *, allow_partial: bool = False) -> EstimateTable:
    """Build a table with one row per ligand: its newest free energy.

    Columns are openfe's; `kind` is added first if there are several, `component` last if the network is
    disconnected.

    Parameters
    ----------
    connection : Connection
    network : str
        ScopedKey.
    allow_partial : bool
        Show the components of a disconnected network, each on its own scale.

    Raises
    ------
    EstimationError
        If there is no value, or the network is disconnected without `allow_partial`.
    """
    ranking = ask(connection, "ligand_ranking", network=network)
    edges = ask_edges(connection, network=network)
    known = ranking.filter(pl.col("value_kcal_mol").is_not_null())
    if not len(known):
        raise EstimationError(_nothing(network, ranking), network=network)
    parts = known.group_by("kind").agg(pl.col("component").n_unique().alias("n"))
    disconnected = parts.filter(pl.col("n") > 1)
    if len(disconnected) and not allow_partial:
        kind, n = disconnected.sort("kind").row(0)
        raise EstimationError(
            f"the {kind} network has {n} parts that are not connected by an edge with a result, so ligands of "
            f"different parts cannot be compared; use --report ddg, {_what_joins(network, ranking, edges)}, or print "
            "each part on its own scale with --allow-partial",
            network=network,
            n_components=n,
        )
    edges = _with_missing(connection, network, edges)
    broken = _ligands_of(edges.filter(pl.col("missing") == ERROR))
    without = _ligands_of(edges.filter(pl.col("missing") == NO_ESTIMATE))
    lacking = ranking.filter(pl.col("value_kcal_mol").is_null() & pl.col("ligand").is_in(list(broken | without)))
    failed = lacking.filter(pl.col("ligand").is_in(list(broken)))
    rows = pl.concat([known, lacking]).sort("kind", "component", "ligand")
    rows = rows.with_columns(missing=pl.when(pl.col("ligand").is_in(list(broken))).then(pl.lit(ERROR)))
    rows = rows.with_columns(pl.col("missing").fill_null(NO_ESTIMATE))
    if not len(disconnected):
        rows = rows.sort("kind", "ligand")
    cells = {"kind": "kind", "ligand": "ligand", _DG: "value_kcal_mol", _UNCERTAINTY: "uncertainty_kcal_mol"}
    if rows["experiment_kcal_mol"].is_not_null().any():
        cells[_EXPERIMENT] = "experiment_kcal_mol"
    if len(disconnected):
        cells["component"] = "component"
    table = _table(rows, cells, {_DG: _UNCERTAINTY})
    pending = len(ranking) - len(rows)
    remarks = (
        scale_of(known, ScopedKey.from_str(network).scope),
        *_agreement(known),
        *rule_remark(network, edges),
        *notes_of(known),
        *_notes_of_edges(edges),
        *_without_estimate(len(lacking) - len(failed), "ligand"),
        *omitted(pending, "ligand"),
    )
    return EstimateTable(table, "ligand", len(failed), remarks)


def _what_joins(network: str, ranking: pl.DataFrame, edges: pl.DataFrame) -> str:
    """Return what would join the parts of a network: Tasks of which edges, or links to declare."""
    from ..estimates.missing_links import missing_links

    found = [
        link
        for (kind,), of_kind in ranking.group_by("kind", maintain_order=True)
        for link in missing_links(of_kind, edges.filter(pl.col("kind") == kind))
    ]
    waiting, same = ([link for link in found if link.has_edge is has] for has in (True, False))
    ways = [f"run the missing Tasks of {_some(waiting)}"] if waiting else []
    if same or not waiting:
        of_one = f": {_some(same)} are one ligand" if same else ""
        ways.append(f"declare a link (`alchemiscale-lake networks link {network} A B`{of_one})")
    return ", ".join(ways)


def _some(links: Sequence[object]) -> str:
    named = "; ".join(str(link) for link in links[:_MOST_LINKS])
    return f"{named}; and {len(links) - _MOST_LINKS} more" if len(links) > _MOST_LINKS else named


def ddg_table(connection: Connection, network: str, *, allow_partial: bool = False) -> EstimateTable:
    """Build a table with one row per edge, newest estimates; edges with a leg still to run are omitted.

    Absolute results, the free energy of `ligand_j` itself, have no `ligand_i`.

    Parameters
    ----------
    connection : Connection
        Connection to a lake, as from `query.connect`.
    network : str
        ScopedKey of the network.
    allow_partial : bool, default False
        Ignored: differences need no common scale, so a disconnected network is shown anyway.
    """
    edges = ask(connection, "latest_edges", network=network)
    if not len(edges):
        raise EstimationError(_nothing(network, edges), network=network)
    rows = _with_missing(connection, network, edges.filter(pl.col("status") != "incomplete"))
    n_failed, n_without = (int((rows["missing"] == word).sum()) for word in (ERROR, NO_ESTIMATE))
    cells = {
        "kind": "kind",
        "ligand_i": "ligand_i",
        "ligand_j": "ligand_j",
        _DDG: "value_kcal_mol",
        _UNCERTAINTY: "uncertainty_kcal_mol",
    }
    return EstimateTable(
        _table(rows, cells, {_DDG: _UNCERTAINTY}),
        "edge",
        n_failed,
        (
            *rule_remark(network, edges),
            *notes_of(ask(connection, "ligand_ranking", network=network), only=_WIDENED),
            *_notes_of_edges(rows),
            *_without_estimate(n_without, "edge"),
            *omitted(len(edges) - len(rows), "edge"),
        ),
    )


def raw_table(connection: Connection, network: str, *, allow_partial: bool = False) -> EstimateTable:
    """Build a table with one row per result used for estimates, and one per failed leg.

    Absolute results have no `ligand_i`. Those of a single leg, in which the Protocol removes its ligand, are printed as
    the free energy of `ligand_j`, with the opposite sign.

    Parameters
    ----------
    connection : Connection
        Connection to a lake, as from `query.connect`.
    network : str
        ScopedKey of the network.
    allow_partial : bool, default False
        Ignored: differences need no common scale, so a disconnected network is shown anyway.
    """
    bound = {"network": network, "scope": str(ScopedKey.from_str(network).scope)}
    rows = read_sql(connection, statement("raw_results"), bound)
    pending = int((rows["state"] == "pending").sum())
    rows = _as_measured(rows.filter(pl.col("state") != "pending"))
    # a leg without a good result has no attempt here
    rows = rows.with_columns(
        missing=pl.when(pl.col("attempt").is_null()).then(pl.lit(ERROR)).otherwise(pl.lit(NO_ESTIMATE))
    )
    lacking = rows.filter(pl.col("estimate_kcal_mol").is_null())
    n_failed = int((lacking["missing"] == ERROR).sum())
    cells = {
        "leg": "phase",
        "ligand_i": "ligand_i",
        "ligand_j": "ligand_j",
        _RAW: "estimate_kcal_mol",
        _RAW_UNCERTAINTY: "uncertainty_kcal_mol",
    }
    if rows["environment"].drop_nulls().n_unique() > 1:
        cells = {"system": "environment"} | cells
    table = _table(rows, cells, {_RAW: _RAW_UNCERTAINTY})
    remarks = (*_without_estimate(len(lacking) - n_failed, "result"), *omitted(pending, "leg"))
    return EstimateTable(table, "result", n_failed, remarks)


def _as_measured(rows: pl.DataFrame) -> pl.DataFrame:
    """Show the kind of results that are a difference of two legs, and no ligand_i where one ligand is absent."""
    found = []
    for row in rows.iter_rows(named=True):
        measure = MEASURES.get(row["protocol"])
        if measure is not None:
            row["phase"] = measure.kind
        if row["ligand_j"] is None and row["has_two_states"]:
            row["ligand_i"], row["ligand_j"] = None, row["ligand_i"]
            if (measure is None or not measure.absolute) and row["estimate_kcal_mol"] is not None:
                row["estimate_kcal_mol"] *= -1
        found.append(row)
    return pl.DataFrame(found, schema=rows.schema).sort("phase", "ligand_i", "ligand_j", maintain_order=True)


#: Report name -> function.
REPORTS: Final[dict[str, Callable[..., EstimateTable]]] = {"dg": dg_table, "ddg": ddg_table, "raw": raw_table}


def _table(rows: pl.DataFrame, cells: dict[str, str], precision_of: dict[str, str]) -> Table:
    """Select columns; a missing estimate and its uncertainty print the row's `missing` text."""
    if "kind" in cells and rows["kind"].n_unique() < 2:
        del cells["kind"]
    estimates = [cells[name] for name in precision_of]
    found = []
    for row in rows.iter_rows(named=True):
        lacks = any(row[name] is None for name in estimates)
        numbers = {c for pair in precision_of.items() for c in pair}
        found.append(tuple(row["missing"] if lacks and name in numbers else row[c] for name, c in cells.items()))
    decimals = {name: EXPERIMENT_DECIMALS for name in (_EXPERIMENT,) if name in cells}
    return Table(tuple(cells), found, precision_of=precision_of, decimals=decimals)


def _with_missing(connection: Connection, network: str, edges: pl.DataFrame) -> pl.DataFrame:
    """Add a column `missing`: the text printed for edges that lack a value because of a leg, null for others."""
    if not (edges["status"] == "error").any():
        return edges.with_columns(missing=pl.lit(None, pl.String))
    failed, without = legs_without_value(connection, network)
    missing = [_missing(row["status"], set(row["legs"]), failed, without) for row in edges.iter_rows(named=True)]
    return edges.with_columns(missing=pl.Series(missing, dtype=pl.String))


def _missing(status: str, legs: Set[str], failed: Set[str], without: Set[str]) -> str | None:
    if status != "error":
        return None
    return NO_ESTIMATE if legs & without and not legs & failed else ERROR


def legs_without_value(connection: Connection, network: str) -> tuple[set[str], set[str]]:
    """Return the Transformations of a network that failed, and those whose good results have no estimate.

    Parameters
    ----------
    connection : Connection
        Connection to a lake, as from `query.connect`.
    network : str
        ScopedKey of the network.
    """
    legs = ask(connection, "network_legs", network=network).filter(pl.col("state") == "error")
    good = pl.col("n_results") > 0
    return set(legs.filter(~good)["transformation"]), set(legs.filter(good)["transformation"])


def _without_estimate(n: int, noun: str) -> tuple[str, ...]:
    """Explain `-`."""
    if not n:
        return ()
    has = f"1 {noun} has" if n == 1 else f"{n} {noun}s have"
    return (f"{has} no estimate ({NO_ESTIMATE}), although nothing failed: the Protocol gives none, as plain MD does",)


def _ligands_of(edges: pl.DataFrame) -> set[Any]:
    return set(edges["ligand_i"]) | set(edges["ligand_j"])


def _agreement(known: pl.DataFrame) -> list[str]:
    """Return one line per kind about its agreement with experiment."""
    if known["experiment_kcal_mol"].is_null().all():
        return []
    # statistics that few commands need
    from ..estimates.experiment_pairs import dg_pairs
    from .plots import performance_line

    lines = []
    for (kind,), of_kind in known.group_by("kind", maintain_order=True):
        pairs = dg_pairs(of_kind)
        if len(pairs) > 1:
            what = f"{kind}: " if known["kind"].n_unique() > 1 else ""
            lines.append(f"{what}{performance_line(pairs)} over {count(len(pairs), 'ligand')} with experiment")
    return lines


def _notes_of_edges(edges: pl.DataFrame) -> list[str]:
    """Return the distinct notes of edges with a value, with the number of edges each applies to."""
    notes = edges.filter((pl.col("status") == "ok") & pl.col("note").is_not_null())
    counted = notes.group_by("note", maintain_order=True).len()
    return [f"{part(n, len(edges), 'edge')}: {note}" for note, n in counted.iter_rows()]


def rule_remark(network: str, edges: pl.DataFrame) -> list[str]:
    """Return that a network keeps another rule for uncertainties than the default; nothing if it does not.

    Parameters
    ----------
    network : str
        ScopedKey.
    edges : polars.DataFrame
        Its rows of `latest_edges`.
    """
    from ..estimates.gathering import DEFAULT_RULE  # imports scipy

    rules = sorted(set(edges["rule"].drop_nulls()) - {DEFAULT_RULE})
    if not rules:
        return []
    default = f"`alchemiscale-lake gather {network} --rule {DEFAULT_RULE}`"
    return [f"uncertainties of legs are by rule {rules[0]}, which this network keeps until {default}"]


def omitted(n: int, noun: str) -> tuple[str, ...]:
    """Return how many rows have no result yet; nothing if there are none.

    Parameters
    ----------
    n : int
    noun : str
        Noun for a row.
    """
    if not n:
        return ()
    return (f"{count(n, noun)} {verb(n, 'has', 'have')} no result yet and {verb(n)} omitted",)


def _nothing(network: str, rows: pl.DataFrame) -> str:
    if not len(rows):
        return f"{network} has no edges between ligands; see `alchemiscale-lake gather {network} --report raw`"
    return (
        f"no edge of {network} has a result yet; see `alchemiscale-lake status {network}` for its Tasks "
        f"and `alchemiscale-lake failures {network}` for failures"
    )
