"""Run benchmarks and report which missed their target: `python -m benchmarks [--quick] [NAME ...]`."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import time

import benchmarks

from ._table import show


def main() -> int:
    """Run the given benchmarks, or all."""
    wanted = [word for word in sys.argv[1:] if not word.startswith("-")]
    quick = "--quick" in sys.argv[1:]
    modules = [
        importlib.import_module(f"benchmarks.{found.name}")
        for found in pkgutil.iter_modules(benchmarks.__path__)
        if found.name.startswith("bench_")
    ]
    known = {module.NAME: module for module in modules}
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    missed = []
    for name, module in known.items():
        if wanted and name not in wanted:
            continue
        began = time.monotonic()
        print(f"# {name}: {module.TARGET}", flush=True)
        rows = module.run(quick)
        show(rows)
        print(f"# took {time.monotonic() - began:.0f} s\n", flush=True)
        missed += [f"{name}: {row['name']}" for row in rows if not row.get("ok", True)]
    for line in missed:
        print(f"missed its target: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
