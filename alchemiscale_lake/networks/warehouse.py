"""Warehouses of openfe >= 1.13: folders with one file per gufe object, named by its key.

`protocol_dags` contains the plans and `result` the results of units, in the order in which they ended. They are joined
by the key of the unit into one chain of a ProtocolDAGResult per ProtocolDAG, as written by gufe.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from .. import content
from ..errors import ContentError, ResultFileError
from ..plurals import part, verb
from .chain import reference

__all__ = ["assembled_result", "find_dags", "is_dag"]

_DAGS: Final = "protocol_dags"
_RESULTS: Final = ("result", "results")
_OTHERS: Final = ("setup", "tasks")
_RAN: Final = ("ProtocolUnitResult-", "ProtocolUnitFailure-")


def find_dags(folder: Path) -> list[Path]:
    """Return the ProtocolDAGs of all warehouses in a folder."""
    stores = [folder] if folder.name == _DAGS else sorted(p for p in folder.rglob(_DAGS) if p.is_dir())
    return [path for store in stores for path in sorted(store.iterdir()) if is_dag(path)]


def is_dag(path: Path) -> bool:
    """Return whether a file is a ProtocolDAG of a warehouse."""
    return path.parent.name == _DAGS and path.name.startswith("ProtocolDAG-") and path.is_file()


def assembled_result(dag: Path) -> bytes:
    """Return the keyed chain of the ProtocolDAGResult of a ProtocolDAG.

    Parameters
    ----------
    dag : path
        Its file.

    Raises
    ------
    ResultFileError
        If an object is missing or damaged, or, with the fact `unfinished`, if not every unit has ended and none failed.
    """
    root = dag.parent.parent
    fields = _read(dag)
    units = [str(reference(unit)) for unit in fields.get("protocol_units", [])]
    of_unit = _by_unit(root)
    ran = sorted(name for unit in units for name in of_unit.get(unit, ()))
    ended = {unit for unit in units if of_unit.get(unit)}
    if not any(name.startswith(_RAN[1]) for name in ran) and len(ended) < len(units):
        raise ResultFileError(
            f"{dag}: not finished, {part(len(ended), len(units), 'unit')} {verb(len(ended), 'has', 'have')} a result; "
            "import the folder again later",
            source=str(dag),
            unfinished=True,
        )
    objects: dict[str, dict[str, Any]] = {}
    for key in (*units, *ran):
        _collect(root, key, objects)
    result = {
        "name": fields.get("name"),
        "protocol_units": [{":gufe-key:": key} for key in units],
        "protocol_unit_results": [{":gufe-key:": key} for key in ran],
        "transformation_key": fields.get("transformation_key"),
        "extends_key": fields.get("extends_key"),
        "__qualname__": "ProtocolDAGResult",
        "__module__": "gufe.protocols.protocoldag",
        ":version:": 1,
    }
    chain = [*objects.items(), (dag.name.replace("ProtocolDAG-", "ProtocolDAGResult-"), result)]
    return json.dumps(chain).encode()


def _by_unit(root: Path) -> Mapping[str, list[str]]:
    """Return the keys of results by that of their unit; cached while the folder is unchanged."""
    store = next((root / name for name in _RESULTS if (root / name).is_dir()), None)
    if store is None:
        return {}
    return _index(store, store.stat().st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _index(store: Path, changed_ns: int) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(path.name for path in store.iterdir() if path.name.startswith(_RAN)):
        unit = _read(store / name).get("source_key")
        found.setdefault(str(reference(unit) or unit), []).append(name)
    return found


def _collect(root: Path, key: str, objects: dict[str, dict[str, Any]]) -> None:
    """Add an object, after all objects that it refers to."""
    opened: dict[str, dict[str, Any]] = {}
    waiting = [key]
    while waiting:
        name = waiting[-1]
        if name in opened or name in objects:
            objects.setdefault(waiting.pop(), opened.get(name, {}))
            continue
        opened[name] = _read(_place(root, name))
        waiting += [other for other in _references(opened[name]) if other not in objects and other not in opened]


def _place(root: Path, key: str) -> Path:
    for store in (*_RESULTS, *_OTHERS, _DAGS):
        if (root / store / key).is_file():
            return root / store / key
    raise ResultFileError(f"{root}: the warehouse has no {key}; copy the whole folder", source=str(root), key=key)


def _references(value: Any) -> Iterator[str]:
    key = reference(value)
    if key is not None:
        yield key
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _read(path: Path) -> dict[str, Any]:
    try:
        fields = content.parse_json(content.decode_text(content.read_file(path), str(path)), str(path))
    except ContentError as e:
        raise ResultFileError(e.message, **e.facts) from e
    if not isinstance(fields, dict):
        raise ResultFileError(f"{path}: not an object of gufe; copy it again", source=str(path))
    return fields
