"""Result files: found in folders, recognised by their beginning, read one at a time.

In a folder, other files (networks, Transformations, caches, settings) are ignored. A file given explicitly must
contain results.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import zstandard

from .. import content
from ..errors import ContentError, ResultFileError
from ..suggestions import did_you_mean_file
from .dag_results import read_dag_result
from .edge_table import is_table
from .imported import ResultFile
from .nested import ObjectPool
from .quickrun import read_quickrun
from .shared_links import is_shared
from .warehouse import assembled_result, find_dags, is_dag

__all__ = ["RawFile", "find_result_files", "head_of", "read_raw", "read_result_file"]

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_SUFFIXES: Final = (".json", ".json.gz", ".json.zst", ".json.zstd")
#: openfe writes the estimate first, and its own `gather` looks for it there.
_HEAD_BYTES: Final = 256
_TAIL_BYTES: Final = 4096
#: Bytes of a file that was created but never written.
_NOTHING: Final = b"\0 \t\r\n"
#: Class of the object that a chain of results is about.
_RESULT: Final = re.compile(rb'Protocol(DAG)?Result"')


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file's content, uncompressed.

    Attributes
    ----------
    path : Path
        Path of the file.
    data : bytes
        Content.
    digest : str
        SHA-256 of the content: a file and its compressed copy have the same.
    """

    path: Path
    data: bytes
    digest: str

    @property
    def text(self) -> str:
        """Return the content as text.

        Raises
        ------
        ResultFileError
            If it is not UTF-8.
        """
        try:
            return content.decode_text(self.data, str(self.path))
        except ContentError as e:
            raise ResultFileError(e.message, **e.facts) from e


def find_result_files(paths: Iterable[str | Path]) -> list[Path]:
    """Return the files to import: those given, and those in given folders (of any depth) that look like results.

    Raises
    ------
    ResultFileError
        If a path does not exist, or no result file is found.
    """
    found: dict[Path, None] = {}
    others: list[Path] = []
    given = [Path(path) for path in paths]
    for path in given:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.name.endswith(_SUFFIXES) and p.is_file())
            found |= dict.fromkeys(p for p in inside if _looks_like_results(p))
            found |= dict.fromkeys(find_dags(path))
            others += inside
        elif path.is_file():
            found[path] = None
        else:
            raise ResultFileError(f"{path}: there is no such file or folder{did_you_mean_file(path)}", source=str(path))
    if not found:
        files = [other for other in others if not is_table(other.name)]
        advice = (
            f"{files[0].name} is JSON of another kind; networks and Transformations are stored with "
            "`alchemiscale-lake submit`"
            if files
            else "give tables of edges (.csv, .tsv) by their file names"
        )
        raise ResultFileError(
            f"{', '.join(map(str, given)) or 'nothing'}: no results of `openfe quickrun` found (.json, .json.gz, "
            f".json.zst); {advice}",
            sources=[str(path) for path in given],
        )
    return list(found)


def read_raw(path: Path) -> RawFile:
    """Read and decompress a file; of a warehouse, put a ProtocolDAGResult together.

    Raises
    ------
    ResultFileError
        If it cannot be read, is truncated, or is too large.
    """
    try:
        raw = assembled_result(path) if is_dag(path) else content.read_file(path)
    except ContentError as e:
        raise ResultFileError(e.message, **e.facts) from e
    return RawFile(path, raw, hashlib.sha256(raw).hexdigest())


def read_result_file(raw: RawFile, pool: ObjectPool) -> ResultFile:
    """Read a result file that is not a table.

    Parameters
    ----------
    raw : RawFile
    pool : ObjectPool
        Receives the objects of the results.

    Raises
    ------
    ResultFileError
        If it contains no results, or is damaged.
    """
    source = str(raw.path)
    if not raw.data.strip(_NOTHING):
        what = "only NUL bytes" if raw.data.strip() else "empty"
        raise ResultFileError(
            f"{source}: {what}; the file is damaged (by a power cut or a full disk while it was written), copy it or "
            "write it again",
            source=source,
        )
    if is_shared(raw.data):
        raise ResultFileError(
            f"{source}: a result as a lake stores it, without the objects of its network; write it with gufe, as in "
            "`LakeClient(lake).get_task_results(task)[0].to_json(file)`",
            source=source,
        )
    if raw.data.lstrip()[:1] == b"[":
        return read_dag_result(raw.text, source, pool)
    try:
        fields = content.parse_json(raw.text, source)
    except ContentError as e:
        raise ResultFileError(e.message, **e.facts) from e
    if not isinstance(fields, dict) or "protocol_result" not in fields:
        raise ResultFileError(
            f"{source}: JSON, but not a result of `openfe quickrun`; submit networks and Transformations with "
            "`alchemiscale-lake submit`",
            source=source,
        )
    return read_quickrun(fields, source, pool)


def _looks_like_results(path: Path) -> bool:
    if is_table(path.name):
        return False
    try:
        head = head_of(path, _HEAD_BYTES)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError):
        return True  # damaged: reading it reports so
    start = head.lstrip()
    if start.startswith(b"{"):
        cut = len(head) < _HEAD_BYTES and not start.rstrip().endswith(b"}")
        return b'"estimate"' in head or cut
    if not start.startswith(b"["):
        return not start.strip(_NOTHING)
    # the root of a chain is the last object, and its class is at the end of it; reading reports a cut one
    tail = _tail(path)
    return _RESULT.search(tail) is not None or not tail.rstrip().endswith(b"]")


def head_of(path: Path, n_bytes: int) -> bytes:
    """Return the first bytes of a file's content, uncompressed.

    Parameters
    ----------
    path : Path
        File, possibly compressed.
    n_bytes : int
        Largest number of bytes to return.
    """
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head.startswith(_ZSTD):
            return zstandard.ZstdDecompressor().stream_reader(file).read(n_bytes)
        if head.startswith(_GZIP):
            with gzip.open(file) as unpacked:
                return unpacked.read(n_bytes)
        return file.read(n_bytes)


def _tail(path: Path) -> bytes:
    if path.name.endswith(".json"):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return file.read()
    try:
        return read_raw(path).data[-_TAIL_BYTES:]
    except ResultFileError:
        return b'ProtocolDAGResult"'  # damaged: reading it reports so
