"""Validation of a document: settings, or messages on what is wrong and what to do.

Cross-checks of a pool require valid values. So invalid values are removed and the rest is validated again: all
mistakes are reported at once, without those that only follow from others.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from ..settings import Pools
from .document import Document, Key, Mistake

__all__ = ["validate"]

#: Names of keys in other systems.
_SYNONYMS: Final[Mapping[str, str]] = {
    "partition": "queue",
    "project": "account",
    "time": "walltime",
    "mem": "memory",
    "cpus": "cores",
    "ncpus": "cores",
    "cpus_per_task": "cores",
    "gpu": "gpus",
    "gres": "directives",
    "job_extra_directives": "directives",
    "extra_directives": "directives",
    "resource_spec": "directives",
    "job_directives_skip": "skip_directives",
    "env": "environment",
    "modules": "environment",
    "job_script_prologue": "environment",
    "local_directory": "work_root",
    "log_directory": "log_folder",
    "type": "kind",
    "weight": "priority",
    "max_workers": "limits.maximum",
    "min_workers": "limits.minimum",
    "adapt": "limits",
    "scale": "limits",
}
_ROUNDS: Final = 5


def validate(document: Document) -> tuple[Pools | None, list[Mistake]]:
    """Validate a document.

    Returns
    -------
    pools : Pools or None
        None if there are mistakes.
    mistakes : list of Mistake
    """
    values = document.values
    mistakes = [one for one in _unknown_keys(values, Pools, ()) if one.key not in document.secrets]
    aside = {one.key for one in [*document.mistakes, *mistakes] if one.key} | document.secrets
    for key in sorted(aside, key=len, reverse=True):
        _remove(values, key)
    for _ in range(_ROUNDS):
        try:
            pools = Pools.model_validate(values)
        except ValidationError as e:
            found = [m for m in _found(e) if not _follows(m, aside)]
            mistakes += found
            wrong = {_nearest(values, m.key) for m in found} - {()}
            if not wrong:
                break
            aside |= wrong
            for key in wrong:
                _remove(values, key)
        else:
            return (None, mistakes) if mistakes else (pools, [])
    return None, mistakes


def _unknown_keys(values: Any, model: type[BaseModel], key: Key) -> Iterator[Mistake]:
    if not isinstance(values, dict):
        return
    known = _keys(model)
    for name, value in values.items():
        if name not in known:
            yield Mistake((*key, name), f"unknown key; {_suggestion(name, model)}")
            continue
        inner, is_mapping = _inner(known[name])
        if inner is None:
            continue
        for entry, entry_key in _entries(value, (*key, name)) if is_mapping else [(value, (*key, name))]:
            yield from _unknown_keys(entry, inner, entry_key)


def _entries(value: Any, key: Key) -> list[tuple[Any, Key]]:
    return [(entry, (*key, name)) for name, entry in value.items()] if isinstance(value, dict) else []


def _keys(model: type[BaseModel]) -> dict[str, Any]:
    """Return the annotations by key in the file."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the model of a field, and whether it is a mapping of several by name."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        (annotation, *_) = typing.get_args(annotation)
    if typing.get_origin(annotation) is dict:
        return _inner(typing.get_args(annotation)[1])[0], True
    return (annotation, False) if isinstance(annotation, type) and issubclass(annotation, BaseModel) else (None, False)


def _suggestion(name: str, model: type[BaseModel]) -> str:
    known = _keys(model)
    bare = name.lower().replace("-", "_")
    for field_name, field in model.model_fields.items():
        if bare == field_name and field.alias:
            return f"write {field.alias}, with its unit in the value"
    meant = _SYNONYMS.get(bare, "")
    if meant.partition(".")[0] in known:
        return f"did you mean {meant}?"
    for holder, annotation in known.items():
        inner, is_mapping = _inner(annotation)
        if inner is not None and not is_mapping and bare in _keys(inner):
            return f"put it under {holder}"
    close = difflib.get_close_matches(bare, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known keys: {', '.join(known)}"


def _found(error: ValidationError) -> Iterator[Mistake]:
    for one in error.errors(include_url=False):
        key: Key = tuple(part for part in one["loc"] if part != "[key]")
        if one["type"] != "value_error":
            yield Mistake(key, _sentence(key, one))
            continue
        for line in str(one["ctx"]["error"]).split("\n"):
            name, colon, what = line.partition(": ")
            belongs = colon and isinstance(one["input"], dict) and name in _keys(_model_at(key))
            yield Mistake((*key, name), what) if belongs else Mistake(key, line)


def _model_at(key: Key) -> type[BaseModel]:
    model: type[BaseModel] = Pools
    is_mapping = False
    for part in key:
        if is_mapping:
            is_mapping = False
            continue
        inner, is_mapping = _inner(_keys(model).get(str(part)))
        model = inner or model
    return model


def _sentence(key: Key, error: Any) -> str:
    kind, value, limits = str(error["type"]), error["input"], error.get("ctx", {})
    shown = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."
    if kind == "missing":
        return f"is missing; add a line `{key[-1]}:`"
    if value is None:
        return "has no value; give one, or remove the key"
    if kind == "literal_error":
        return _not_one_of(str(value), str(limits["expected"]))
    if kind == "string_pattern_mismatch" or (kind == "string_too_long" and key[0] == "pools"):
        return f"{shown} is not a pool name; begin with a letter, then letters, digits, '-' and '_', at most 63"
    if kind == "string_type":
        return f"{shown} is not text; put it in quotes" if isinstance(value, (int, float)) else "must be text"
    for beginning, said in _SENTENCES.items():
        if kind.startswith(beginning):
            return said.format(shown=shown, **limits)
    return str(error["msg"])


_SENTENCES: Final[Mapping[str, str]] = {
    "int": "{shown} is not a whole number",
    "float": "{shown} is not a number",
    "finite": "{shown} is not finite; give a number",
    "greater_than_equal": "{shown} is less than {ge:g}",
    "greater_than": "{shown} is not above {gt:g}",
    "less_than_equal": "{shown} is more than {le:g}",
    "model": "{shown} is given instead of keys; write indented keys, one per line",
    "dict": "{shown} is given instead of keys; write indented keys, one per line",
    "tuple": "{shown} is not a list; write one item per line, after '- '",
    "too_short": "is empty; name at least one",
}


def _not_one_of(value: str, expected: str) -> str:
    choices = expected.replace("'", "").replace(" or ", ", ").split(", ")
    close = difflib.get_close_matches(value.lower(), choices, n=1)
    meant = f"did you mean {close[0]}? Choose" if close else "choose"
    return f"{value!r} is unknown; {meant} one of {', '.join(choices)}"


def _follows(mistake: Mistake, aside: set[Key]) -> bool:
    """Return whether something is missing only because it was removed."""
    return any(one[: len(mistake.key)] == mistake.key for one in aside)


def _nearest(values: Any, key: Key) -> Key:
    """Return the key to remove: a whole list for one of its items, the nearest parent for a missing key."""
    for depth, part in enumerate(key):
        if not isinstance(values, dict) or part not in values:
            return key[:depth]
        values = values[part]
    return key


def _remove(values: Any, key: Key) -> None:
    for part in key[:-1]:
        values = values.get(part) if isinstance(values, dict) else None
    if isinstance(values, dict):
        values.pop(key[-1], None)
