"""Locations of the local Prefect server's files, all of which can be deleted."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import sqlite3
import tempfile
from pathlib import Path
from urllib.parse import quote

from ..errors import SettingsError
from ..store import Lake
from .login import make_private

__all__ = ["cache_dir", "copy_template", "database_url", "keep_template", "state_dir"]

_APP = "alchemiscale-lake"


def state_dir(lake: Lake) -> Path:
    """Return the folder for the Prefect server of one lake.

    `prefect/` inside a lake that is a folder, if it belongs to this user and can be made private, since it
    contains a login. For a bucket, and for a group's lake whose `prefect/` belongs to another user, a folder in
    this user's home.
    """
    if lake.local_path is not None and make_private(lake.local_path / "prefect"):
        return lake.local_path / "prefect"
    readable = re.sub(r"[^a-zA-Z0-9]+", "-", lake.url).strip("-")[-40:]
    digest = hashlib.sha256(lake.url.encode()).hexdigest()[:12]
    return _user_dir("XDG_STATE_HOME", ".local/state") / _APP / "prefect" / f"{readable}-{digest}"


def cache_dir() -> Path:
    """Return the cache folder, per Prefect version and user."""
    return _user_dir("XDG_CACHE_HOME", ".cache") / _APP / f"prefect-{importlib.metadata.version('prefect')}"


def database_url(database: Path) -> str:
    """Return the URL of a SQLite file, with `?` and `#` in its path quoted."""
    return f"sqlite+aiosqlite:///{quote(str(database))}"


def copy_template(database: Path) -> bool:
    """Copy the migrated, empty database to `database`; return False if there is none yet."""
    template = cache_dir() / "template.db"
    try:
        content = template.read_bytes()
    except OSError:
        return False
    _write_atomically(database, content)
    return True


def keep_template(database: Path) -> None:
    """Store a copy of a migrated, still empty database for the next lake.

    Two processes may do this at the same time: each writes a separate file, and the last rename wins.
    """
    template = cache_dir() / "template.db"
    if template.exists():
        return
    with tempfile.TemporaryDirectory(prefix="alchemiscale-lake-") as folder:
        copy = Path(folder) / "template.db"
        # the server has the database open: SQLite's backup is consistent, a file copy may not be
        source, target = sqlite3.connect(database), sqlite3.connect(copy)
        try:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
        finally:
            source.close()
            target.close()
        _write_atomically(template, copy.read_bytes())


def _write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as f:
        f.write(content)
    Path(name).replace(path)


def _user_dir(variable: str, below_home: str) -> Path:
    chosen = os.environ.get(variable)
    if chosen:
        return Path(chosen)
    try:
        return Path.home() / below_home
    except RuntimeError:  # an account without a home, as in some containers
        folder = Path(tempfile.gettempdir()) / f"{_APP}-{os.getuid()}"
    if not make_private(folder):
        # pages are served from it: a user who could write there could read what is typed into them
        raise SettingsError(
            f"{folder} belongs to another user; set XDG_CACHE_HOME and XDG_STATE_HOME to your own folders",
            folder=str(folder),
        )
    return folder
