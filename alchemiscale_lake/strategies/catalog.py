"""Strategies by name: installed ones by entry point, a user's own by file or object, each with a digest of what ran.

A Strategy of another package has an entry point in the group `alchemiscale_lake.strategies`, as engines do. A user's
own is ``path/to/file.py:Name``, or ``package.module:Name`` if it can be imported; `Name` is a subclass of `Strategy` or
an instance of one, or the same of stratocaster's. Running it in a process of its own is the caller's.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ..errors import MissingDependencyError, NotFoundError, SettingsError, StrategyError
from ..plugins import load_plugin, plugin_names
from ..python_files import is_file_object, is_module_object, load_file_object, load_module_object
from ..suggestions import did_you_mean
from .base import Strategy, StrategySettings
from .stratocaster_adapter import FromStratocaster, is_stratocaster, make_stratocaster

__all__ = ["STRATEGIES", "LoadedStrategy", "load_strategy", "make_strategy", "strategy_names"]

#: Group of entry points of Strategies.
STRATEGIES = "alchemiscale_lake.strategies"


@dataclass(frozen=True, slots=True)
class LoadedStrategy:
    """A Strategy, and what identifies it on record.

    Attributes
    ----------
    strategy : Strategy
    source : str
        Its registered name, file and name, or module and class.
    digest : str
        SHA-256 of its code and settings: of the whole file for a user's own, of the source of its class otherwise.
    code : str or None
        Text of a user's own file, as it was read once; None otherwise.
    """

    strategy: Strategy[Any]
    source: str
    digest: str
    code: str | None = None


def strategy_names() -> tuple[str, ...]:
    """Return the names of all installed Strategies, sorted."""
    return plugin_names(STRATEGIES)


def make_strategy(name: str, settings: Mapping[str, Any] | None = None) -> Strategy[Any]:
    """Return an installed Strategy.

    Parameters
    ----------
    name : str
        Name of its entry point.
    settings : mapping of str to object, optional
        Its settings; defaults for those not named.

    Raises
    ------
    StrategyError
        If no installed package offers it, or the settings are not its own.
    """
    known = strategy_names()
    if name not in known:
        if name.endswith(".py"):
            raise StrategyError(f"name a Strategy that the file defines, as in {name}:MyStrategy", strategy=name)
        meant = did_you_mean(name, known) or f"; installed are {', '.join(known)}"
        raise StrategyError(f"there is no Strategy {name!r}{meant}", strategy=name)
    try:
        return _instance(load_plugin(STRATEGIES, name), settings, name)
    except MissingDependencyError as e:
        raise StrategyError(f"the Strategy {name!r} cannot be loaded: {e.message}", strategy=name) from e


def load_strategy(source: Any, settings: Mapping[str, Any] | None = None) -> LoadedStrategy:
    """Return a Strategy by name, file or object, with its digest.

    Parameters
    ----------
    source : str, Strategy or object
        A registered name; ``file.py:Name``; ``package.module:Name``; or the object itself, also one of stratocaster.
    settings : mapping of str to object, optional
        Settings, as in `make_strategy`; not for an object, which has its own.

    Raises
    ------
    StrategyError
        If there is no such Strategy, its file cannot be read or run, or settings do not fit.
    """
    if isinstance(source, Strategy):
        if settings:
            raise StrategyError(f"{type(source).__name__} is an object with settings of its own; omit the others")
        return LoadedStrategy(source, f"{type(source).__module__}:{type(source).__qualname__}", _digest(source))
    if not isinstance(source, str):
        return _from_object(source, settings)
    if is_file_object(source):
        return _from_file(source, settings)
    if is_module_object(source):
        strategy = _instance(_from_module(source), settings, source)
        return LoadedStrategy(strategy, source, _digest(strategy))
    strategy = make_strategy(source, settings)
    return LoadedStrategy(strategy, source, _digest(strategy))


def _from_object(found: Any, settings: Mapping[str, Any] | None) -> LoadedStrategy:
    """Return an object with stratocaster's `propose`, named by its class so that other processes can make it again."""
    if not is_stratocaster(found):
        raise StrategyError(f"{found!r} is not a Strategy")
    kind = type(found)
    strategy, source = make_stratocaster(found, settings, kind.__name__), f"{kind.__module__}:{kind.__qualname__}"
    module = sys.modules.get(kind.__module__)
    if kind.__module__ == "__main__" or getattr(module, kind.__qualname__, None) is not kind:
        raise StrategyError(
            f"{kind.__name__} cannot be imported elsewhere; store it in a file and set 'file.py:Name'",
            strategy=kind.__name__,
        )
    return LoadedStrategy(strategy, source, _digest(strategy))


def _from_module(source: str) -> Any:
    try:
        return load_module_object(source, "Strategy", forms="a name, file.py:Name or package.module:Name")
    except NotFoundError as e:
        raise StrategyError(e.message, strategy=source) from e


def _from_file(source: str, settings: Mapping[str, Any] | None) -> LoadedStrategy:
    try:
        found = load_file_object(source, "Strategy")
    except SettingsError as e:
        raise StrategyError(e.message, **e.facts) from e
    strategy = _instance(found.value, settings, source)
    # without translation of line ends: the digest is that of the bytes
    return LoadedStrategy(
        strategy, f"{found.path.name}:{found.name}", _digest(strategy, found.code), found.code.decode()
    )


def _instance(found: Any, settings: Mapping[str, Any] | None, name: str) -> Strategy[Any]:
    if isinstance(found, Strategy):
        if settings:
            raise StrategyError(f"{name} is an object with settings of its own; omit the others", strategy=name)
        return found
    if not (inspect.isclass(found) and issubclass(found, Strategy)):
        if is_stratocaster(found):
            return make_stratocaster(found, settings, name)
        raise StrategyError(f"{name} is not a Strategy but {found!r}", strategy=name)
    try:
        return found(found.settings_type.model_validate(dict(settings))) if settings else found()
    except ValidationError as e:
        raise StrategyError(f"settings of {name}: {_mistake(e, found.settings_type)}", strategy=name) from e


def _mistake(error: ValidationError, settings_type: type[StrategySettings]) -> str:
    """Return the first mistake in settings, in words."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
        known = list(settings_type.model_fields)
        return f"there is no {where!r}{did_you_mean(where, known) or '; there are ' + ', '.join(known)}"
    if isinstance(first["input"], str) and first["type"].startswith(("model", "dict", "tuple", "list")):
        return f"{where}: {first['input']!r} is text; give it as JSON, with names in double quotes"
    return f"{where + ': ' if where else ''}{first['msg']}"


def _digest(strategy: Strategy[Any], code: bytes | None = None) -> str:
    if code is None:
        kind = type(strategy.strategy if isinstance(strategy, FromStratocaster) else strategy)
        try:
            code = inspect.getsource(kind).encode()
        except (OSError, TypeError):
            code = kind.__qualname__.encode()
    settings = json.dumps(strategy.plain_settings(), sort_keys=True).encode()
    return hashlib.sha256(code + b"\0" + settings).hexdigest()
