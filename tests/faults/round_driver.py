"""One scheduler that advances a network, to be killed: `python -m tests.faults.round_driver LAKE NETWORK NAME`.

With `--points FILE` it records the fault points that it passes instead.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.rounds import advance_network
from alchemiscale_lake.store import Lake


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lake")
    parser.add_argument("network")
    parser.add_argument("name")
    parser.add_argument("--points", type=Path)
    given = parser.parse_args()
    passed: list[str] = []
    with fault_hook(passed.append) if given.points else contextlib.nullcontext():
        advance_network(Lake.open(given.lake), given.network, caller=Caller(given.name))
    if given.points:
        given.points.write_text(json.dumps(passed))


if __name__ == "__main__":
    main()
