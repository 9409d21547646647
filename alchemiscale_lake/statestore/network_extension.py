"""Extension of a stored network by new ligands: planned with live objects, then stored like a submitted superset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..caller import Caller
from ..gufe_adapter import loads_chain
from ..gufe_adapter.extension import Planner, extended_network, load_planner, read_ligands
from ..ids import ScopedKey
from ..networks import read_network
from ..store import Lake
from .network_members import require_networks
from .submit import Lineage, Submission, read_chain, store_network

__all__ = ["Extension", "extend_network"]


@dataclass(frozen=True, slots=True)
class Extension:
    """Outcome of an extension; of a dry run, what it would be.

    Attributes
    ----------
    ligands : tuple of str
        Names of the new ligands.
    edges : tuple of str
        Names of the new Transformations.
    submission : Submission or None
        The new network; None for a dry run.
    """

    ligands: tuple[str, ...]
    edges: tuple[str, ...]
    submission: Submission | None


def extend_network(
    lake: Lake,
    network: ScopedKey | str,
    ligands: str | Path | Sequence[Any],
    name: str,
    *,
    planner: str | Planner = "konnektor",
    caller: Caller | None = None,
    dry_run: bool = False,
) -> Extension:
    """Add ligands to a network: plan edges, give them the network's legs, and store the result as a new network.

    The new network contains the former one, whose Tasks and results it uses. This needs gufe, the classes of the
    network, and a planner.

    Parameters
    ----------
    lake : Lake
    network : ScopedKey or str
        ScopedKey of the network.
    ligands : path, or sequence of Component
        SDF file, or components; those that the network has are left out.
    name : str
        Name of the new network.
    planner : str or callable, default "konnektor"
        Proposes edges. `konnektor`, `package.module:function`, `file.py:function`, or a function of the network's
        ligands, its atom mappings and the new ligands that returns atom mappings, or pairs of ligands.
    caller : Caller, optional
        Needs the right to write to the Scope; default: the user of this process.
    dry_run : bool, default False
        Write nothing.

    Raises
    ------
    NotFoundError
        If the lake has no such network, or there is no such planner.
    InvalidNetworkError
        If no ligand is new, a name is taken, or the planner leaves out a ligand.
    MissingDependencyError
        If the planner, or a class of the network, cannot be imported here.
    PermissionDeniedError
    """
    source, who = ScopedKey.parse(network), caller or Caller.this_user()
    who.require("write", [source.scope])
    require_networks(lake, [str(source)])
    before = loads_chain(read_chain(lake, source))
    found = read_ligands(ligands) if isinstance(ligands, (str, Path)) else list(ligands)
    plan = load_planner(planner) if isinstance(planner, str) else planner
    grown, names = extended_network(before, found, plan, name=name)
    edges = sorted(str(edge.name) for edge in grown.edges - before.edges)
    submission = None
    if not dry_run:
        lineage = Lineage("extend", (str(source),))
        submission = store_network(lake, read_network(grown), source.scope, name=name, caller=who, lineage=lineage)
    return Extension(tuple(names), tuple(edges), submission)
