"""The SQL sandbox: only the registered frames can be read, unless the caller lifts it.

By default DuckDB can read and write every file its user can, attach databases and load native extensions. All of this
is disabled here, and refusals explain how to enable it.
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

#: Extensions are not downloaded implicitly; those needed are built in.
_CONFIG: Final = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
#: Half of the machine: a query must not displace calculations on the same machine.
_MEMORY: Final = "50%"
#: Limit for spilling to disk beyond that.
_SPILL: Final = "32GB"
#: DuckDB's messages for statements rejected by the sandbox.
_REFUSALS: Final = re.compile(
    r"disabled by configuration|disabled through configuration|configuration has been locked|"
    r"Secret Storage with name|exists in the \S+ extension"
)
#: A file, a URL or a Python variable in the place of a table.
_NOT_A_TABLE: Final = re.compile(r"Table with name (\S*[/\\.:]\S*) does not exist")


def new_connection() -> duckdb.DuckDBPyConnection:
    """Open an empty in-memory database, with times in UTC and no implicit download of extensions."""
    connection = duckdb.connect(config=dict(_CONFIG))
    connection.execute("set timezone = 'UTC'")
    return connection


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Disable access to files, network, extensions and settings, irrevocably.

    Registered frames and existing views can still be read. Variables of the calling Python code are not visible as
    tables. Memory is limited to half of the machine; beyond that a query spills to a private temporary folder, which
    is removed with the connection.
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
    """Return advice about a statement that only the sandbox refused; None if it fails anyway.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Connection to a lake, as from `query.connect`.
    error : duckdb.Error
        Exception that the statement raised.
    """
    if not _is_locked(connection):
        return None
    text = str(error)
    if _REFUSALS.search(text):
        return (
            "a query can only read the lake; to read or write files, attach databases, load extensions "
            "or change settings, use `query --unsafe`, or `connect(lake, unsafe=True)` in Python"
        )
    named = _NOT_A_TABLE.search(text)
    if named:
        return (
            f"a query can only read the lake; if {named[1]} is a file, use `query --unsafe`, or "
            "`connect(lake, unsafe=True)` in Python"
        )
    return None


def _is_locked(connection: duckdb.DuckDBPyConnection) -> bool:
    with contextlib.suppress(duckdb.Error):
        return bool(connection.execute("select current_setting('lock_configuration')").fetchall()[0][0])
    return False


def _spill_folder(connection: duckdb.DuckDBPyConnection) -> str:
    """Create a folder that only this user can enter; return an empty string (no spilling) if that fails."""
    try:
        folder = tempfile.mkdtemp(prefix="alchemiscale-lake-query-")
    except OSError:
        return ""
    weakref.finalize(connection, _remove, folder, os.getpid())
    return folder


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # a forked child must not remove the folder of its parent
        shutil.rmtree(folder, ignore_errors=True)
