"""What the parts of the client share: the transport, keys, progress, warnings about refusals."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from numbers import Integral
from typing import Any, TypeVar

import polars as pl

from ..errors import InvalidArgumentError
from ..ids import Scope, ScopedKey
from ..plurals import part
from .transport import Transport

__all__ = ["ClientPart", "RefusedWarning"]

_Item = TypeVar("_Item")
AnyKey = ScopedKey | str


class RefusedWarning(UserWarning):
    """Some of the Tasks of a call were left as they are; the message says why."""


class ClientPart:
    """A client with a transport; the methods are in the classes that inherit this."""

    _transport: Transport

    def _ask(self, name: str, /, **arguments: Any) -> Any:
        return self._transport.call(name, **arguments)

    def _frame(self, name: str, /, **arguments: Any) -> pl.DataFrame:
        return pl.read_ipc_stream(io.BytesIO(self._ask(name, **arguments)))

    def _outcomes(self, name: str, tasks: Sequence[AnyKey], /, **arguments: Any) -> list[ScopedKey | None]:
        """Call something that answers for each Task; warn about those refused, and return None in their place."""
        told = self._ask(name, tasks=texts(tasks), **arguments)
        refused = [why for ok, why in told if not ok]
        if refused:
            reasons = "; ".join(dict.fromkeys(refused))
            warnings.warn(f"{part(len(refused), len(tasks), 'Task')} refused: {reasons}", RefusedWarning, stacklevel=3)
        return [ScopedKey.parse(task) if ok else None for task, (ok, _) in zip(tasks, told, strict=True)]


def text(key: AnyKey) -> str:
    """Return the text of a ScopedKey.

    Raises
    ------
    InvalidKeyError
        If it is malformed.
    """
    return str(ScopedKey.parse(key))


def texts(keys: Iterable[AnyKey]) -> list[str]:
    """Return the texts of ScopedKeys.

    Raises
    ------
    InvalidArgumentError
        If it is one key.
    InvalidKeyError
        If one is malformed.
    """
    if isinstance(keys, (str, ScopedKey)):
        raise InvalidArgumentError(f"this needs a list of ScopedKeys, not one; write [{str(keys)!r}]")
    return [text(key) for key in keys]


def whole(number: object) -> bool:
    """Return whether this is a whole number, of Python or numpy."""
    return isinstance(number, Integral)


def parsed(keys: Iterable[str]) -> list[ScopedKey]:
    """Return ScopedKeys from their texts."""
    return [ScopedKey.from_str(key) for key in keys]


def word(value: str) -> str:
    """Return a status or state as plain text, also of an enumeration of words.

    Parameters
    ----------
    value : str
        Such as `waiting`, or a member of an `Enum` that has it as value.
    """
    return str(value.value if isinstance(value, Enum) else value)


def scope_text(scope: Scope | str | None) -> str:
    """Return the text of a Scope; None is every Scope."""
    return "*-*-*" if scope is None else str(Scope.parse(scope))


@contextmanager
def waiting(what: str, *, visualize: bool) -> Iterator[None]:
    """Show that something is going on, on a terminal.

    Parameters
    ----------
    what : str
        Title of the bar.
    visualize : bool, default True
        Show progress.
    """
    if not visualize:
        yield
        return
    from rich.console import Console

    console = Console(stderr=True)
    with console.status(what):
        yield


@contextmanager
def bytes_bar(what: str, total: int, *, visualize: bool) -> Iterator[Callable[[int], None]]:
    """Show progress in bytes; yield a function to call with the size of each block.

    Parameters
    ----------
    what : str
        Title of the bar.
    total : int
        Bytes in all.
    visualize : bool, default True
        Show progress.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not visualize or not console.is_terminal:
        yield lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda n_bytes: progress.advance(bar, n_bytes)


def counted(items: Sequence[_Item], what: str, *, visualize: bool) -> Iterator[_Item]:
    """Iterate with a progress bar.

    Parameters
    ----------
    items : sequence
    what : str
        Title of the bar.
    visualize : bool, default True
        Show progress.
    """
    if not visualize:
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(items, what, total=len(items), console=console, disable=not console.is_terminal)
