"""Submission of a network: objects, Transformations, members, and last the row that makes it visible.

`networks` decides what can be stored and makes the rows; `calculations` recognises Transformations that the Scope has
under other keys. A submitted network has no row in `network_log`: it is active with weight 0.5.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from ..caller import Caller
from ..errors import InvalidNetworkError
from ..faults import fault_point
from ..ids import Scope, ScopedKey
from ..networks import Network, read_chain_text, read_network, stored_text
from ..networks.chain import digest, same_content
from ..networks.facts import transformation_rows
from ..networks.keys import is_verified, unverified_keys
from ..networks.rows import member_rows, network_row, object_rows
from ..plurals import count, part, verb
from ..store import Lake, now_utc
from .calculations import (
    KnownCalculations,
    network_calculations,
    record_calculations,
    record_stored_calculations,
)

__all__ = [
    "Lineage",
    "Submission",
    "check_submission",
    "read_chain",
    "read_network_chain",
    "store_network",
    "stored_transformations",
    "submit_network",
]


@dataclass(frozen=True, slots=True)
class Submission:
    """Outcome of a submission.

    Parameters
    ----------
    network : str
        ScopedKey of the network.
    name : str or None
        Its name in the lake.
    new : bool
        False if the Scope already contained exactly this network.
    n_transformations, n_systems, n_objects : int
        Size of the network; its own object is included.
    n_new_transformations, n_new_objects : int
        Number of these that were new in the Scope.
    n_unverified : int
        Objects whose key cannot be recomputed from their content: gufe 0.4 made it, or their class has unknown
        defaults.
    key_map : mapping of str to str
        Transformations whose calculation the Scope had under another key: ScopedKey of the stored one, whose Tasks and
        results are used, by their own.
    unused_name : str or None
        The name that was given, if the network has had another since it was first submitted.
    n_namesakes : int
        Number of other networks of the Scope with its name.
    """

    network: str
    name: str | None
    new: bool
    n_transformations: int
    n_systems: int
    n_objects: int
    n_new_transformations: int
    n_new_objects: int
    n_unverified: int = 0
    key_map: Mapping[str, str] = field(default_factory=dict)
    unused_name: str | None = None
    n_namesakes: int = 0

    @property
    def n_known_calculations(self) -> int:
        """Return the number of Transformations whose calculation the Scope had under another key."""
        return len(self.key_map)

    @property
    def note_on_name(self) -> str | None:
        """Return a sentence on a name that was not used, or that other networks have; None if there is neither."""
        scope = str(ScopedKey.from_str(self.network).scope)
        if self.unused_name is not None:
            called = "without a name" if self.name is None else f"as {self.name!r}"
            return f"{scope} has this network already, {called}; the name {self.unused_name!r} was not used"
        if self.n_namesakes and self.new:
            others, have = count(self.n_namesakes, "other network"), verb(self.n_namesakes, "has", "have")
            return f"{others} of {scope} {have} the name {self.name!r}, so commands need its ScopedKey: {self.network}"
        return None

    @property
    def note_on_keys(self) -> str | None:
        """Return a sentence on Transformations known under other keys, None if there are none."""
        if not self.key_map:
            return None
        return (
            f"{part(self.n_known_calculations, self.n_transformations, 'Transformation')} "
            f"{verb(self.n_known_calculations)} known under other keys; their Tasks and results are used"
        )


def submit_network(
    lake: Lake, source: Any, scope: Scope | str, *, name: str | None = None, caller: Caller | None = None
) -> Submission:
    """Store a network in a Scope, unchanged and without its classes.

    Submitting it again, or after a crash, stores what is missing; for a grown network only the new objects. Its members
    are the stored Transformations: one whose calculation the Scope has under another key is not stored again.

    Parameters
    ----------
    lake : Lake
    source : path, list of paths, keyed chain, or gufe object
        See `networks.read_network`.
    scope : Scope or str
        Specific Scope, without wildcards.
    name : str, optional
        Name of the network in the lake; default: its own.
    caller : Caller, optional
        User who submits; default: the user of this process.

    Raises
    ------
    InvalidScopeError
        If the Scope is malformed or has a wildcard.
    InvalidNetworkError
        If the source is not a network that can be stored, or has other content for a stored key. Nothing is written.
    MissingClassError
        If reading the source needs classes that cannot be imported here.
    """
    scope = Scope.parse(scope).require_specific()
    caller = caller or Caller.this_user()
    caller.require("write", [scope])
    return store_network(lake, read_network(source), scope, name=name, caller=caller)


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a network comes from, if it was not submitted as a file.

    Parameters
    ----------
    made_by : str
        `submit`, `copy`, `merge` or `extend`.
    made_from : tuple of str
        ScopedKeys of the networks that it was copied or merged from, or that it extends.
    labels : mapping of str to str
        Labels of its ligands, by component key; those that the Scope has are kept.
    described : mapping of str to dict
        Columns of `transformations` that its objects do not have, by gufe key.
    before_visible : callable, optional
        Called before the network becomes visible, with the ScopedKeys of its stored Transformations by its own.
    """

    made_by: str = "submit"
    made_from: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    described: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    before_visible: Callable[[Mapping[str, str]], None] | None = None


