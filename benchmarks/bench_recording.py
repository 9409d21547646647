"""Recording of results one by one in a lake with 1,000 commits and no maintenance, compared with a fresh lake.

Both lakes have the same Tasks, all claimed. In one, 1,000 results have been recorded, each in its own commits, as a
dispatcher does whose results arrive one at a time; in the other, none. Then both record further results, in turn: by
one process that stays open, as a dispatcher's, and by one that opens the lake for each result, as a command does.
Run it with ``python -m benchmarks.bench_recording``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.statestore.claims import Claim, claim_tasks
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake
from tests.plain import SCOPE, plain_chain, plain_receipt

from . import _table

NAME = "recording"
TARGET = "recording a result after 1,000 commits without maintenance within 1.5 times of a fresh lake"

_TARGET_RATIO = 1.5
_TABLES = ("results", "unit_results", "result_files", "task_log")
_PAIRS = 100
#: Interleaved repeats, and results per repeat.
_REPEATS, _PER_REPEAT = 3, 25


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Record in both lakes in turn.

    Returns
    -------
    list of dict
        Rows with name, ours_s (median per result), reference_s, the ratio of medians over all repeats and of each.
    """
    n_commits, per_repeat = (100, 5) if quick else (1_000, _PER_REPEAT)
    n_more = 2 * (_REPEATS * per_repeat + 1)
    with tempfile.TemporaryDirectory() as folder:
        used, claims = _lake(Path(folder, "used"), n_commits + n_more)
        fresh, fresh_claims = _lake(Path(folder, "fresh"), n_commits + n_more)
        for claim in claims[:n_commits]:
            _record(used, claim)
        assert all(used.table(name).snapshot().version() >= n_commits for name in _TABLES)
        todo = iter(claims[n_commits:]), iter(fresh_claims)
        rows = []
        for name, record in {"kept open": _record, "opened for each result": _record_anew}.items():
            record(used, next(todo[0])), record(fresh, next(todo[1]))  # the first includes what is then kept
            repeats = [_repeat(record, used, fresh, todo, per_repeat) for _ in range(_REPEATS)]
            rows.append(_row(f"record a result, lake {name}, after {n_commits:,} commits", repeats, quick=quick))
        _check(used, n_commits + n_more)
        _check(fresh, n_more)
    return rows


def _repeat(
    record: Callable[[Lake, Claim], None], used: Lake, fresh: Lake, todo: tuple[Any, Any], n: int
) -> tuple[float, float]:
    """Return median seconds per result in the used and in the fresh lake, in turn."""
    pairs = [(_seconds(record, used, next(todo[0])), _seconds(record, fresh, next(todo[1]))) for _ in range(n)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def _row(name: str, repeats: Sequence[tuple[float, float]], *, quick: bool) -> dict[str, Any]:
    ratios = sorted(used / fresh for used, fresh in repeats)
    ratio = statistics.median(ratios)
    return {
        "name": name,
        "ours_s": statistics.median(used for used, _ in repeats),
        "reference_s": statistics.median(fresh for _, fresh in repeats),
        "reference": "the same in a fresh lake",
        "ratio": ratio,
        "ratio_min": ratios[0],
        "ratio_max": ratios[-1],
        "target": f"<= {_TARGET_RATIO:g}x",
        "ok": quick or ratio <= _TARGET_RATIO,
    }


def _lake(folder: Path, n_tasks: int) -> tuple[Lake, list[Claim]]:
    """Create a lake with this many claimed Tasks."""
    lake = Lake.create(folder)
    network = submit_network(lake, plain_chain([(f"l{i}", f"l{i + 1}") for i in range(_PAIRS)]), SCOPE).network
    ensure_tasks(lake, network, -(-n_tasks // _PAIRS), caller=Caller("bench"))
    return lake, claim_tasks(lake, "pool", n_tasks, lease_s=86400, caller=Caller("bench"))


def _record(lake: Lake, claim: Claim) -> None:
    (recorded,) = record_receipts(lake, [plain_receipt(claim)], caller=Caller("bench"))
    assert recorded.new


def _record_anew(lake: Lake, claim: Claim) -> None:
    _record(Lake.open(lake.url), claim)


def _seconds(record: Callable[[Lake, Claim], None], lake: Lake, claim: Claim) -> float:
    began = time.perf_counter()
    record(lake, claim)
    return time.perf_counter() - began


def _check(lake: Lake, n_recorded: int) -> None:
    """Check that every result is there once."""
    attempts = Lake.open(lake.url).table("results").scan().collect()["attempt"]
    assert attempts.n_unique() == len(attempts) == n_recorded


if __name__ == "__main__":
    _table.main(run)
