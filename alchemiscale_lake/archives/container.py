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
from typing import IO, Final, Self

from ..durable import TEMPORARY, fsync_file, fsync_folder, make_folder
from ..errors import ArchiveError
from ..printable import printable

__all__ = ["CHECKSUMS", "ArchiveFiles", "ArchiveWriter"]

#: Name of the list of digests, in the form that `sha256sum --check` reads.
CHECKSUMS: Final = "SHA256SUMS"
#: Time of all files in a zip: the earliest that the format knows.
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o644 << 16
_CHUNK: Final = 2**20


class ArchiveWriter:
    """Write an archive; use it as a context manager. What was written before an exception is not an archive.

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
                with self._opened(CHECKSUMS) as file:
                    file.write("".join(lines).encode())
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
        """Add a file.

        Parameters
        ----------
        name : str
            Path within the archive, which no other file has.
        data : bytes
            Content.

        Raises
        ------
        ArchiveError
            If it cannot be written.
        """
        self.add_chunks(name, [data])

    def add_chunks(self, name: str, chunks: Iterable[bytes]) -> None:
        """Add a file of any size, never in memory as a whole.

        Parameters
        ----------
        name : str
            Path within the archive, which no other file has.
        chunks : iterable of bytes
            Content.

        Raises
        ------
        ArchiveError
            If it cannot be written.
        """
        if name in self._digests:
            raise ArchiveError(f"two files of the archive would be called {name}", name=name)
        digest = hashlib.sha256()
        try:
            with self._opened(name) as file:
                for chunk in chunks:
                    digest.update(chunk)
                    self._n_bytes += len(chunk)
                    file.write(chunk)
        except OSError as e:
            raise ArchiveError(f"cannot write {self._path}: {e.strerror or e}", path=str(self._path)) from e
        self._digests[name] = digest.hexdigest()

    @property
    def n_bytes(self) -> int:
        """Return the size of the files added so far."""
        return self._n_bytes

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file of the archive to be written, whole or not at all in a folder."""
        if self._zip is not None:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = _MODE
            with self._zip.open(info, "w", force_zip64=True) as file:
                yield file
            return
        target = self._path / name
        make_folder(target.parent)
        part = target.with_name(f".{target.name}{TEMPORARY}")
        with part.open("wb") as file:
            yield file
        fsync_file(part)
        part.replace(target)
        fsync_folder(target.parent)

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
        If it is not a whole archive.
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
    def path(self) -> Path:
        """Return where it is."""
        return self._path

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
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file in pieces, and compare it with its digest at the end.

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
        digest = hashlib.sha256()
        with self.open(name) as file:
            try:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    yield chunk
            except (OSError, zipfile.BadZipFile, EOFError) as e:
                raise self._no_archive(f"{printable(name)} cannot be read ({e})") from e
        if digest.hexdigest() != self.digests[name]:
            raise ArchiveError(
                f"{self._path} is damaged: {printable(name)} is not as it was written; get it again from its source",
                path=str(self._path),
                name=name,
            )

    def n_bytes(self, name: str) -> int:
        """Return the size of a file.

        Parameters
        ----------
        name : str
            As in `SHA256SUMS`.
        """
        return (self._path / name).stat().st_size if self._zip is None else self._zip.getinfo(name).file_size

    def open(self, name: str) -> IO[bytes]:
        """Open a file to be read.

        Parameters
        ----------
        name : str
            As in `SHA256SUMS`.

        Raises
        ------
        ArchiveError
            If it is missing.
        """
        try:
            return (self._path / name).open("rb") if self._zip is None else self._zip.open(name)
        except (KeyError, FileNotFoundError) as e:
            raise self._no_archive(f"{printable(name)} is missing") from e
        except (OSError, zipfile.BadZipFile) as e:
            raise self._no_archive(f"{printable(name)} cannot be read ({e})") from e

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
            for _ in self.chunks(name):
                pass
            yield name

    def _read_digests(self) -> dict[str, str]:
        try:
            with self.open(CHECKSUMS) as file:
                lines = file.read().decode().splitlines()
        except (OSError, zipfile.BadZipFile, EOFError) as e:
            raise self._no_archive(f"its {CHECKSUMS} cannot be read ({e})") from e
        except UnicodeDecodeError as e:
            raise self._no_archive(f"its {CHECKSUMS} is not text") from e
        found = {}
        for line in lines:
            digest, separator, name = line.partition("  ")
            if not separator or len(digest) != 64 or not _is_inside(name):
                raise self._no_archive(f"a line of its {CHECKSUMS} is malformed: {printable(line)}")
            found[name] = digest
        return found

    def _no_archive(self, why: str) -> ArchiveError:
        return ArchiveError(
            f"{self._path} is not a whole archive of alchemiscale-lake: {why}", path=str(self._path), reason=why
        )


def _is_inside(name: str) -> bool:
    """Return whether a name is a plain relative path."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\\" not in name