def store_network(
    lake: Lake, network: Network, scope: Scope, *, name: str | None, caller: Caller, lineage: Lineage | None = None
) -> Submission:
    """Store a network that was read, see `submit_network`; the caller's rights were checked.

    Parameters
    ----------
    lake : Lake
    network : Network
    scope : Scope
    name : str or None
        Name in the lake; None for its own.
    caller : Caller
        Recorded as its creator.
    lineage : Lineage, optional
        Default: it was submitted.
    """
    lineage = lineage or Lineage()
    # what is copied was checked when it came, and imports have keys of their own
    unverified = unverified_keys(network) if lineage.made_by in ("submit", "extend") else ()
    digests = {key: digest(obj.keyed_dict) for key, obj in network.objects.items()}
    known = _stored_objects(lake, network, scope, digests)
    stored, labels = stored_transformations(lake, scope)
    record_stored_calculations(lake, scope)
    identities = network_calculations(network, scope)
    assigned = KnownCalculations.of(lake, scope).assign(identities)
    new = [key for key in network.transformations if assigned[f"{key}-{scope}"] == f"{key}-{scope}"]
    at = now_utc()
    new_objects = [obj for key, obj in network.objects.items() if key not in known]
    n_new_objects = _write(lake, "gufe_objects", object_rows(new_objects, digests, scope, at, network.gufe_version))
    rows = transformation_rows(
        network, scope, at, labels={**lineage.labels, **labels}, only=[key for key in new if key not in stored]
    )
    n_new_transformations = _write(
        lake, "transformations", [{**row, **lineage.described.get(row["key"], {})} for row in rows]
    )
    # decided again with what others have recorded since
    assigned = record_calculations(lake, scope, identities, at)
    fault_point("submit:calculations-written")
    _write(lake, "network_members", member_rows(network, scope, assigned))
    if lineage.before_visible is not None:
        lineage.before_visible(assigned)
    # a network becomes visible with its own row, so that is the last; missing rows are written again
    row = network_row(
        network, scope, at, name=name, creator=caller.name, made_by=lineage.made_by, made_from=lineage.made_from
    )
    is_new = _write(lake, "networks", [row])
    stored_name, n_namesakes = _standing_name(lake, scope, network.key)
    return Submission(
        network=f"{network.key}-{scope}",
        name=stored_name,
        new=bool(is_new),
        n_transformations=len(network.transformations),
        n_systems=len(network.systems),
        n_objects=len(network.objects),
        n_new_transformations=n_new_transformations,
        n_new_objects=n_new_objects,
        n_unverified=len(unverified),
        key_map={key: other for key, other in assigned.items() if other != key},
        unused_name=name if name and name != stored_name else None,
        n_namesakes=n_namesakes,
    )


def check_submission(lake: Lake, network: Network, scope: Scope | str) -> None:
    """Raise if a network cannot be stored in a Scope. Nothing is written.

    Parameters
    ----------
    lake : Lake
    network : Network
    scope : Scope or str
        Specific Scope, without wildcards.

    Raises
    ------
    InvalidNetworkError
        If the Scope has other content for one of its keys, or objects of the network were edited.
    """
    unverified_keys(network)
    digests = {key: digest(obj.keyed_dict) for key, obj in network.objects.items()}
    _stored_objects(lake, network, Scope.parse(scope).require_specific(), digests)


