"""The tables of each format of the lake, as committed: `tests/data/schema-format-<n>.json`.

`python -m tests.schema_formats` writes the file of the current format. It refuses once a lake of this format is kept
(`tests/old_lakes.py`): then lakes of it may exist, and a change needs the next format.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from alchemiscale_lake.schemas import FORMAT, TABLES

__all__ = ["archive_of", "described", "kept", "path_of"]

_DATA = Path(__file__).parent / "data"


def described(format_: int) -> dict[str, Any]:
    """Return the tables that a lake of this format has, as far as they matter to its files."""
    return {
        name: {
            "key": list(schema.key),
            "partition_by": list(schema.partition_by),
            "columns": {
                column.name: f"{column.type}{'' if column.nullable else ' not null'}"
                for column in schema.columns
                if column.since <= format_
            },
        }
        for name, schema in sorted(TABLES.items())
        if schema.since <= format_
    }


def path_of(format_: int) -> Path:
    """Return where the tables of a format are kept."""
    return _DATA / f"schema-format-{format_}.json"


def archive_of(format_: int) -> Path:
    """Return where a lake of a format is kept."""
    return _DATA / f"lake-format-{format_}.tar.xz"


def kept(format_: int) -> Any:
    """Return the tables of a format as they were committed."""
    return json.loads(path_of(format_).read_text())


def main() -> None:
    if archive_of(FORMAT).exists():
        sys.exit(f"lakes of format {FORMAT} exist ({archive_of(FORMAT).name}): raise FORMAT and add its step")
    path_of(FORMAT).write_text(json.dumps(described(FORMAT), indent=1) + "\n")


if __name__ == "__main__":
    main()
