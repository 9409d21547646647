"""Convert the Arrow file on stdin to a receipt's JSON on stdout; a script, not a module.

`old_receipt` runs it as a separate process, since a damaged file may crash it. It imports little, to start fast.
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
