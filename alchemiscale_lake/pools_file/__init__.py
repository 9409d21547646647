"""The file `pools.yaml`: find and read it, and name the line of every mistake.

The keys are defined in `settings`; YAML, variables and secrets are handled in `document`, messages in `mistakes`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .. import content
from ..errors import ContentError, SettingsError
from ..settings import Pools
from ..suggestions import did_you_mean_file
from .document import Document, Mistake, read_document
from .mistakes import validate

__all__ = ["POOLS_VARIABLE", "PoolsFile", "find_pools_file", "load_pools", "read_pools_file"]

#: Environment variable with the path of the file, if no option gives it.
POOLS_VARIABLE: Final = "ALCHEMISCALE_LAKE_POOLS"
_DEFAULT: Final = Path("pools.yaml")
_MAX_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class PoolsFile:
    """Settings and their positions in the file.

    Attributes
    ----------
    path : Path
        As given.
    pools : Pools
    document : Document
        The parsed file, with the line of every key.
    """

    path: Path
    pools: Pools
    document: Document

    def where(self, *key: str | int) -> str:
        """Return `pools.yaml:12: pools.cluster.walltime`; the line is that of the nearest existing key."""
        return f"{self.path}:{self.document.line(key)}: {'.'.join(map(str, key))}"


def find_pools_file(given: str | None = None) -> Path | None:
    """Find the file: the given one, else that in ALCHEMISCALE_LAKE_POOLS, else ./pools.yaml.

    Returns
    -------
    Path or None
        None if none is given and ./pools.yaml does not exist.

    Raises
    ------
    SettingsError
        If the given file does not exist.
    """
    named = given or os.environ.get(POOLS_VARIABLE)
    if named is None or not named.strip():
        return _DEFAULT if _DEFAULT.is_file() else None
    path = Path(named)
    if not path.is_file():
        source = "" if given else f", set in {POOLS_VARIABLE}"
        hint = did_you_mean_file(path) or "; copy one of deployments/pools/, or name another file"
        raise SettingsError(
            f"there is no pools file at {path}{source}{hint}",
            path=str(path),
        )
    return path


def load_pools(path: str | Path) -> Pools:
    """Read and check a pools file.

    Raises
    ------
    SettingsError
        With every mistake, one per line: `pools.yaml:12: pools.cluster.walltime: ...`. They are also in
        `facts["mistakes"]`.
    """
    return read_pools_file(path).pools


def read_pools_file(path: str | Path, environment: Mapping[str, str] | None = None) -> PoolsFile:
    """Read and check a pools file, and keep the lines of its keys.

    Parameters
    ----------
    path : str or Path
    environment : mapping, optional
        Values of `${NAME}`; default: the environment variables of this process.

    Raises
    ------
    SettingsError
        With every mistake.
    """
    file = Path(path)
    document = read_document(_text(file), os.environ if environment is None else environment)
    mistakes = list(document.mistakes)
    pools = None
    if document.readable:
        pools, found = validate(document)
        mistakes += found
    if mistakes or pools is None:
        raise _refusal(file, document, mistakes)
    return PoolsFile(file, pools, document)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
    except OSError as e:
        raise SettingsError(
            f"cannot read {file}: {e.strerror}; name another file with --pools or {POOLS_VARIABLE}", path=str(file)
        ) from e
    if len(data) > _MAX_BYTES:
        raise SettingsError(f"{file} is larger than 1 MiB, so it is not a pools file; name another", path=str(file))
    try:
        return content.decode_text(data, str(file))
    except ContentError as e:
        raise SettingsError(f"{file} is not UTF-8 text; save it as UTF-8", path=str(file)) from e


def _refusal(file: Path, document: Document, mistakes: list[Mistake]) -> SettingsError:
    located = sorted((m.line or document.line(m.key), ".".join(map(str, m.key)), m.text) for m in mistakes)
    lines = tuple(f"{file}:{line}: {key}{': ' if key else ''}{text}" for line, key, text in dict.fromkeys(located))
    head = f"{len(lines)} mistakes in {file}\n" if len(lines) > 1 else ""
    return SettingsError(head + "\n".join(lines), path=str(file), mistakes=lines)
