"""gufe's own archives of a network and its results, where gufe has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InvalidArgumentError, MissingDependencyError
from ._gufe import gufe_version, tokenization

__all__ = ["build_archive", "require_archives", "require_metadata"]


def require_archives() -> Any:
    """Return gufe's class `AlchemicalArchive`.

    Raises
    ------
    MissingDependencyError
        If this gufe has none.
    """
    try:
        from gufe.archival import AlchemicalArchive
    except ImportError as e:
        raise MissingDependencyError(
            f"gufe {gufe_version()} has no AlchemicalArchive; install gufe >= 1 from conda-forge, or write an "
            "archive that needs no gufe with `write_archive` or `alchemiscale-lake archive`"
        ) from e
    return AlchemicalArchive


def require_metadata(metadata: object, what: str) -> None:
    """Check metadata of an archive.

    Parameters
    ----------
    metadata : mapping or None
    what : str
        Name of the network, for messages.

    Raises
    ------
    InvalidArgumentError
        If gufe cannot write it.
    """
    if metadata is None:
        return
    if not isinstance(metadata, Mapping):
        raise InvalidArgumentError(f"Metadata for {what} must be a dictionary/mapping or None, not {metadata!r}")
    try:
        json.dumps(dict(metadata), cls=tokenization().JSON_HANDLER.encoder)
    except (TypeError, ValueError) as e:
        raise InvalidArgumentError(f"Unable to serialize metadata for {what}: {e}") from e


def build_archive(
    network: Any, results: Sequence[tuple[Any, Sequence[Any]]], metadata: Mapping[str, Any] | None = None
) -> Any:
    """Build the archive of a network.

    Parameters
    ----------
    network : AlchemicalNetwork
    results : sequence of (Transformation, sequence of ProtocolDAGResult)
    metadata : mapping, optional

    Raises
    ------
    MissingDependencyError
        If this gufe has no archives.
    """
    entries = [(transformation, list(found)) for transformation, found in results]
    return require_archives()(network, entries, metadata=None if metadata is None else dict(metadata))
