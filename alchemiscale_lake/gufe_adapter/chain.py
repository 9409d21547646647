"""Conversion between gufe objects and keyed chains as JSON text.

A keyed chain is a list of `[key, keyed dict]`, dependencies first, the object itself last; it is what gufe >= 1 and
openfe write with `to_json`. gufe 0.4 lacks this form, so chains are written and read here for both generations. They
also carry ProtocolDAGs and results between processes. Files are handled in `files`, storage in tables without gufe's
classes in `alchemiscale_lake.networks`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from ..errors import ExecutionError, InvalidNetworkError, LakeError
from ._gufe import gufe_version, require_classes, tokenization
from ._translate import translate_in, translate_out

__all__ = [
    "Chain",
    "ChainReader",
    "build_chain",
    "build_nested",
    "decode",
    "dumps_chain",
    "is_chain",
    "loads_chain",
    "to_chain",
    "unreadable",
]

#: A keyed chain as plain data, dependencies first, the object itself last.
Chain = list[tuple[str, dict[str, Any]]]

_KEY: Final = ":gufe-key:"
#: JSON between the links of a chain, and the beginning of a link whose key needs no decoding.
_OPENING: Final = re.compile(r"\s*\[\s*")
_BETWEEN: Final = re.compile(r"\s*,\s*")
_CLOSING: Final = re.compile(r"\s*\]\s*\Z")
_LINK: Final = re.compile(r'\[\s*"([^"\\]*)"')


def to_chain(obj: Any) -> Chain:
    """Return the keyed chain of a gufe object; values may still need gufe's JSON encoder.

    The order is that of a depth-first walk, so equal objects give equal chains.
    """
    tok = tokenization()
    chain: Chain = []
    done: set[str] = set()
    # (object, None): to be visited; (object, shallow dict): all dependencies are written
    stack: list[tuple[Any, dict[str, Any] | None]] = [(obj, None)]
    while stack:
        current, shallow = stack.pop()
        key = str(current.key)
        if shallow is not None:
            chain.append((key, _refer(translate_out(shallow), tok.is_gufe_obj)))
        elif key not in done:
            done.add(key)
            shallow = current.to_shallow_dict()
            stack.append((current, shallow))
            stack.extend((needed, None) for needed in reversed(list(_objects_in(shallow, tok.is_gufe_obj))))
    return chain


def dumps_chain(obj: Any) -> bytes:
    """Write a gufe object as the JSON text of its keyed chain.

    Accepts networks, Transformations, ProtocolDAGs, unit results and DAG results.

    Returns
    -------
    bytes
        UTF-8 text `[[key, keyed dict], ...]`, as gufe >= 1 writes with `to_json`.

    Raises
    ------
    ExecutionError
        If the object contains something that JSON cannot represent (an output of a unit, for example).
    """
    handler = tokenization().JSON_HANDLER
    try:
        return json.dumps(to_chain(obj), cls=handler.encoder).encode()
    except (TypeError, ValueError) as e:
        raise ExecutionError(
            f"{type(obj).__name__} {getattr(obj, 'name', None) or ''} cannot be written as JSON ({e}); a Protocol must "
            f"return gufe objects, plain Python values, arrays and paths (gufe {gufe_version()} is installed)",
            key=str(obj.key),
        ) from e


def loads_chain(data: bytes | str) -> Any:
    """Read a gufe object from the JSON text of its keyed chain.

    Parameters
    ----------
    data : bytes or str
        Output of `dumps_chain`, or of gufe >= 1's `to_json`.

    Raises
    ------
    MissingClassError
        If a class in the chain cannot be imported here.
    InvalidNetworkError
        If the text is not a keyed chain, or this gufe cannot build an object in it.
    """
    content = decode(data)
    if not is_chain(content):
        raise InvalidNetworkError(
            "the text is JSON but not a keyed chain [[key, dict], ...]; write it with gufe's `to_json`, or use "
            "`load_object` for other formats"
        )
    return build_chain(content)


class ChainReader:
    """Reader of many chains that builds their shared objects once.

    Results of one network share its proteins, ligands and Protocols, and those are most of each chain. A link with the
    same text as before is neither parsed nor built again. Objects of a single execution (ProtocolUnits and their
    results) are not kept.
    """

    def __init__(self) -> None:
        self._shared: dict[str, Any] = {}
        self._texts: dict[str, str] = {}

    def loads(self, data: bytes | str) -> Any:
        """Read a gufe object from the JSON text of its keyed chain; raise what `loads_chain` raises."""
        tok = tokenization()
        hook = tok.JSON_HANDLER.decoder().object_hook
        objects: dict[str, Any] = {}
        obj: Any = None
        try:
            for key, link, text in self._links(data if isinstance(data, str) else data.decode()):
                obj = self._shared.get(key)
                if obj is None:
                    obj = _build(_resolve(_decoded(link, hook), objects), tok)
                    if not isinstance(obj, _of_one_execution()):
                        self._shared[key], self._texts[key] = obj, text
                objects[key] = obj
        except (LakeError, ImportError, AttributeError, KeyError, TypeError, ValueError):
            # this reports any error
            return loads_chain(data)
        return obj

    def _links(self, text: str) -> Iterator[tuple[str, Any, str]]:
        """Yield key, content and text of each link; one with a known text is not parsed, and has no content.

        Raises
        ------
        ValueError
            If the text is not a list of links.
        """
        parse, place = json.JSONDecoder().raw_decode, _after(_OPENING, text, 0)
        while True:
            begin = _LINK.match(text, place)
            known = None if begin is None else self._texts.get(begin[1])
            if begin is not None and known is not None and text.startswith(known, place):
                key, link, end = begin[1], None, place + len(known)
            else:
                (key, link), end = parse(text, place)
            yield key, link, text[place:end]
            if _CLOSING.match(text, end):
                return
            place = _after(_BETWEEN, text, end)

    def built(self, key: str) -> Any | None:
        """Return the object built under this key; None if none was built, or it was not kept."""
        return self._shared.get(key)


def _after(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    if found is None:
        raise ValueError(f"no chain at {place}")
    return found.end()


def _decoded(value: Any, hook: Callable[[dict[str, Any]], Any]) -> Any:
    """Return plain JSON data as gufe's decoder returns it: innermost dicts first."""
    if isinstance(value, dict):
        return hook({key: _decoded(item, hook) for key, item in value.items()})
    return [_decoded(item, hook) for item in value] if isinstance(value, list) else value


