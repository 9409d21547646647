"""Entries of a Delta log: their actions, and whether these are what was committed.

Each entry that we commit carries two digests in its `commitInfo`: that of the previous entry, and that of its own
actions. The second covers the meaning of the actions rather than their serialisation, since it is computed before
deltalake serialises them. An entry that adds columns also carries the digest of the table's new schema, under a key of
its own, which versions that do not know it ignore. References: Delta transaction protocol, "Actions".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from deltalake.transaction import AddAction, RemoveAction

__all__ = [
    "OWN",
    "PREVIOUS",
    "REPAIR",
    "SCHEMA",
    "Entry",
    "actions_digest",
    "entry_name",
    "has_digest",
    "is_repair",
    "previous_digest",
    "read_entry",
    "schema_digest",
]

#: Key in an entry's `commitInfo`: SHA-256 of the previous entry at the time of writing.
PREVIOUS: Final = "previousSha256"
#: Key in an entry's `commitInfo`: SHA-256 of its own data files and transaction numbers.
OWN: Final = "actionsSha256"
#: Key in an entry's `commitInfo`: SHA-256 of the schema that it gives the table.
SCHEMA: Final = "schemaSha256"
#: Operation of entries written by repair.
REPAIR: Final = "REPAIR"
#: Known kinds of actions; an entry with another is damaged, since deltalake ignores unknown ones.
_KINDS: Final = frozenset({"add", "remove", "metaData", "protocol", "txn", "commitInfo", "domainMetadata", "cdc"})

Entry = Sequence[Mapping[str, Any]]


def entry_name(version: int) -> str:
    """Return the file name of a log entry."""
    return f"{version:020d}.json"


def read_entry(data: bytes) -> Entry | None:
    """Return the actions of a log entry; None if they are not what was committed."""
    try:
        actions = [json.loads(line) for line in data.splitlines() if line.strip()]
        is_whole = bool(actions) and all(isinstance(action, dict) and _is_whole(action) for action in actions)
        is_whole = is_whole and _info(actions).get(OWN) in (None, _digest(actions))
        is_whole = is_whole and _info(actions).get(SCHEMA) in (None, *_schemas(actions))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return actions if is_whole else None


def has_digest(entry: Entry) -> bool:
    """Return whether an entry carries the digest of its actions; entries of older versions do not."""
    return OWN in _info(entry)


def is_repair(entry: Entry) -> bool:
    """Return whether an entry is a placeholder, without changes, for one that was lost."""
    return _info(entry).get("operation") == REPAIR


def previous_digest(entry: Entry) -> str | None:
    """Return the SHA-256 that this entry records for the previous one; None if it records none."""
    told = _info(entry).get(PREVIOUS)
    return told if isinstance(told, str) else None


def actions_digest(actions: Sequence[AddAction | RemoveAction], transaction: tuple[str, int] | None) -> str:
    """Return the digest of an entry with these actions and this transaction (name, number).

    Parameters
    ----------
    actions : sequence of AddAction or RemoveAction
        Data files that the entry adds and removes.
    transaction : tuple of str, int or None
        Name of the log and number of the commit.
    """
    parts = [_of_add(unquote(a.path), a.size, a.partition_values, a.stats) for a in actions if isinstance(a, AddAction)]
    parts += [["remove", unquote(a.path)] for a in actions if isinstance(a, RemoveAction)]
    parts += [] if transaction is None else [["txn", *transaction]]
    return _digest_of(parts)


def schema_digest(schema: str) -> str:
    """Return the digest of a table's schema in Delta's JSON."""
    return hashlib.sha256(json.dumps(json.loads(schema), sort_keys=True).encode()).hexdigest()


def _schemas(entry: Entry) -> list[str]:
    return [schema_digest(action["metaData"]["schemaString"]) for action in entry if "metaData" in action]


def _digest(entry: Entry) -> str:
    parts: list[list[Any]] = []
    for action in entry:
        ((kind, content),) = action.items()
        if kind == "add":
            parts.append(
                _of_add(unquote(content["path"]), content["size"], content["partitionValues"], content["stats"])
            )
        elif kind == "remove":
            parts.append(["remove", unquote(content["path"])])
        elif kind == "txn":
            parts.append(["txn", content["appId"], content["version"]])
    return _digest_of(parts)


def _of_add(path: str, size: int, partition: Mapping[str, str | None], stats: str) -> list[Any]:
    return ["add", path, size, dict(partition), json.loads(stats)]


def _digest_of(parts: Sequence[list[Any]]) -> str:
    lines = sorted(json.dumps(part, sort_keys=True) for part in parts)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _is_whole(action: Mapping[str, Any]) -> bool:
    """Return whether an action is of a known kind, with all required fields of a data file."""
    if len(action) != 1 or not action.keys() <= _KINDS:
        return False
    if "add" in action:
        added = action["add"]
        return isinstance(added, dict) and isinstance(added.get("path"), str) and isinstance(added.get("size"), int)
    removed = action.get("remove", {"path": ""})
    return isinstance(removed, dict) and isinstance(removed.get("path"), str)


def _info(entry: Entry) -> Mapping[str, Any]:
    found: Any = next((action["commitInfo"] for action in entry if "commitInfo" in action), {})
    return found if isinstance(found, dict) else {}
