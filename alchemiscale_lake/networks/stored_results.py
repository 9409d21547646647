"""ProtocolDAGResults of a lake, as the text that gufe wrote; what they share with their network is put back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..content import decompress
from ..errors import NotFoundError
from ..store import Lake
from .shared_links import is_shared, restore_links, shared_keys
from .stored import packed_objects, stored_text

__all__ = ["StoredResults", "read_result", "scope_of_object"]

#: Texts of shared objects that are kept for the next result.
_KEPT_BYTES: Final = 256 * 2**20


def read_result(lake: Lake, path: str, digest: str | None = None) -> bytes:
    """Return the ProtocolDAGResult at an object path, as the JSON text of its keyed chain.

    Parameters
    ----------
    lake : Lake
    path : str
        Column `object_path` of `results`, in the folder `attempts`.
    digest : str, optional
        Column `digest`; None is not checked.

    Raises
    ------
    NotFoundError
        If the lake has no such object, or lacks one that it refers to.
    DamagedError
        If it does not match the digest, or an object that it refers to is damaged.
    ContentError
        If it cannot be decompressed, or is malformed.
    """
    return StoredResults(lake).read(path, digest)


def scope_of_object(path: str) -> str:
    """Return the Scope in which the result at an object path was computed."""
    return path.split("/")[1]


class StoredResults:
    """Reader of many results; the text of what they share is read once.

    Parameters
    ----------
    lake : Lake
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._texts: dict[tuple[str, str], bytes] = {}
        self._n_bytes = 0

    def read(self, path: str, digest: str | None = None) -> bytes:
        """Return a ProtocolDAGResult as `read_result` does.

        Parameters
        ----------
        path : str
        digest : str, optional
        """
        content = decompress(self._lake.objects.get(path, digest=digest), path)
        if not is_shared(content):
            return content
        return restore_links(content, self._of(scope_of_object(path), shared_keys(content, path)), path)

    def _of(self, scope: str, keys: Iterable[str]) -> dict[str, bytes]:
        wanted = list(keys)
        missing = [key for key in wanted if (scope, key) not in self._texts]
        if missing:
            found = packed_objects(self._lake.table("gufe_objects").scan(), scope, missing)
            for key, (packed, content_digest) in found.items():
                self._keep(scope, key, stored_text(packed, content_digest, f"{key} in Scope {scope}"))
        lacking = [key for key in wanted if (scope, key) not in self._texts]
        if lacking:
            raise NotFoundError(
                f"Scope {scope} has no object {lacking[0]}, which a result refers to; submit its network there again",
                key=lacking[0],
                scope=scope,
            )
        texts = {key: self._texts[scope, key] for key in wanted}
        if self._n_bytes > _KEPT_BYTES:
            self._texts.clear()
            self._n_bytes = 0
        return texts

    def _keep(self, scope: str, key: str, text: bytes) -> None:
        self._texts[scope, key] = text
        self._n_bytes += len(text)
