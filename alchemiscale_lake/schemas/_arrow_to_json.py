"""A script, not a module: turns the Arrow file on its stdin into a receipt's JSON on its stdout.

Run by `old_receipt` as a process of its own, which a damaged file may crash. It imports little, to start fast.
"""

import json
import sys
from datetime import UTC, datetime
from typing import Any


def main() -> None:
    """Convert one receipt."""
    import pyarrow as pa

    table = pa.ipc.open_file(pa.BufferReader(sys.stdin.buffer.read())).read_all()
    table.validate(full=True)
    (row,) = table.to_pylist()
    sys.stdout.write(json.dumps(row, default=_time))


def _time(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a receipt")


if __name__ == "__main__":
    main()
