"""Keyed chains: the JSON list of `[key, keyed dict]` that gufe writes, read without gufe.

The text of every object is kept as it arrived, so that neither storing nor reading back serialises JSON again.
`network` decides whether a chain is a network.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from ..content import check_depth, unique_keys
from ..errors import ContentError, InvalidNetworkError

__all__ = [
    "ChainObject",
    "canonical_json",
    "closure",
    "digest",
    "index_chain",
    "parse_chain",
    "reference",
    "same_content",
]

_REFERENCE: Final = ":gufe-key:"
_TOKENS: Final = frozenset('[]{},"')
_skip: Final = re.compile(r"[ \t\n\r]*").match


@dataclass(frozen=True, slots=True)
class ChainObject:
    """One object of a keyed chain.

    Parameters
    ----------
    key : str
        gufe key at ingestion; never recomputed.
    keyed_dict : dict
        The object, parsed.
    text : str
        Its JSON text, as it arrived.
    refers_to : tuple of str
        Unique keys it refers to directly, in the order of the text.
    """

    key: str
    keyed_dict: dict[str, Any]
    text: str
    refers_to: tuple[str, ...]

    @property
    def qualname(self) -> str:
        """Return the name of its class."""
        return str(self.keyed_dict["__qualname__"])


def reference(value: Any) -> str | None:
    """Return the key that `value` refers to, None if it is not a reference."""
    key = value.get(_REFERENCE) if isinstance(value, dict) else None
    return key if isinstance(key, str) else None


def canonical_json(value: Any) -> str:
    """Serialise JSON data in canonical form: sorted keys, no whitespace."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def digest(keyed_dict: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON of a keyed dict, hexadecimal."""
    return hashlib.sha256(canonical_json(keyed_dict).encode()).hexdigest()


