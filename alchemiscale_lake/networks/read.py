"""Reading of files, chains and live gufe objects into a `Network`.

The content determines the format of a file, not its suffix. Keyed chains are read here; `gufe_adapter`, which needs
their classes, converts nested dict JSON, msgpack and live objects to chains.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .. import content, gufe_adapter
from ..errors import ContentError, InvalidNetworkError
from .chain import ChainObject, parse_chain
from .network import Network, is_network, is_transformation, network_of

__all__ = ["read_network"]

_SUFFIXES: Final = (".json", ".json.zst", ".json.gz", ".msgpack", ".msgpack.zst")
#: Default names set by openfe's planners, the same for every target.
_PLANNERS_NAMES: Final = frozenset({"rbfe", "rhfe", "easy_rfe_calculation"})


@dataclass(frozen=True, slots=True)
class _Source:
    """Objects read from one source; the last one is the root."""

    name: str
    objects: list[ChainObject]
    gufe_version: str | None = None

    @property
    def root(self) -> ChainObject:
        return self.objects[-1]


def read_network(source: Any) -> Network:
    """Read a network from any supported source.

    Parameters
    ----------
    source : path, list of paths, keyed chain, or gufe object
        A file (keyed-chain JSON, nested dict JSON, msgpack; plain, gzip or zstd) of an AlchemicalNetwork or of one
        Transformation; the output folder of `openfe plan-rbfe-network`, or a folder of Transformation files; several
        Transformation files; a keyed chain as plain data or JSON bytes; a live AlchemicalNetwork or Transformation.
        Transformations become a network. A `Network` is returned unchanged.

    Raises
    ------
    InvalidNetworkError
        If it is not a network that can be stored. The message names file, object and what to do.
    MissingClassError
        If the form requires classes that cannot be imported here.
    """
    if isinstance(source, Network):
        return source
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return _from_folder(path) if path.is_dir() else _alone(_read_file(path), _stem(path))
    if isinstance(source, bytes):
        return _alone(_from_text(source, "keyed chain"))
    if isinstance(source, (list, tuple)) and source and all(isinstance(p, (str, os.PathLike)) for p in source):
        return _network([_read_file(Path(p)) for p in source], None)
    if isinstance(source, (list, tuple)):
        return _alone(_from_plain(source))
    return _alone(_from_live(source))


def _alone(one: _Source, name: str | None = None) -> Network:
    """Return a network as it is; a Transformation becomes a network with its own name, else with `name`.

    A name that openfe's planners give to every network does not count as its own.
    """
    own = str(one.root.keyed_dict.get("name") or "")
    return _network([one], name if name and (not own or own in _PLANNERS_NAMES) else own or None)


def _network(sources: Sequence[_Source], name: str | None) -> Network:
    first = sources[0]
    if len(sources) > 1:
        for one in sources:
            if not is_transformation(one.root):
                raise InvalidNetworkError(
                    f"{one.name}: contains a {one.root.qualname}, but each of several files must be a Transformation; "
                    "submit networks one by one",
                    source=one.name,
                )
    return network_of(
        [obj for one in sources for obj in one.objects],
        [one.root.key for one in sources],
        first.name if len(sources) == 1 else f"{len(sources)} files",
        name=name,
        gufe_version=first.gufe_version,
    )


# --- folders and files ----------------------------------------------------------------------------


def _from_folder(folder: Path) -> Network:
    """Read `<dir>/<dir>.json`, the only network in the folder, or its Transformations."""
    named = [folder / f"{folder.resolve().name}{suffix}" for suffix in _SUFFIXES]
    for path in named:
        if path.is_file():
            return _alone(_read_file(path), folder.resolve().name)
    found = [_read_file(path) for path in _files(folder)]
    networks = [one for one in found if is_network(one.root)]
    if len(networks) > 1:
        raise InvalidNetworkError(
            f"{folder}: contains {len(networks)} networks ({', '.join(Path(n.name).name for n in networks)}); "
            "give the file of one of them",
            source=str(folder),
        )
    if networks:
        return _alone(networks[0], folder.resolve().name)
    found = found or [_read_file(path) for path in _files(folder / "transformations")]
    if not found:
        raise InvalidNetworkError(
            f"{folder}: contains no network file ({folder.name}.json) and no Transformation files; "
            "give a folder written by openfe's planner, or a file",
            source=str(folder),
        )
    return _network(found, folder.resolve().name)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.name.endswith(_SUFFIXES) and p.is_file())


def _read_file(path: Path) -> _Source:
    try:
        raw = content.read_file(path)
    except ContentError as e:
        raise InvalidNetworkError(e.message, **e.facts) from e
    if raw.lstrip()[:1] == b"[" or raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return _from_text(raw, str(path))
    if not raw.strip():
        raise InvalidNetworkError(f"{path}: the file is empty; copy or write it again", source=str(path))
    if not _gufe_may_read(raw):
        raise InvalidNetworkError(
            f"{path}: neither JSON nor msgpack; give an AlchemicalNetwork file written by openfe or gufe",
            source=str(path),
        )
    if raw.lstrip()[:1] == b"{":
        _check_nested(raw, path)
    live = gufe_adapter.load_bytes(raw, str(path))
    return _from_text(gufe_adapter.dumps_chain(live), str(path), gufe_adapter.gufe_version())


def _gufe_may_read(raw: bytes) -> bool:
    """Return whether the bytes start like a JSON dict or like a list in msgpack."""
    return raw.lstrip()[:1] == b"{" or 0x90 <= raw[0] <= 0x9F or raw[0] in (0xDC, 0xDD)


def _check_nested(raw: bytes, path: Path) -> None:
    """Report errors in a JSON dict before gufe, which may be missing, is asked to read it."""
    try:
        fields = content.parse_json(content.decode_text(raw, str(path)), str(path))
    except ContentError as e:
        raise InvalidNetworkError(e.message, **e.facts) from e
    if "__qualname__" not in fields:
        raise InvalidNetworkError(
            f"{path}: JSON, but not a gufe object (no '__qualname__'); give the file of an AlchemicalNetwork",
            source=str(path),
        )


def _stem(path: Path) -> str:
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.stem


# --- texts and objects ----------------------------------------------------------------------------


def _from_text(data: bytes, source: str, gufe_version: str | None = None) -> _Source:
    try:
        text = content.decode_text(data, source)
    except ContentError as e:
        raise InvalidNetworkError(e.message, **e.facts) from e
    objects = parse_chain(text, source)
    if not objects:
        raise InvalidNetworkError(f"{source}: an empty list; there is no network in it", source=source)
    return _Source(source, objects, gufe_version)


def _from_plain(chain: Sequence[Any]) -> _Source:
    try:
        text = json.dumps(chain)
    except (TypeError, ValueError, RecursionError) as e:
        raise InvalidNetworkError(
            f"keyed chain: has values that JSON cannot represent ({e}); give [(key, keyed dict), ...] as plain data, "
            "a path, or a gufe object"
        ) from e
    return _from_text(text.encode(), "keyed chain")


def _from_live(obj: Any) -> _Source:
    called = f"{type(obj).__name__} {getattr(obj, 'name', None) or ''}".strip()
    if not hasattr(obj, "to_keyed_dict"):
        raise InvalidNetworkError(
            f"{called}: not a gufe object; give an AlchemicalNetwork, a Transformation, or the path of a file"
        )
    return _from_text(gufe_adapter.dumps_chain(obj), called, gufe_adapter.gufe_version())
