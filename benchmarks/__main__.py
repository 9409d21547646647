"""Run benchmarks and report which missed their target: `python -m benchmarks [--quick] [NAME ...]`."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import time

import benchmarks

from ._table import show


def main() -> int:
    """Run the given benchmarks, or all."""
    modules = [
        importlib.import_module(f"benchmarks.{found.name}")
        for found in pkgutil.iter_modules(benchmarks.__path__)
        if found.name.startswith("bench_")
    ]
    known = {module.NAME: module for module in modules}
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Run benchmarks, each as ratios to a named reference, and report which missed their target.",
        epilog="\n".join(["benchmarks:", *(f"  {name:<16} {module.TARGET}" for name, module in known.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="one of those below; all without")
    parser.add_argument("--quick", action="store_true", help="measure little: whether a benchmark works")
    options = parser.parse_args()
    wanted, quick = options.names, options.quick
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(known)}")
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