def same_content(mine: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two keyed dicts of one key are equivalent, even if written by two versions of gufe.

    Versions add fields (`:version:`, an empty `metadata`) and move classes without changing the key; a field that only
    one side has must be empty, any other must be equal.

    Parameters
    ----------
    mine : mapping of str to object
        Keyed dict.
    other : mapping of str to object
        Keyed dict of the same key.
    """
    fields = (mine.keys() | other.keys()) - {":version:", "__module__"}
    alone = {field for field in fields if field not in mine or field not in other}
    if any(mine.get(field) or other.get(field) for field in alone):
        return False
    # as text, because NaN (an undefined box vector) does not equal itself
    return all(canonical_json(mine[field]) == canonical_json(other[field]) for field in fields - alone)


# --- reading ------------------------------------------------------------------------------------


class _Reader:
    """Splits the text of a chain into its objects, tracking positions for error messages."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._found: list[Any] = []
        self._decode = json.JSONDecoder(object_pairs_hook=self._note).raw_decode
        self.place = "before its first object"

    def _note(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        parsed = unique_keys(pairs)
        if _REFERENCE in parsed:
            self._found.append(parsed[_REFERENCE])
        return parsed

    def value(self, at: int) -> tuple[Any, int, int, list[Any]]:
        """Return the value at `at`, its start and end, and the references in it."""
        start = self.after_space(at)
        self._found.clear()
        try:
            value, end = self._decode(self._text, start)
        except json.JSONDecodeError as e:
            self.fail(e.pos, e.msg)
        except RecursionError:
            self.fail(start, "values are nested too deeply")
        except ValueError as e:  # a number with thousands of digits, a duplicate key
            self.fail(start, str(e))
        try:
            check_depth(value, self._source)
        except ContentError as e:
            self.fail(start, e.message.removeprefix(f"{self._source}: "))
        return value, start, end, list(self._found)

    def after_space(self, at: int) -> int:
        """Return the start of the next token."""
        if self._text[at : at + 1] in _TOKENS:  # the common case; a regular expression is ten times slower
            return at
        found = _skip(self._text, at)
        return found.end() if found else at

    def token(self, at: int, allowed: str) -> tuple[str, int]:
        """Return the punctuation at `at`, which must be one of `allowed`, and its end."""
        start = self.after_space(at)
        token = self._text[start : start + 1]
        if not token or token not in allowed:
            wanted = " or ".join(f"'{t}'" for t in allowed)
            self.fail(start, f"expected {wanted}, found {f'{token!r}' if token else 'the end of the file'}")
        return token, start + 1

    def end(self, at: int) -> None:
        """Raise unless only whitespace is left."""
        start = self.after_space(at)
        if start != len(self._text):
            self.fail(start, "there is text after the end of the chain")

    def fail(self, at: int, why: str) -> NoReturn:
        line = self._text.count("\n", 0, at) + 1
        column = at - self._text.rfind("\n", 0, at)
        size = len(self._text.encode(errors="surrogatepass"))
        byte = len(self._text[:at].encode(errors="surrogatepass"))
        raise InvalidNetworkError(
            f"{self._source}: not a complete keyed chain: line {line}, column {column} (byte {byte} of {size}), "
            f"{self.place}: {why}; the file is truncated or damaged; copy or write it again",
            source=self._source,
            line=line,
            column=column,
            byte=byte,
        )


def parse_chain(text: str, source: str = "chain") -> list[ChainObject]:
    """Read the JSON text of a keyed chain.

    Parameters
    ----------
    text : str
        `[[key, keyed dict], ...]`, dependencies first or not.
    source : str
        Origin of the text, for messages.

    Raises
    ------
    InvalidNetworkError
        If the text is truncated or malformed (with line, column and byte), or is JSON of another form.
    """
    reader = _Reader(text, source)
    objects: list[ChainObject] = []
    token, at = reader.token(0, "[")
    if text.startswith("]", reader.after_space(at)):
        token, at = reader.token(at, "]")
    while token != "]":
        obj, at = _read_object(reader, text, at, source, len(objects) + 1)
        objects.append(obj)
        token, at = reader.token(at, ",]")
    reader.end(at)
    return objects


def _read_object(reader: _Reader, text: str, at: int, source: str, number: int) -> tuple[ChainObject, int]:
    reader.place = f"in object {number}"
    _, at = reader.token(at, "[")
    key, _, at, _ = reader.value(at)
    if not isinstance(key, str):
        reader.fail(at, f"an object must begin with its key, a string; found {type(key).__name__}")
    reader.place = f"in object {number} ({key})"
    _, at = reader.token(at, ",")
    keyed_dict, start, end, found = reader.value(at)
    if not isinstance(keyed_dict, dict) or not isinstance(keyed_dict.get("__qualname__"), str):
        reader.fail(start, "the key must be followed by a dict that names the class in '__qualname__'")
    if not all(isinstance(needed, str) for needed in found):
        reader.fail(start, f"a {_REFERENCE!r} must be a string")
    _, at = reader.token(end, "]")
    return ChainObject(key, keyed_dict, text[start:end], tuple(dict.fromkeys(found))), at


# --- checks -------------------------------------------------------------------------------------


def index_chain(objects: Iterable[ChainObject], source: str) -> dict[str, ChainObject]:
    """Return the objects by key.

    Parameters
    ----------
    objects : iterable of ChainObject
        Objects of a keyed chain.
    source : str
        Name of the file, for the message.

    Raises
    ------
    InvalidNetworkError
        If one key has two different contents, or an object refers to a missing key.
    """
    by_key: dict[str, ChainObject] = {}
    for obj in objects:
        before = by_key.setdefault(obj.key, obj)
        if before.text != obj.text and digest(before.keyed_dict) != digest(obj.keyed_dict):
            raise InvalidNetworkError(
                f"{source}: two different objects have the key {obj.key}; keys are computed from content, so one of "
                "them was edited by hand: write the network again with the tool that made it",
                source=source,
                key=obj.key,
            )
    for obj in by_key.values():
        for needed in obj.refers_to:
            if needed not in by_key:
                raise InvalidNetworkError(
                    f"{source}: {_called(obj)} refers to {needed}, which is not in the chain; part of the file is "
                    "missing: write the network again with the tool that made it",
                    source=source,
                    key=obj.key,
                    missing=needed,
                )
    return by_key


def closure(by_key: Mapping[str, ChainObject], roots: Sequence[str], source: str) -> list[ChainObject]:
    """Return `roots` and all their dependencies, each after what it refers to.

    Parameters
    ----------
    by_key : mapping of str to ChainObject
        Objects by gufe key, with all dependencies of the roots.
    roots : sequence of str
        gufe keys.
    source : str
        Name of the file, for the message.

    Raises
    ------
    InvalidNetworkError
        If an object depends on itself, directly or indirectly.
    """
    ordered: list[ChainObject] = []
    done: dict[str, bool] = {}  # False while the objects it refers to are being visited
    stack = list(reversed(roots))
    while stack:
        key = stack[-1]
        if key not in done:
            done[key] = False
            for needed in reversed(by_key[key].refers_to):
                if done.get(needed) is False:
                    raise InvalidNetworkError(
                        f"{source}: {_called(by_key[key])} refers to {needed}, which refers back to it; such objects "
                        "cannot be built: write the network again with the tool that made it",
                        source=source,
                        key=key,
                    )
                if needed not in done:
                    stack.append(needed)
            continue
        stack.pop()
        if not done[key]:
            done[key] = True
            ordered.append(by_key[key])
    return ordered


def _called(obj: ChainObject) -> str:
    name = obj.keyed_dict.get("name")
    return f"{obj.key} ('{name}')" if isinstance(name, str) and name else obj.key
