"""Conversion of exceptions of storage clients to our errors, without secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn, TypeVar

import polars as pl

from ..errors import NotWritableError, StorageError

__all__ = ["collect", "drain", "fail", "scrub"]

T = TypeVar("T")

_SECRETS: Final = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
#: Parts of a signed URL or header that allow acting in the signer's name, and passwords in URLs.
_SIGNED: Final = (
    re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)[=:]\s*)[^&\s\"',)]+", re.IGNORECASE),
    re.compile(r"(Signature=|Credential=)[^&\s\"',)]+"),
    re.compile(r"(://)[^/@\s]+(?=@)"),
)
#: deltalake prints a coloured tree of causes.
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m|↳")
#: Messages of a file system about missing write permission, as Python and Rust word them.
_REFUSED: Final = re.compile(r"Read-only file system|Permission denied|Operation not permitted")
_LONGEST: Final = 600
_SHORTEST_SECRET: Final = 4


def scrub(text: str) -> str:
    """Mask credentials in a text."""
    for name in _SECRETS:
        secret = os.environ.get(name, "")
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    for pattern in _SIGNED:
        text = pattern.sub(r"\1***", text)
    return text


def fail(what: str, cause: BaseException, **facts: Any) -> NoReturn:
    """Raise a StorageError with the cause's message on one line.

    Parameters
    ----------
    what : str
        What failed; the first words of the message.
    cause : BaseException
        Exception of the storage.
    **facts : object
        Attributes of the error.

    Raises
    ------
    NotWritableError
        If the cause was missing permission to write or read a folder.
    StorageError
        With the cause attached, unless the cause's own text contains a secret.
    """
    said = str(cause)
    clean = scrub(said)
    error = StorageError(f"{what}: {_short(clean)}; try again", **facts)
    if (refused := _REFUSED.search(clean)) is not None:
        error = NotWritableError(
            f"{what}: {refused[0].lower()}; ask its owner for access, or use commands that only read, such as "
            "`status`, `query` and `gather --as-is`",
            **facts,
        )
    raise error from (cause if clean == said else None)


def collect(frame: pl.LazyFrame, what: str, *, streaming: bool = False) -> pl.DataFrame:
    """Collect a scan.

    Parameters
    ----------
    frame : polars.LazyFrame
        Scan of one or more tables.
    what : str
        What is read, for the message.
    streaming : bool, default False
        Read block by block: slower, but what is filtered out or aggregated is never in memory as a whole.

    Raises
    ------
    StorageError
        If the storage does not answer, or a file is missing or damaged.
    """
    return _translated(lambda: pl.collect_all([frame], engine="streaming" if streaming else "auto"), what)[0]


def collect_all(frames: Sequence[pl.LazyFrame], what: str) -> list[pl.DataFrame]:
    """Collect several scans at once, see `collect`.

    Parameters
    ----------
    frames : sequence of polars.LazyFrame
        Scans, which share what they have in common.
    what : str
        What is read, for the message.
    """
    return _translated(lambda: pl.collect_all(frames), what)


def drain(frame: pl.LazyFrame, what: str) -> None:
    """Read every row of a scan, block by block, and keep none.

    Parameters
    ----------
    frame : polars.LazyFrame
        Scan of one or more tables.
    what : str
        What is read, for the message.

    Raises
    ------
    StorageError
        If the storage does not answer, or a file is missing or damaged.
    """
    # a hash needs every value of every column
    each = frame.select(pl.all().hash().max())
    _translated(lambda: each.collect(engine="streaming"), what)


def _translated(read: Callable[[], T], what: str) -> T:
    try:
        return read()
    except (pl.exceptions.ComputeError, OSError) as e:
        fail(f"could not read {what} (if this persists, `alchemiscale-lake verify` lists damaged files)", e)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as e:
        # a panic is a BaseException and would end the reading process
        fail(f"could not read {what}, whose files may be damaged (check with `alchemiscale-lake verify`)", e)


def _short(text: str) -> str:
    # obstore appends a dump of its own structures
    line = " ".join(_COLOURS.sub("", text.partition("Debug source:")[0]).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."
