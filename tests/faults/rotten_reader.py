"""Flip single bits of a lake's files, one after the other, and record the outcome of verification and reading.

A separate process, since a reader may be ended by a signal: `python -m tests.faults.rotten_reader LAKE FLIPS`, where
FLIPS is a JSON list of [path within the lake, byte, bit]. One JSON line per flip on stdout.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from alchemiscale_lake.errors import LakeError
from alchemiscale_lake.schemas.receipt import unpack_receipt
from alchemiscale_lake.statestore.lake_verification import check_attempts, check_digests, check_other_objects
from alchemiscale_lake.store import Checked, Lake, check_table, collect


def verify(lake: Lake, path: str) -> list[Checked]:
    """Run the part of verification that covers one file."""
    parts = path.split("/")
    if parts[0] == "tables":
        return [check_table(lake, parts[1])]
    if parts[0] != "attempts":
        return [check_other_objects(lake)]
    return [check_digests(lake, "results"), check_digests(lake, "result_files"), *check_attempts(lake)]


def answers(lake: Lake, path: str) -> str:
    """Read one file in the way that commands do."""
    parts = path.split("/")
    if parts[0] == "tables":
        name = parts[1]
        if name in ("task_log", "task_snapshots", "action_snapshots"):
            lake.task_log.states()
        rows = collect(lake.table(name).scan(), name)
        return str(sorted(map(str, rows.rows())))
    if parts[-1] == "receipt.arrow":
        return str(unpack_receipt(lake.objects.get(path)))
    return ""


def outcome(place: Path, path: str) -> tuple[str, str]:
    """Return the outcome of verification, and of a reader: `damaged` or `whole`; the answer, or the kind of error."""
    said, answer = "whole", ""
    try:
        lake = Lake.open(place)
        said = "damaged" if any(checked.flaws for checked in verify(lake, path)) else "whole"
    except LakeError:
        said = "damaged"
    except BaseException as e:
        said = f"{type(e).__name__}: {e}"[:200]
    try:
        answer = answers(Lake.open(place), path)
    except LakeError as e:
        answer = f"LakeError {type(e).__name__}"
    except BaseException as e:
        answer = f"!{type(e).__module__}.{type(e).__name__}: {e}"[:200]
    return said, answer


def main() -> None:
    logging.disable()
    place = Path(sys.argv[1])
    for path, byte, bit in json.loads(Path(sys.argv[2]).read_text()):
        file = place / path
        whole = file.read_bytes()
        _, right = outcome(place, path)
        rotten = bytearray(whole)
        rotten[byte] ^= 1 << bit
        file.write_bytes(rotten)
        print(json.dumps([path, byte, bit]), flush=True)
        said, answer = outcome(place, path)
        file.write_bytes(whole)
        reader = "right" if answer == right else (answer if answer.startswith(("LakeError", "!")) else "wrong")
        print(json.dumps([said, reader]), flush=True)


if __name__ == "__main__":
    main()
