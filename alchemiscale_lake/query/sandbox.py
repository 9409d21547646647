"""What SQL may do: read the registered frames and nothing else, unless the caller lifts that.

DuckDB by itself reads and writes every file its user can, attaches databases and loads native
extensions. Those doors are closed here, and refusals are explained in terms of how to open them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import weakref
from typing import Final

import duckdb

__all__ = ["lock", "new_connection", "refusal"]

#: Nothing is fetched from the network behind the user's back; what is needed is linked in.
_CONFIG: Final = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
#: Half of the machine: a query must not push out the calculations beside it.
_MEMORY: Final = "50%"
#: What a query may spill to disk once it needs more than that.
_SPILL: Final = "32GB"
#: How DuckDB words that the sandbox, and not the statement, is at fault.
_REFUSALS: Final = re.compile(
    r"disabled by configuration|disabled through configuration|configuration has been locked|"
    r"Secret Storage with name|exists in the \S+ extension"
)
#: A file, a URL or a variable of Python in the place of a table.
_NOT_A_TABLE: Final = re.compile(r"Table with name (\S*[/\\.:]\S*) does not exist")


def new_connection() -> duckdb.DuckDBPyConnection:
    """Open an empty database in memory, with times in UTC and no extension fetched by itself."""
    connection = duckdb.connect(config=dict(_CONFIG))
    connection.execute("set timezone = 'UTC'")
    return connection


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Close every way out of a connection, for good: files, network, extensions, settings.

    What was registered and created before can still be read. Variables of the calling Python code
    are not visible as tables. Memory is limited to half of the machine; beyond that a query spills to
    a private temporary folder, which is removed with the connection.
    """
    spill = _spill_folder(connection)
    settings = {
        "memory_limit": _MEMORY,
        "temp_directory": spill,
        "max_temp_directory_size": _SPILL,
        "python_enable_replacements": "false",
        "allow_community_extensions": "false",
        "allow_persistent_secrets": "false",
        "enable_external_access": "false",
        "lock_configuration": "true",
    }
    for name, value in settings.items():
        quoted = value.replace("'", "''")
        connection.execute(f"set {name} = '{quoted}'")


def refusal(connection: duckdb.DuckDBPyConnection, error: duckdb.Error) -> str | None:
    """Return what to do about a statement that only the sandbox refused; None if it is wrong anyway."""
    if not _is_locked(connection):
        return None
    text = str(error)
    if _REFUSALS.search(text):
        return (
            "a query may read the lake and nothing else; to read or write files, attach databases, load extensions "
            "or change settings, use `query --unsafe`, in Python `connect(lake, unsafe=True)`"
        )
    named = _NOT_A_TABLE.search(text)
    if named:
        return (
            f"a query may read the lake and nothing else; if {named[1]} is a file, use `query --unsafe`, in Python "
            "`connect(lake, unsafe=True)`"
        )
    return None


def _is_locked(connection: duckdb.DuckDBPyConnection) -> bool:
    with contextlib.suppress(duckdb.Error):
        return bool(connection.execute("select current_setting('lock_configuration')").fetchall()[0][0])
    return False


def _spill_folder(connection: duckdb.DuckDBPyConnection) -> str:
    """Make a folder that only this user can enter; empty text (no spilling) where none can be made."""
    try:
        folder = tempfile.mkdtemp(prefix="alchemiscale-lake-query-")
    except OSError:
        return ""
    weakref.finalize(connection, _remove, folder, os.getpid())
    return folder


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # a forked child must not remove what its parent uses
        shutil.rmtree(folder, ignore_errors=True)