def _of_one_execution() -> tuple[type, ...]:
    from gufe import ProtocolDAG, ProtocolDAGResult, ProtocolUnit, ProtocolUnitResult
    from gufe.protocols import ProtocolUnitFailure

    return (ProtocolDAG, ProtocolDAGResult, ProtocolUnit, ProtocolUnitResult, ProtocolUnitFailure)


# --- encoding -----------------------------------------------------------------------------------


def _objects_in(value: Any, is_gufe: Callable[[Any], bool]) -> Iterator[Any]:
    """Yield the gufe objects inside dicts and lists, in order, without entering them."""
    if is_gufe(value):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _objects_in(item, is_gufe)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _objects_in(item, is_gufe)


def _refer(value: Any, is_gufe: Callable[[Any], bool]) -> Any:
    """Replace the gufe objects inside dicts and lists by references to their keys."""
    if is_gufe(value):
        return {_KEY: str(value.key)}
    if isinstance(value, dict):
        return {key: _refer(item, is_gufe) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_refer(item, is_gufe) for item in value]
    return value


# --- decoding -----------------------------------------------------------------------------------


def decode(data: bytes | str) -> Any:
    """Parse JSON with gufe's decoder; raise what `loads_chain` raises."""
    handler = tokenization().JSON_HANDLER
    try:
        text = data.decode() if isinstance(data, bytes) else data
        return json.loads(text, cls=handler.decoder)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as e:
        raise InvalidNetworkError(f"not JSON ({e}); expected a file written by gufe or openfe") from e
    except (ImportError, AttributeError, KeyError, TypeError, ValueError) as e:
        # gufe >= 1 rebuilds Settings while parsing, so it may be the first to miss a class
        try:
            content = json.loads(text)
        except ValueError as cause:  # a number with thousands of digits
            raise InvalidNetworkError(f"not JSON ({cause}); expected a file written by gufe or openfe") from cause
        require_classes(_classes_in(content))
        raise unreadable(e) from e


