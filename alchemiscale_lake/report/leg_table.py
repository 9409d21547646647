"""The report `legs`: every repeat of every leg, also of Protocols that run several legs.

It is what `openfe gather-abfe --report raw` and `openfe gather-septop --report raw` print: values and signs are those
of the legs (decoupling of the ligand), and standard state corrections are rows. `tables.raw_table` has the results of
the same Protocols instead, one per repeat.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from ..estimates.leg_results import StoredLegs, stored_legs
from ..ids import ScopedKey
from ..networks.leg_estimates import LEGS, LegRow
from ..networks.measures import MEASURES
from ..plurals import count, verb
from ..query import Connection, read_sql, statement
from ..store import Lake
from .table import ERROR, NO_ESTIMATE, Table
from .tables import EstimateTable, omitted

__all__ = ["legs_table"]

_UNCERTAINTY: Final = "MBAR uncertainty (kcal/mol)"
_RELATIVE: Final = "DG(i->j) (kcal/mol)"
_ABSOLUTE: Final = "DG (kcal/mol)"

Row = dict[str, Any]


def legs_table(lake: Lake, connection: Connection, network: str) -> EstimateTable:
    """Build a table with one row per repeat of a leg, and one per failed Transformation.

    Columns are openfe's: `ligand` for absolute Protocols, `ligand_i` and `ligand_j` for others; a network with both
    has all three.

    Parameters
    ----------
    lake : Lake
        Legs of Protocols that run several are read from its objects.
    connection : Connection
        Connection to the lake, as from `query.connect`.
    network : str
        ScopedKey of the network.
    """
    bound = {"network": network, "scope": str(ScopedKey.from_str(network).scope)}
    every = read_sql(connection, statement("raw_results"), bound)
    known = every.filter(pl.col("state") != "pending")
    several = known.filter(pl.col("protocol").is_in(list(LEGS)) & pl.col("attempt").is_not_null())
    stored = stored_legs(lake, several["attempt"].unique().to_list())
    rows = [row for one in known.iter_rows(named=True) if one["attempt"] not in stored.legs for row in [_whole(one)]]
    for one in several.unique("attempt", maintain_order=True).iter_rows(named=True):
        rows += [_of_leg(one, leg) for leg in stored.legs.get(one["attempt"], ())]
    rows.sort(key=lambda row: [row[name] or "" for name in ("leg", "ligand", "ligand_i", "ligand_j")])
    n_failed = sum(row["value"] == ERROR for row in rows)
    return EstimateTable(_table(rows), "row", n_failed, _remarks(stored, len(every) - len(known)))


def _ends(row: Row) -> Row:
    """Return the ligands of a row: one of an absolute Protocol, else two."""
    measure = MEASURES.get(row["protocol"])
    ends = {"system": row["environment"], "ligand": None, "ligand_i": None, "ligand_j": None}
    if measure is not None and measure.absolute:
        return ends | {"ligand": row["ligand_i"] or row["ligand_j"]}
    return ends | {"ligand_i": row["ligand_i"], "ligand_j": row["ligand_j"]}


def _whole(row: Row) -> Row:
    """Return the row of a result that is one leg, or whose legs are unknown."""
    measure = MEASURES.get(row["protocol"])
    leg = row["phase"] if measure is None else measure.kind
    value, uncertainty = row["estimate_kcal_mol"], row["uncertainty_kcal_mol"]
    if value is None:
        value = uncertainty = ERROR if row["attempt"] is None else NO_ESTIMATE
    return _ends(row) | {"leg": leg, "value": value, "uncertainty": uncertainty}


def _of_leg(row: Row, leg: LegRow) -> Row:
    return _ends(row) | {"leg": leg.leg, "value": leg.value_kcal_mol, "uncertainty": leg.uncertainty_kcal_mol}


def _table(rows: list[Row]) -> Table:
    relative = any(row["ligand_i"] is not None or row["ligand_j"] is not None for row in rows)
    absolute = any(row["ligand"] is not None for row in rows)
    value = _RELATIVE if relative or not absolute else _ABSOLUTE
    cells = {"leg": "leg"}
    if len({row["system"] for row in rows} - {None}) > 1:
        cells = {"system": "system"} | cells
    cells |= {"ligand": "ligand"} if absolute else {}
    cells |= {} if absolute and not relative else {"ligand_i": "ligand_i", "ligand_j": "ligand_j"}
    cells |= {value: "value", _UNCERTAINTY: "uncertainty"}
    found = [tuple(row[name] for name in cells.values()) for row in rows]
    return Table(tuple(cells), found, precision_of={value: _UNCERTAINTY})


def _remarks(stored: StoredLegs, n_pending: int) -> tuple[str, ...]:
    said = []
    if stored.failures:
        n, whose = len(stored.failures), "its" if len(stored.failures) == 1 else "their"
        first = stored.failures[min(stored.failures)]
        said.append(f"{count(n, 'result')} {verb(n)} shown whole, since {whose} legs cannot be read: {first}")
    return (*said, *omitted(n_pending, "leg"))