def read_chain(lake: Lake, key: ScopedKey | str) -> bytes:
    """Return the keyed-chain JSON text of a stored network, Transformation or any other object.

    Parameters
    ----------
    lake : Lake
    key : ScopedKey or str
        ScopedKey of the object.

    Raises
    ------
    NotFoundError
        If the lake has no such object.
    """
    key = ScopedKey.parse(key)
    return read_chain_text(lake.table("gufe_objects").scan(), key.scope, key.gufe_key)


def read_network_chain(lake: Lake, network: ScopedKey | str) -> list[tuple[str, dict[str, Any]]]:
    """Return a stored network as a keyed chain of plain data, dependencies first.

    Parameters
    ----------
    lake : Lake
    network : ScopedKey or str
        ScopedKey of the network.

    Raises
    ------
    NotFoundError
        If the lake has no such network.
    """
    return [(key, keyed_dict) for key, keyed_dict in json.loads(read_chain(lake, network))]


# --- reading and writing --------------------------------------------------------------------------


def _write(lake: Lake, table: str, rows: list[dict[str, Any]]) -> int:
    written = lake.table(table).append_new(rows) if rows else 0
    fault_point(f"submit:{table}-written")
    return written


def _stored_objects(lake: Lake, network: Network, scope: Scope, digests: Mapping[str, str]) -> set[str]:
    """Return the objects that the Scope has; raise if it has one of their keys with other content."""
    here = lake.table("gufe_objects").scan().filter(pl.col("scope") == str(scope))
    stored = dict(here.select("key", "digest").collect().iter_rows())
    known = stored.keys() & digests.keys()
    doubtful = sorted(key for key in known if stored[key] != digests[key])
    if doubtful:
        frame = here.filter(pl.col("key").is_in(doubtful)).select("key", "keyed_dict", "digest").collect()
        for key, packed, digest_then in frame.sort("key").iter_rows():
            before = json.loads(stored_text(packed, digest_then, f"{key} in Scope {scope}"))
            if not same_content(before, network.objects[key].keyed_dict):
                raise InvalidNetworkError(
                    f"{network.source}: {key} differs from the object with this key in Scope {scope}; keys are "
                    f"computed from content, so {_edited(key, before, network.objects[key].keyed_dict)}",
                    source=network.source,
                    key=key,
                    scope=str(scope),
                )
    return set(known)


def _edited(key: str, stored: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Return which of two objects with one key is not the one that gufe made the key from."""
    if is_verified(key, given):
        return "the stored one was edited by hand before it was submitted: submit this network to another Scope"
    if is_verified(key, stored):
        return "this one was edited by hand: write the network again with the tool that made it"
    return (
        "one of the two files was edited by hand: write the network again with the tool that made it, or submit it to "
        "another Scope"
    )


def stored_transformations(lake: Lake, scope: Scope) -> tuple[set[str], dict[str, str]]:
    """Return the keys of the Transformations in a Scope, and the labels of its ligands.

    Parameters
    ----------
    lake : Lake
    scope : Scope
    """
    here = lake.table("transformations").scan().filter(pl.col("scope") == str(scope))
    columns = here.select("key", "ligand_a", "ligand_a_name", "ligand_b", "ligand_b_name").collect()
    labels: dict[str, str] = {}
    for _, ligand_a, label_a, ligand_b, label_b in columns.iter_rows():
        labels |= {key: label for key, label in ((ligand_a, label_a), (ligand_b, label_b)) if key is not None}
    return set(columns["key"]), labels


def _standing_name(lake: Lake, scope: Scope, key: str) -> tuple[str | None, int]:
    """Return the name of the network, set by the first submission, and how many others of the Scope have it too."""
    here = lake.table("networks").scan().filter(pl.col("scope") == str(scope))
    names = dict(here.select("key", "name").collect().iter_rows())
    name: str | None = names[key]
    return name, 0 if name is None else sum(other == name for other in names.values()) - 1
