"""Cache of stored objects on disk, shared by processes, users and hosts.

An entry is one file, named by the SHA-256 of what it is, with the SHA-256 of its content in front: a damaged entry is
dropped when it is read. Entries never change. A file is written under a temporary name and renamed, and nothing is
locked, so that network file systems are safe. Entries that were used longest ago are removed when there are too many
bytes. A cache that cannot be read or written is as good as none, and never an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import uuid
from pathlib import Path
from typing import Final

from ..amounts import parse_bytes
from ..errors import SettingsError

__all__ = ["CACHE_BYTES", "CACHE_BYTES_VARIABLE", "CACHE_VARIABLE", "ResultCache", "client_cache"]

#: Environment variable with the folder of the cache, or `off`.
CACHE_VARIABLE: Final = "ALCHEMISCALE_LAKE_CACHE"
#: Environment variable with its size, as `2GiB`.
CACHE_BYTES_VARIABLE: Final = "ALCHEMISCALE_LAKE_CACHE_BYTES"
#: Default size, bytes.
CACHE_BYTES: Final = 2**30
_DIGEST: Final = hashlib.sha256().digest_size
#: Share of the size that is left after entries were removed, so that this is rare.
_LEFT: Final = 0.8
#: Share of the size that may be added between two looks at the folder.
_UNSEEN: Final = 0.05


class ResultCache:
    """Entries in a folder.

    Parameters
    ----------
    folder : Path
        Created with the first entry.
    limit_bytes : int
        Size at which entries are removed.

    Attributes
    ----------
    folder : Path
    limit_bytes : int
    n_hits, n_misses : int
        Entries found, and asked for in vain, by this process.
    """

    def __init__(self, folder: Path, limit_bytes: int = CACHE_BYTES) -> None:
        self.folder, self.limit_bytes = Path(folder), limit_bytes
        self.n_hits = self.n_misses = 0
        self._added: int | None = None
        self._lock = threading.Lock()

    def get(self, name: str) -> bytes | None:
        """Return an entry; None if there is none, or a damaged one, which is removed.

        Parameters
        ----------
        name : str
            What it is: any text that stands for one content for ever.
        """
        path = self._path(name)
        try:
            held = path.read_bytes()
        except OSError:
            self.n_misses += 1
            return None
        content = held[_DIGEST:]
        if hashlib.sha256(content).digest() != held[:_DIGEST]:
            with contextlib.suppress(OSError):
                path.unlink()
            self.n_misses += 1
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # used now; file systems may not note reading
        self.n_hits += 1
        return content

    def put(self, name: str, content: bytes) -> None:
        """Keep an entry, if it fits.

        Parameters
        ----------
        name : str
        content : bytes
        """
        n_bytes = len(content) + _DIGEST
        if n_bytes > self.limit_bytes * _LEFT:
            return
        path = self._path(name)
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_bytes(hashlib.sha256(content).digest() + content)
            part.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()
            return
        with self._lock:
            look = self._added is None or self._added + n_bytes > self.limit_bytes * _UNSEEN
            self._added = 0 if look or self._added is None else self._added + n_bytes
            if look:
                self._shrink()

    def _shrink(self) -> None:
        """Remove the entries that were used longest ago, and what dead writers left, until the rest fits."""
        found = []
        for path in self.folder.glob("??/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        if total <= self.limit_bytes * (1 - _UNSEEN):
            return
        for _, size, path in sorted(found):
            if total <= self.limit_bytes * _LEFT:
                return
            with contextlib.suppress(OSError):  # another process may have been faster
                path.unlink()
            total -= size

    def _path(self, name: str) -> Path:
        digest = hashlib.sha256(name.encode()).hexdigest()
        return self.folder / digest[:2] / digest


def client_cache(
    folder: str | Path | None = None, limit_bytes: int | None = None, wanted: bool | None = None, *, far: bool = False
) -> ResultCache | None:
    """Return the cache that arguments and the environment ask for, None if it is off.

    Parameters
    ----------
    folder : str or Path, optional
        By default that of `ALCHEMISCALE_LAKE_CACHE`, else `alchemiscale-lake` below `$XDG_CACHE_HOME` or `~/.cache`.
    limit_bytes : int, optional
        By default that of `ALCHEMISCALE_LAKE_CACHE_BYTES`, else 1 GiB.
    wanted : bool, optional
        Whether to use one; by default if a folder is named, or the lake is far.
    far : bool, default False
        Whether the lake is not in a folder of this machine.

    Raises
    ------
    SettingsError
        If the size is negative, or that in the environment is not an amount.
    """
    if limit_bytes is not None and limit_bytes < 0:
        raise SettingsError(f"cache_size_limit is 0 (no cache) or more bytes, not {limit_bytes}", value=limit_bytes)
    said = os.environ.get(CACHE_VARIABLE, "").strip()
    is_off = said.lower() == "off"
    named = folder if folder is not None else None if is_off else said or None
    use = wanted if wanted is not None else named is not None or (far and not is_off)
    limit = _limit() if limit_bytes is None else limit_bytes
    place = _default_folder() if named is None else Path(named).expanduser()
    return ResultCache(place, limit) if use and limit > 0 and place is not None else None


def _limit() -> int:
    given = os.environ.get(CACHE_BYTES_VARIABLE, "").strip()
    try:
        return int(parse_bytes(given)) if given else CACHE_BYTES
    except ValueError as e:
        raise SettingsError(f"{CACHE_BYTES_VARIABLE}: {e}", variable=CACHE_BYTES_VARIABLE) from e


def _default_folder() -> Path | None:
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME", "").strip() or "~/.cache").expanduser()
    except RuntimeError:  # the user has no home folder
        return None
    return home / "alchemiscale-lake"
