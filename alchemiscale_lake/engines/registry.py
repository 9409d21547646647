"""Engines by the kind of their pools, found as entry points of the group `alchemiscale_lake.engines`.

The name of an entry point is the `kind` of a pool in `pools.yaml`, its value an `Engine`. Ours are in `own_engines`;
other packages add theirs in the same way. Nothing here imports an engine's packages before a pool is opened.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pydantic import BaseModel

from ..errors import MissingDependencyError, SettingsError
from ..plugins import load_plugin
from ..settings import ENGINES, Pool

if TYPE_CHECKING:
    from ..dispatch.executor import Executor
    from ..store import Lake

__all__ = ["Engine", "Opener", "engine_of", "no_batch_mode", "open_executor"]

#: From name, settings and lake of a pool to its executor, which is closed at the end of the context.
Opener: TypeAlias = "Callable[[str, Pool, Lake], AbstractContextManager[Executor]]"


@dataclass(frozen=True, slots=True)
class Engine:
    """Way to run assignments in pools of a kind.

    Attributes
    ----------
    open : callable
        From name, settings and lake of a pool to a context manager of its executor. It imports what it needs.
    open_once : callable or None
        The same in batch mode (`--once`), where assignments must outlive the executor; None if it has no such mode.
    durable : bool
        Whether assignments outlive the executor of `open`, too.
    needs_prefect : bool
        Whether it needs a Prefect API.
    requirement : str
        What to install if a package is missing, as in `alchemiscale-lake[hpc]`.
    options : type of pydantic model or None
        Checks the section `options` of a pool; None if it has none.
    job_script : callable or None
        From name, settings and command to the text that is submitted, for `pools check`; None if there is none.
    """

    open: Opener
    open_once: Opener | None = None
    durable: bool = False
    needs_prefect: bool = False
    requirement: str = "its package"
    options: type[BaseModel] | None = None
    job_script: Callable[[str, Pool, str], str] | None = None


def engine_of(kind: str) -> Engine:
    """Return the engine for a kind of pool.

    Raises
    ------
    MissingDependencyError
        If no installed package offers one.
    SettingsError
        If what a package offers is not an `Engine`.
    """
    engine = load_plugin(ENGINES, kind)
    if not isinstance(engine, Engine):
        raise SettingsError(f"the entry point {kind!r} of {ENGINES} is not an Engine but {engine!r}", kind=kind)
    return engine


@contextlib.contextmanager
def open_executor(name: str, pool: Pool, lake: Lake, *, once: bool = False) -> Iterator[Executor]:
    """Yield the executor of a pool.

    Parameters
    ----------
    name : str
        Name of the pool.
    pool : Pool
    lake : Lake
        Lake of its assignments.
    once : bool
        Batch mode: what is submitted continues when this process ends.

    Raises
    ------
    MissingDependencyError
        If a package that the engine needs is not installed.
    SettingsError
        If the pool's settings are not valid, or its engine has no batch mode.
    """
    engine = engine_of(pool.kind)
    opener = engine.open_once if once else engine.open
    if opener is None:
        raise SettingsError(no_batch_mode(name, pool), pool=name)
    with contextlib.ExitStack() as stack:
        try:
            executor = stack.enter_context(opener(name, pool, lake))
        except ImportError as e:
            raise MissingDependencyError(
                f"a {pool.kind} pool needs {e.name or e}; install {engine.requirement}", package=e.name
            ) from e
        yield executor


def no_batch_mode(name: str, pool: Pool) -> str:
    """Return the message for a pool whose engine has no batch mode.

    Parameters
    ----------
    name : str
        Name of the pool.
    pool : Pool
        Settings of the pool.
    """
    return f"pool {name!r} is {pool.kind}: its work ends with this command, so --once does not apply; omit --once"
