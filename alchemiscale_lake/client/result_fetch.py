"""Fetching of stored results: several at a time, in order, through the cache, and never many in memory."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from ..content import decompress
from ..errors import DamagedError
from ..networks.shared_links import is_shared, restore_links, shared_keys
from .result_cache import ResultCache
from .transport import Transport

__all__ = ["ResultFetch"]

_THREADS: Final = 8
#: Results fetched ahead, and their bytes as stored, at most.
_AHEAD: Final = 32
_AHEAD_BYTES: Final = 64 * 2**20
#: Text of shared objects that is kept for the next result, bytes.
_KEPT_BYTES: Final = 256 * 2**20

ResultRow = Mapping[str, Any]


class ResultFetch:
    """Fetches the results of rows, as the call `transformations_results` returns them.

    Parameters
    ----------
    transport : Transport
    cache : ResultCache or None
    """

    def __init__(self, transport: Transport, cache: ResultCache | None) -> None:
        self._transport, self._cache = transport, cache
        self._texts: dict[str, bytes] = {}

    def chains(self, rows: Sequence[ResultRow]) -> Iterator[bytes]:
        """Yield the keyed chains of results as JSON text, in order.

        A few results are fetched ahead, as they are stored; one is decompressed at a time.

        Parameters
        ----------
        rows : sequence of mapping
        """
        with ThreadPoolExecutor(max_workers=_THREADS) as threads:
            ahead: deque[tuple[ResultRow, Future[bytes]]] = deque()
            left, n_bytes = deque(rows), 0
            try:
                while left or ahead:
                    while left and (not ahead or (len(ahead) < _AHEAD and n_bytes < _AHEAD_BYTES)):
                        row = left.popleft()
                        n_bytes += int(row["n_bytes"] or 0)
                        ahead.append((row, threads.submit(self._stored, row)))
                    row, future = ahead.popleft()
                    n_bytes -= int(row["n_bytes"] or 0)
                    yield self._chain(row, future.result())
            finally:
                for _, future in ahead:
                    future.cancel()

    def _stored(self, row: ResultRow) -> bytes:
        digest = row["digest"]
        name = f"result {digest}"
        held = self._cache.get(name) if self._cache is not None and digest is not None else None
        if held is not None and hashlib.sha256(held).hexdigest() == digest:
            return held
        stored: bytes = self._transport.call(
            "result_object", transformation=row["transformation"], attempt=row["attempt"]
        )
        if digest is not None:
            if hashlib.sha256(stored).hexdigest() != digest:
                raise DamagedError(f"result {row['attempt']} was damaged on its way here; ask again", digest=digest)
            if self._cache is not None:
                self._cache.put(name, stored)
        return stored

    def _chain(self, row: ResultRow, stored: bytes) -> bytes:
        source = f"result {row['attempt']}"
        content = decompress(stored, source)
        return restore_links(content, self._shared(row, content), source) if is_shared(content) else content

    def _shared(self, row: ResultRow, content: bytes) -> dict[str, bytes]:
        """Return the texts of the objects that a result refers to."""
        # a key stands for one content within a Scope, and the path begins with that of the objects
        where = f"{self._transport.place} {row['object_path'].rpartition('/')[0].rpartition('/')[0]}"
        names = {key: f"object {where} {key}" for key in shared_keys(content, row["attempt"])}
        missing = [key for key, name in names.items() if name not in self._texts]
        if missing and self._cache is not None:
            for key in missing:
                if (held := self._cache.get(names[key])) is not None:
                    self._texts[names[key]] = decompress(held, key)
            missing = [key for key in missing if names[key] not in self._texts]
        if missing:
            packed: dict[str, bytes] = self._transport.call(
                "result_shared_objects", transformation=row["transformation"], attempt=row["attempt"], keys=missing
            )
            for key, text in packed.items():
                self._texts[names[key]] = decompress(text, key)
                if self._cache is not None:
                    self._cache.put(names[key], text)
        texts = {key: self._texts[name] for key, name in names.items()}
        if sum(map(len, self._texts.values())) > _KEPT_BYTES:
            self._texts.clear()
        return texts