def is_chain(content: Any) -> bool:
    """Return whether plain data has the form of a keyed chain."""
    return (
        isinstance(content, list)
        and bool(content)
        and all(isinstance(link, (list, tuple)) and len(link) == 2 and isinstance(link[1], dict) for link in content)
    )


def _classes_in(value: Any) -> Iterator[tuple[str, str]]:
    """Yield (module, qualified name) of the gufe objects, and Settings, described in plain data."""
    if isinstance(value, dict):
        name = value.get("__qualname__", value.get("__class__"))
        if name is not None and "__module__" in value and not _is_plain_custom(value):
            yield value["__module__"], name
        for item in value.values():
            yield from _classes_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _classes_in(item)


def _is_plain_custom(value: dict[str, Any]) -> bool:
    """Return whether a dict represents a path, an array, bytes ...: classes of the interpreter or numpy."""
    return str(value["__module__"]).partition(".")[0] in {"pathlib", "builtins", "numpy", "datetime", "uuid"}


def build_chain(chain: Any) -> Any:
    """Build the object a keyed chain describes; raise what `loads_chain` raises."""
    tok = tokenization()
    for key, keyed_dict in chain:
        if not tok.is_gufe_dict(keyed_dict):
            raise InvalidNetworkError(
                f"{key} in the chain has no class name; write the file with gufe's `to_json`", key=str(key)
            )
    require_classes((keyed_dict["__module__"], keyed_dict["__qualname__"]) for _, keyed_dict in chain)
    objects: dict[str, Any] = {}
    obj: Any = None
    for key, keyed_dict in chain:
        obj = objects[str(key)] = _build(_resolve(keyed_dict, objects), tok)
    return obj


def build_nested(content: Any) -> Any:
    """Build the object of a nested dict, as made by gufe's `to_dict`."""
    tok = tokenization()
    if not tok.is_gufe_dict(content):
        raise InvalidNetworkError("JSON, but not a gufe object; write it with gufe's `to_json`")
    require_classes(_classes_in(content))

    def build(value: Any) -> Any:
        if isinstance(value, dict):
            value = {key: build(item) for key, item in value.items()}
            return _build(value, tok) if tok.is_gufe_dict(value) else value
        return [build(item) for item in value] if isinstance(value, list) else value

    return build(content)


def _resolve(value: Any, objects: dict[str, Any]) -> Any:
    """Replace references by earlier objects of the chain."""
    if isinstance(value, dict):
        if _KEY in value:
            try:
                return objects[str(value[_KEY])]
            except KeyError as e:
                raise InvalidNetworkError(
                    f"the chain refers to {value[_KEY]} before defining it; write the file again with gufe's `to_json`",
                    key=value[_KEY],
                ) from e
        return {key: _resolve(item, objects) for key, item in value.items()}
    return [_resolve(item, objects) for item in value] if isinstance(value, list) else value


def _build(shallow: dict[str, Any], tok: Any) -> Any:
    qualname = shallow["__qualname__"]
    try:
        return tok.from_dict(translate_in(shallow, tok))
    except LakeError:
        raise
    except Exception as e:  # third-party classes may raise anything; the object is then unreadable here
        raise unreadable(e, qualname) from e


def unreadable(reason: Exception, qualname: str | None = None) -> InvalidNetworkError:
    """Return the error about an object that this gufe cannot build, with the reason.

    Parameters
    ----------
    reason : Exception
        Exception that gufe raised.
    qualname : str, optional
        Class of the object; None if unknown.
    """
    return InvalidNetworkError(
        f"{qualname or 'an object'} cannot be rebuilt by gufe {gufe_version()} "
        f"({type(reason).__name__}: {reason}); use the gufe version that wrote it, or a newer one",
        qualname=qualname,
    )
