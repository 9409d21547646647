"""Results without the objects that their lake has: keyed chains whose shared links are references.

A result carries its systems, proteins and Protocol, which are most of its bytes and the same for every repeat. A shared
chain is one line of JSON, and after it the texts of the links that are the result's own, one after the other:

    {"alchemiscale_lake_shared": 1, "objects": ["ProteinComponent-..."], "links": [["ProteinComponent-...", 0, null],
    ["ProtocolUnitResult-...", null, 5120]]}

A link is its key, and either the number of the stored object whose text it has, or the size of its own text in bytes.
The text of the chain is restored as it was, so nothing here needs gufe.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from ..errors import ContentError, InvalidNetworkError
from .chain import ChainObject, digest, parse_chain

__all__ = ["is_shared", "restore_links", "share_links", "shared_keys"]

_MARK: Final = "alchemiscale_lake_shared"
_BEGINNING: Final = f'{{"{_MARK}": '.encode()
_VERSION: Final = 1


def share_links(chain: bytes, stored: bytes) -> bytes | None:
    """Replace the links of a chain that are links of a stored chain by references.

    Parameters
    ----------
    chain : bytes
        Keyed chain of a result, as JSON text.
    stored : bytes
        Keyed chain of its Transformation, as `read_chain_text` returns it.

    Returns
    -------
    bytes or None
        None if the chain is malformed, has nothing of the stored one, or would not be restored exactly.
    """
    try:
        links, known = parse_chain(chain.decode()), _known(stored)
    except (InvalidNetworkError, UnicodeDecodeError):
        return None
    used: dict[str, int] = {}
    described: list[list[Any]] = []
    own: list[bytes] = []
    for link in links:
        key = known.key_of(link)
        if key is None:
            own.append(link.text.encode())
            described.append([link.key, None, len(own[-1])])
        else:
            described.append([link.key, used.setdefault(key, len(used)), None])
    if not used:
        return None
    head = json.dumps({_MARK: _VERSION, "objects": list(used), "links": described})
    shared = b"\n".join([head.encode(), b"".join(own)])
    texts = {key: known.texts[key] for key in used}
    return shared if _is_equivalent(restore_links(shared, texts, "the result"), chain, links) else None


def is_shared(content: bytes) -> bool:
    """Return whether some content is a chain with references."""
    return content.startswith(_BEGINNING)


def shared_keys(content: bytes, source: str) -> list[str]:
    """Return the gufe keys of the stored objects that a chain refers to.

    Parameters
    ----------
    content : bytes
        A chain with references.
    source : str
        Its path, for messages.

    Raises
    ------
    ContentError
        If it is malformed.
    """
    return [str(key) for key in _head(content, source)[0]["objects"]]


def restore_links(content: bytes, texts: Mapping[str, bytes], source: str) -> bytes:
    """Return the keyed chain of a chain with references.

    Parameters
    ----------
    content : bytes
        A chain with references.
    texts : mapping of str to bytes
        Texts of the stored objects by gufe key; those of `shared_keys` are needed.
    source : str
        Its path, for messages.

    Raises
    ------
    ContentError
        If it is malformed.
    """
    head, at = _head(content, source)
    restored = []
    try:
        for key, number, n_bytes in head["links"]:
            if number is None:
                text, at = content[at : at + n_bytes], at + n_bytes
            else:
                text = texts[head["objects"][number]]
            restored.append(b"[" + json.dumps(key).encode() + b", " + text + b"]")
    except (KeyError, TypeError, ValueError, IndexError) as e:
        raise _malformed(source, f"{type(e).__name__}: {e}") from e
    if at != len(content):
        raise _malformed(source, f"it has {len(content)} bytes, not {at}")
    return b"[" + b", ".join(restored) + b"]"


class _Known:
    """Objects of a stored chain, by text and by content."""

    def __init__(self, objects: list[ChainObject]) -> None:
        self.texts = {one.key: one.text.encode() for one in objects}
        self._by_text = {one.text: one.key for one in objects}
        self._by_content = {digest(one.keyed_dict): one.key for one in objects}
        self._qualnames = {one.qualname for one in objects}

    def key_of(self, link: ChainObject) -> str | None:
        """Return the key of the stored object with the content of a link, None if there is none."""
        found = self._by_text.get(link.text)
        if found is None and link.qualname in self._qualnames:
            found = self._by_content.get(digest(link.keyed_dict))
        return found


@lru_cache(maxsize=2)
def _known(stored: bytes) -> _Known:
    return _Known(parse_chain(stored.decode()))


def _is_equivalent(restored: bytes, chain: bytes, links: list[ChainObject]) -> bool:
    """Return whether a restored chain has the links of the original one; whitespace may differ."""
    if restored == chain:
        return True
    again = parse_chain(restored.decode())
    return [(one.key, digest(one.keyed_dict)) for one in again] == [(one.key, digest(one.keyed_dict)) for one in links]


def _head(content: bytes, source: str) -> tuple[dict[str, Any], int]:
    """Return the first line, parsed, and where the texts begin."""
    end = content.find(b"\n")
    try:
        head = json.loads(content[: max(end, 0)])
        version, objects, links = head[_MARK], head["objects"], head["links"]
    except (ValueError, TypeError, KeyError, RecursionError) as e:
        raise _malformed(source, f"{type(e).__name__}: {e}") from e
    if version != _VERSION or not isinstance(objects, list) or not isinstance(links, list):
        raise _malformed(source, f"its form is {version!r}; install the version of alchemiscale-lake that wrote it")
    return head, end + 1


def _malformed(source: str, why: str) -> ContentError:
    return ContentError(f"{source}: not a result as it is stored in a lake ({why})", source=source)
