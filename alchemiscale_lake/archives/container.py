"""An archive as a zip file or a folder: named files, with their SHA-256 in `SHA256SUMS`.

Written twice from the same content, a zip has the same bytes: files are in the order in which they are added, without
times. It is not compressed, since what is large in it is already. A zip file appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Final, Self

from ..durable import fsync_file, fsync_folder, make_folder, replace_file
from ..errors import ArchiveError
from ..printable import printable

__all__ = ["CHECKSUMS", "ArchiveFiles", "ArchiveWriter"]

#: Name of the list of digests, in the form that `sha256sum --check` reads.
CHECKSUMS: Final = "SHA256SUMS"
#: Time of all files in a zip: the earliest that the format knows.
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o644 << 16


class ArchiveWriter:
    """Write an archive; use it as a context manager. What was written before an exception is no archive.

    Parameters
    ----------
    path : str or Path
        A zip file if it ends in `.zip`, else a folder, new or empty, or of an interrupted archive.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._digests: dict[str, str] = {}
        self._n_bytes = 0
        self._part = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        self._zip: zipfile.ZipFile | None = None

    def __enter__(self) -> Self:
        try:
            if self._path.suffix.lower() == ".zip":
                if self._path.is_dir():
                    raise ArchiveError(f"{self._path} is a folder; give the name of a new file", path=str(self._path))
                self._zip = zipfile.ZipFile(self._part, "w", zipfile.ZIP_STORED)
            else:
                self._require_no_other_files()
                make_folder(self._path)
        except OSError as e:
            raise ArchiveError(f"cannot write {self._path}: {e.strerror or e}", path=str(self._path)) from e
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                lines = [f"{digest}  {name}\n" for name, digest in self._digests.items()]
                self._write(CHECKSUMS, "".join(lines).encode())
            if self._zip is None:
                return
            self._zip.close()
            if kind is None:
                fsync_file(self._part)
                self._part.replace(self._path)
                fsync_folder(self._path.parent)
        except OSError as e:
            raise ArchiveError(f"cannot write {self._path}: {e.strerror or e}", path=str(self._path)) from e
        finally:
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)

    def add(self, name: str, data: bytes) -> None:
        """Add a file; a name that was added before must have the same content, and is added once.

        Parameters
        ----------
        name : str
            Path within the archive.
        data : bytes
            Content.

        Raises
        ------
        ArchiveError
            If it cannot be written.
        """
        digest = hashlib.sha256(data).hexdigest()
        if self._digests.get(name) == digest:
            return
        if name in self._digests:
            raise ArchiveError(f"two different files of the archive would be called {name}", name=name)
        self._digests[name] = digest
        self._n_bytes += len(data)
        try:
            self._write(name, data)
        except OSError as e:
            raise ArchiveError(f"cannot write {self._path}: {e.strerror or e}", path=str(self._path)) from e

    @property
    def n_bytes(self) -> int:
        """Return the size of the files added so far."""
        return self._n_bytes

    def _write(self, name: str, data: bytes) -> None:
        if self._zip is not None:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = _MODE
            self._zip.writestr(info, data)
            return
        file = self._path / name
        make_folder(file.parent)
        replace_file(file, data)

    def _require_no_other_files(self) -> None:
        """Raise unless the folder is new, empty, or has an archive, finished or interrupted."""
        if not self._path.exists() or not any(self._path.iterdir()) or (self._path / "archive.json").exists():
            return
        raise ArchiveError(
            f"{self._path} contains other files; give a new folder, or a file that ends in .zip", path=str(self._path)
        )


class ArchiveFiles:
    """Read an archive; use it as a context manager.

    Parameters
    ----------
    path : str or Path
        A zip file or a folder.

    Raises
    ------
    ArchiveError
        If it is no archive, or not whole.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._zip: zipfile.ZipFile | None = None
        if not self._path.exists():
            raise ArchiveError(f"there is no file {self._path}", path=str(self._path))
        if not self._path.is_dir():
            try:
                self._zip = zipfile.ZipFile(self._path)
            except (OSError, zipfile.BadZipFile) as e:
                raise self._no_archive(f"it is not a whole zip file ({e})") from e
        self.digests = self._read_digests()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._zip is not None:
            self._zip.close()

    @property
    def names(self) -> list[str]:
        """Return the names of all files."""
        return list(self.digests)

    def read(self, name: str) -> bytes:
        """Return the content of a file.

        Parameters
        ----------
        name : str
            As in `SHA256SUMS`.

        Raises
        ------
        ArchiveError
            If it is missing, or not as it was written.
        """
        if name not in self.digests:
            raise self._no_archive(f"it has no {name}")
        data = self._read(name)
        if hashlib.sha256(data).hexdigest() != self.digests[name]:
            raise ArchiveError(
                f"{self._path} is damaged: {printable(name)} is not as it was written; get it again from its source",
                path=str(self._path),
                name=name,
            )
        return data

    def check(self, names: Iterable[str]) -> Iterator[str]:
        """Compare files with their digests, and yield the name of each that has it.

        Parameters
        ----------
        names : iterable of str
            As in `SHA256SUMS`.

        Raises
        ------
        ArchiveError
            At the first that is missing or not as it was written.
        """
        for name in names:
            self.read(name)
            yield name

    def _read_digests(self) -> dict[str, str]:
        try:
            lines = self._read(CHECKSUMS).decode().splitlines()
        except ArchiveError as e:
            raise self._no_archive(f"it has no {CHECKSUMS}") from e
        except UnicodeDecodeError as e:
            raise self._no_archive(f"its {CHECKSUMS} is not text") from e
        found = {}
        for line in lines:
            digest, separator, name = line.partition("  ")
            if not separator or len(digest) != 64 or not _is_inside(name):
                raise self._no_archive(f"a line of its {CHECKSUMS} is malformed: {printable(line)}")
            found[name] = digest
        return found

    def _read(self, name: str) -> bytes:
        try:
            return (self._path / name).read_bytes() if self._zip is None else self._zip.read(name)
        except (KeyError, FileNotFoundError) as e:
            raise self._no_archive(f"{printable(name)} is missing") from e
        except (OSError, zipfile.BadZipFile, EOFError) as e:
            raise self._no_archive(f"{printable(name)} cannot be read ({e})") from e

    def _no_archive(self, why: str) -> ArchiveError:
        return ArchiveError(
            f"{self._path} is not a whole archive of alchemiscale-lake: {why}", path=str(self._path), reason=why
        )


def _is_inside(name: str) -> bool:
    """Return whether a name is a plain relative path."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\\" not in name
