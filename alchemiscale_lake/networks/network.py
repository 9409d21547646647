"""A network as plain data: its objects, its Transformations, and whether it can be stored.

Invalid networks are rejected here, before anything is written. `read` provides the objects; `facts` and `rows` make
table rows from them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..errors import InvalidNetworkError
from .chain import ChainObject, closure, digest, index_chain, reference

__all__ = ["Network", "is_network", "is_transformation", "network_of", "states_of"]

#: Keys from which a ScopedKey can be made.
_MEMBER_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*-[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Network:
    """An AlchemicalNetwork that can be stored.

    Parameters
    ----------
    objects : mapping of str to ChainObject
        Every object of the network by key, each after what it refers to; the network is the last.
    key : str
        gufe key of the network.
    name : str or None
        Its own name.
    transformations, systems : tuple of str
        Keys of its edges and of its nodes, sorted.
    source : str
        Origin, for messages.
    gufe_version : str or None
        gufe version that wrote it, if known.
    """

    objects: Mapping[str, ChainObject]
    key: str
    name: str | None
    transformations: tuple[str, ...]
    systems: tuple[str, ...]
    source: str
    gufe_version: str | None = None


def is_network(obj: ChainObject) -> bool:
    """Return whether an object is an AlchemicalNetwork, by its fields."""
    fields = obj.keyed_dict
    return isinstance(fields.get("edges"), list) and isinstance(fields.get("nodes"), list)


def is_transformation(obj: ChainObject) -> bool:
    """Return whether an object is a Transformation or NonTransformation of any class, by its fields."""
    fields = obj.keyed_dict
    between = "stateA" in fields and "stateB" in fields
    return "protocol" in fields and (between or "system" in fields)


def states_of(transformation: ChainObject) -> tuple[str | None, str | None]:
    """Return the keys of states A and B; for a NonTransformation, of its system and None."""
    fields = transformation.keyed_dict
    if "stateA" in fields:
        return reference(fields["stateA"]), reference(fields.get("stateB"))
    return reference(fields.get("system")), None


def network_of(
    objects: Sequence[ChainObject],
    roots: Sequence[str],
    source: str,
    *,
    name: str | None = None,
    gufe_version: str | None = None,
) -> Network:
    """Make a network of the content of a source.

    Parameters
    ----------
    objects : sequence of ChainObject
    roots : sequence of str
        Key of one AlchemicalNetwork, or keys of Transformations, which then become a network.
    source : str
        Origin of the objects, for messages.
    name : str, optional
        Name to store instead of the network's own.
    gufe_version : str, optional

    Raises
    ------
    InvalidNetworkError
        If it is not a network that can be stored; the message names the object and the problem.
    """
    by_key = index_chain(objects, source)
    if len(roots) == 1 and is_network(by_key[roots[0]]):
        network = by_key[roots[0]]
    else:
        network = _joined(by_key, roots, source, name)
        by_key[network.key] = network
    edges, nodes = _members(network, "edges", source), _members(network, "nodes", source)
    if not edges:
        raise _refused(source, network.key, "it has no Transformations; add edges to the network")
    for edge in edges:
        nodes.update(dict.fromkeys(_checked_states(by_key, edge, source)))
    for node in nodes:
        _check_system(by_key, node, source)
    for key in (network.key, *edges, *nodes):
        if not _MEMBER_KEY.fullmatch(key):
            raise _refused(source, key, "its key does not have the form <class>-<token>; do not edit keys")
    own_name = name or network.keyed_dict.get("name")
    return Network(
        objects={obj.key: obj for obj in closure(by_key, [network.key], source)},
        key=network.key,
        name=str(own_name) if own_name else None,
        transformations=tuple(sorted(edges)),
        systems=tuple(sorted(nodes)),
        source=source,
        gufe_version=gufe_version,
    )


def _joined(by_key: Mapping[str, ChainObject], roots: Sequence[str], source: str, name: str | None) -> ChainObject:
    """Make the AlchemicalNetwork whose edges are the roots, with the key that gufe >= 1 would compute."""
    for root in roots:
        if not is_transformation(by_key[root]):
            raise _refused(
                source,
                root,
                f"it is a {by_key[root].qualname}, neither an AlchemicalNetwork nor a Transformation; "
                "give the file of the network",
            )
    edges = sorted(set(roots))
    nodes = sorted({state for edge in edges for state in states_of(by_key[edge]) if state is not None})
    fields: dict[str, Any] = {
        "nodes": [{":gufe-key:": key} for key in nodes],
        "edges": [{":gufe-key:": key} for key in edges],
        "name": name,
        "__qualname__": "AlchemicalNetwork",
        "__module__": "gufe.network",
    }
    # gufe >= 1: MD5 of the sorted JSON of what differs from the defaults
    token = hashlib.md5(
        json.dumps({k: v for k, v in fields.items() if v is not None}, sort_keys=True).encode(), usedforsecurity=False
    ).hexdigest()
    if any(":version:" in by_key[edge].keyed_dict for edge in edges):
        fields[":version:"] = 1
    return ChainObject(f"AlchemicalNetwork-{token}", fields, json.dumps(fields), (*nodes, *edges))


def _members(network: ChainObject, field: str, source: str) -> dict[str, None]:
    members = [reference(value) for value in network.keyed_dict[field]]
    if None in members:
        raise _refused(source, network.key, f"entry {members.index(None) + 1} of its {field} is not a gufe key")
    return dict.fromkeys(member for member in members if member is not None)


def _checked_states(by_key: Mapping[str, ChainObject], edge: str, source: str) -> Iterable[str]:
    transformation = by_key[edge]
    if not is_transformation(transformation):
        raise _refused(source, edge, f"it is a {transformation.qualname}, but an edge must be a Transformation")
    state_a, state_b = states_of(transformation)
    fields = transformation.keyed_dict
    states = [state_a] if "stateA" not in fields else [state_a, state_b]
    if None in states or reference(fields["protocol"]) is None:
        raise _refused(source, edge, "its states and its protocol must be gufe keys")
    if state_b is not None and state_a is not None and _same(by_key[state_a], by_key[state_b]):
        raise _refused(
            source,
            edge,
            f"'{fields.get('name') or transformation.qualname}' transforms the ChemicalSystem {state_a} into itself; "
            "use a NonTransformation to sample one system, or give it two different states",
        )
    return [state for state in states if state is not None]


def _same(a: ChainObject, b: ChainObject) -> bool:
    if a.key == b.key or a.keyed_dict.get("components") != b.keyed_dict.get("components"):
        return a.key == b.key
    return digest(a.keyed_dict) == digest(b.keyed_dict)


def _check_system(by_key: Mapping[str, ChainObject], key: str, source: str) -> None:
    system = by_key[key]
    components = system.keyed_dict.get("components")
    if not isinstance(components, dict) or any(reference(value) is None for value in components.values()):
        raise _refused(
            source, key, f"it is a {system.qualname} without a dict of components, but a node must be a ChemicalSystem"
        )


def _refused(source: str, key: str, why: str) -> InvalidNetworkError:
    return InvalidNetworkError(f"{source}: {key} cannot be stored: {why}", source=source, key=key)
