"""Output of the benchmarks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["main", "show"]


def show(rows: list[dict[str, Any]]) -> None:
    """Print rows as TSV, one header per set of columns."""
    header: list[str] = []
    for row in rows:
        if list(row) != header:
            header = list(row)
            print("\t".join(header))
        print("\t".join(f"{x:.4g}" if isinstance(x, float) else str(x) for x in row.values()), flush=True)


def main(run: Callable[[bool], list[dict[str, Any]]]) -> None:
    """Run one benchmark from the command line; `--quick` runs a small case."""
    rows = run("--quick" in sys.argv[1:])
    show(rows)
    sys.exit(not all(row.get("ok", True) for row in rows))
