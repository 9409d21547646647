"""A user's own object, such as a Strategy or a planner, given as ``file.py:name`` or ``package.module:name``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from .errors import LakeError, NotFoundError, SettingsError, TerminalError
from .suggestions import did_you_mean

__all__ = ["FileObject", "is_file_object", "is_module_object", "list_of_own", "load_file_object", "load_module_object"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileObject:
    """An object, and the file that defines it.

    Attributes
    ----------
    value : object
    path : Path
    name : str
        Its name in the file.
    code : bytes
        The file as it was read, once; this is what ran.
    """

    value: Any
    path: Path
    name: str
    code: bytes


def is_file_object(source: str) -> bool:
    """Return whether a text has the form ``file.py:name``."""
    path, colon, name = source.rpartition(":")
    return bool(colon) and path.endswith(".py") and bool(name)


def is_module_object(source: str) -> bool:
    """Return whether a text has the form ``package.module:name``."""
    module, colon, name = source.rpartition(":")
    return bool(colon) and bool(name) and all(part.isidentifier() for part in module.split("."))


def load_module_object(source: str, role: str, *, forms: str) -> Any:
    """Return an object of a module that can be imported.

    Parameters
    ----------
    source : str
        ``package.module:name``.
    role : str
        What the object is to be, for messages, as in `planner`.
    forms : str
        What may be given instead, for messages.

    Raises
    ------
    NotFoundError
        If the text has another form, or the module or name does not exist.
    """
    if not is_module_object(source):
        raise NotFoundError(f"there is no {role} {source!r}; give {forms}", value=source)
    module, _, name = source.rpartition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as e:
        raise NotFoundError(f"there is no {role} {source!r} ({e}); give {forms}", value=source) from e


def load_file_object(source: str, role: str) -> FileObject:
    """Run a user's file, and return one of the objects that it defines.

    What was read is what runs, whatever happens to the file in between.

    Parameters
    ----------
    source : str
        ``file.py:name``.
    role : str
        What the object is to be, for messages, as in `planner`.

    Raises
    ------
    SettingsError
        If the text has another form, the file cannot be read or run, or does not define this name.
    """
    path, _, name = source.rpartition(":")
    if not is_file_object(source):
        raise SettingsError(f"a {role} is given as FILE.py:NAME, not {source!r}", value=source)
    file = Path(path)
    try:
        code = file.read_bytes()
    except OSError as e:
        raise SettingsError(f"the file {file} of the {role} cannot be read: {e.strerror}", path=str(file)) from e
    module = _run(file, code)
    if not hasattr(module, name):
        defined = [n for n, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
        meant = did_you_mean(name, defined) or (f"; it defines {', '.join(sorted(defined))}" if defined else "")
        raise SettingsError(f"{file} has no {name!r}{meant}", path=str(file))
    return FileObject(getattr(module, name), file, name, code)


def _run(file: Path, code: bytes) -> ModuleType:
    try:
        code.decode()
    except UnicodeDecodeError as e:
        raise SettingsError(f"{file} is not UTF-8: {e}; save it as UTF-8", path=str(file)) from e
    # named by its content: two files of one name are two modules
    module_name = f"user_file_{hashlib.sha256(code).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(module_name, file)
    if spec is None:
        raise SettingsError(f"{file} is not a Python file", path=str(file))
    module = importlib.util.module_from_spec(spec)
    try:
        # dataclasses and pickle look a class's module up by its name
        sys.modules[module_name] = module
        exec(compile(code, str(file), "exec"), module.__dict__)
    except Exception as e:
        del sys.modules[module_name]
        raise SettingsError(f"{file} cannot be run: {type(e).__name__}: {e}{_line(e, file)}", path=str(file)) from e
    return module


def list_of_own(function: Callable[..., Iterable[T]], *arguments: Any, role: str) -> list[T]:
    """Return what a user's function returns or yields; what it raises becomes an error that names the line of its file.

    Parameters
    ----------
    function : callable
        Returns an iterable.
    *arguments
        What it is called with.
    role : str
        What it is, for the message, as in `planner`.

    Raises
    ------
    TerminalError
        If the function raises an error that is not one of this package, or returns no iterable.
    """
    try:
        return list(function(*arguments))
    except LakeError:
        raise
    except Exception as e:
        code = getattr(function, "__code__", None)
        where = "" if code is None else _line(e, Path(code.co_filename))
        raise TerminalError(f"the {role} failed: {type(e).__name__}: {e}{where}", role=role) from e


def _line(error: Exception, file: Path) -> str:
    """Return the last line of a file that an error passed through, in words."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == file]
    return f" ({file}, line {lines[-1]})" if lines else ""
