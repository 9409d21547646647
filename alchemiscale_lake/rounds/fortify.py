"""Fortify a network: make Transformations of proposed redundant edges, and submit the network that has them.

Which edges are proposed is decided in `estimates.fortification`. Only a planner knows how to make a Transformation of a
pair of ligands (which atoms map, which Protocol suits), so it is given: openfe's or konnektor's, or a user's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..caller import Caller
from ..errors import SettingsError
from ..gufe_adapter import loads_chain
from ..gufe_adapter.growth import with_transformations
from ..ids import ScopedKey
from ..networks.stored import read_chain_text
from ..python_files import list_of_own, load_file_object
from ..query import connect_for, read_sql
from ..statestore.submit import Submission, submit_network
from ..store import Lake

__all__ = ["EdgePlanner", "Fortified", "add_edges", "load_edge_planner"]

#: From an AlchemicalNetwork and two of its ligands to Transformations between them, one per leg; none if it cannot.
EdgePlanner = Callable[[Any, str, str], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Fortified:
    """A network with more edges.

    Attributes
    ----------
    submission : Submission or None
        The submitted network; None if no Transformation was made.
    made : tuple of (str, str)
        Pairs that Transformations were made for.
    not_made : tuple of (str, str)
        Pairs for which the planner made none.
    """

    submission: Submission | None
    made: tuple[tuple[str, str], ...]
    not_made: tuple[tuple[str, str], ...]


def add_edges(
    lake: Lake, network: str | ScopedKey, pairs: pl.DataFrame, planner: EdgePlanner, *, caller: Caller | None = None
) -> Fortified:
    """Let a planner make Transformations of pairs, and submit the network with them, under the same name.

    Existing Transformations are found by their keys, so their Tasks and results count for the new network.

    Parameters
    ----------
    lake : Lake
    network : str or ScopedKey
    pairs : polars.DataFrame
        Columns ligand_i, ligand_j, such as proposals.
    planner : callable
        Called with the AlchemicalNetwork and the names of both ligands, without an environment.
    caller : Caller, optional
        Default: the user of this process.

    Raises
    ------
    TerminalError
        If the planner fails.
    """
    key = ScopedKey.parse(network)
    old = loads_chain(read_chain_text(lake.table("gufe_objects").scan(), key.scope, f"{key.qualname}-{key.token}"))
    made: dict[tuple[str, str], list[Any]] = {}
    for i, j in pairs.select("ligand_i", "ligand_j").iter_rows():
        ligands = (name.rpartition(" in ")[0] or name for name in (i, j))
        made[i, j] = list_of_own(planner, old, *ligands, role="planner")
    new = [transformation for of_pair in made.values() for transformation in of_pair]
    submission = None
    if new:
        connection = connect_for(lake, "networks")
        sql = "select name from networks where network = $network"
        name = read_sql(connection, sql, {"network": str(key)})["name"].to_list()
        submission = submit_network(
            lake, with_transformations(old, new), key.scope, name=next(iter(name), None), caller=caller
        )
    return Fortified(
        submission,
        tuple(pair for pair, of_pair in made.items() if of_pair),
        tuple(pair for pair, of_pair in made.items() if not of_pair),
    )


def load_edge_planner(source: str) -> EdgePlanner:
    """Return the function `file.py:name`.

    Parameters
    ----------
    source : str

    Raises
    ------
    SettingsError
        If there is no such file or function, or the file cannot be run.
    """
    found: EdgePlanner = load_file_object(source, "planner").value
    if not callable(found):
        raise SettingsError(f"{source} is not a function but {found!r}", planner=source)
    return found
