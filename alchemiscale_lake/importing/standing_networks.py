"""Imports into networks that exist already: whether an import belongs there, and the note that says so.

A network of imported results is found by its name, which by default is that of a file or folder. Different campaigns
often use the same file names, so an import without a single ligand in common with the network is refused, unless the
user named the network. Nothing is written here.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from ..errors import ResultFileError
from ..networks.facts import transformation_rows
from ..networks.result_matching import described
from ..plurals import count, verb
from ..store import Lake, collect, now_utc
from .import_batch import Batch, ImportReading

__all__ = ["check_standing_networks"]

_ENDS: Final = ("ligand_a_name", "ligand_b_name")


@dataclass(slots=True)
class _Content:
    """Ligands and Transformations of a network, as they are or will be."""

    is_stored: bool
    ligands: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)


def check_standing_networks(lake: Lake, reading: ImportReading, *, named: bool) -> None:
    """Add to the reading a note for every network that grows.

    Parameters
    ----------
    lake : Lake
    reading : ImportReading
    named : bool
        Whether the user gave the name of the network.

    Raises
    ------
    ResultFileError
        If a file has the name of a network that it has nothing to do with.
    """
    networks: dict[str, _Content] = {}
    for batch in reading.batches:
        if batch.network is None or batch.name is None or not batch.members:
            continue
        before = networks.get(batch.network) or _stored(lake, batch)
        ligands = _ligands(batch)
        if before.members:
            _judge(batch, before, ligands, reading, named=named)
        before.ligands |= ligands
        before.members |= set(batch.members)
        networks[batch.network] = before


def _judge(batch: Batch, before: _Content, ligands: set[str], reading: ImportReading, *, named: bool) -> None:
    new = set(batch.members) - before.members
    is_related = len(new) < len(batch.members) or ligands & before.ligands or batch.network in reading.networks
    has = f"{batch.scope} has" if before.is_stored else "this import makes"
    if not is_related and not named:
        raise ResultFileError(
            f"{batch.source}: {has} a network of its name, {batch.name!r}, already, and they share no ligand; nothing "
            f"was imported: choose another name with --network NAME, or add it to that network with --network "
            f"{shlex.quote(batch.name or '')}",
            source=batch.source,
            network=batch.network,
        )
    if new:
        n = len(new)
        reading.notes.append(
            f"{count(n, 'Transformation')} {verb(n, 'was', 'were')} added to the network {batch.name!r}, which {has} "
            "already"
        )


def _stored(lake: Lake, batch: Batch) -> _Content:
    here = pl.col("scope") == str(batch.scope)
    known = collect(lake.table("networks").scan().filter(here, pl.col("network") == batch.network), "networks")
    if known.is_empty():
        return _Content(is_stored=False)
    members = lake.table("network_members").scan().filter(here, pl.col("network") == batch.network)
    ends = lake.table("transformations").scan().filter(here).select("transformation", *_ENDS)
    rows = collect(members.select(transformation="member").join(ends, on="transformation", how="inner"), "members")
    suffix = f"-{batch.scope}"
    keys = {key.removesuffix(suffix) for key in rows["transformation"]}
    return _Content(True, _names(rows.select(_ENDS).iter_rows()), keys)


def _ligands(batch: Batch) -> set[str]:
    rows = transformation_rows(described(batch.objects, batch.made), batch.scope, now_utc()) if batch.made else []
    return _names([row[end] for end in _ENDS] for row in rows)


def _names(ends: Iterable[Iterable[str | None]]) -> set[str]:
    return {name for pair in ends for name in pair if name is not None}
