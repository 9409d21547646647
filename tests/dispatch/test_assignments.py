"""What a worker is handed for the attempts that it runs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from alchemiscale_lake.dispatch import assignments
from alchemiscale_lake.dispatch.allocation import TaskNeeds
from alchemiscale_lake.dispatch.assignments import attempt_specs, build_assignment, grouped_by_place
from alchemiscale_lake.dispatch.dispatch_settings import DispatchSettings
from alchemiscale_lake.dispatch.executor import Place
from alchemiscale_lake.execution.assignment import ExtendedFile
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import FileRules
from alchemiscale_lake.statestore.claims import Claim
from alchemiscale_lake.statestore.kept_sizes import KeptSizes
from alchemiscale_lake.statestore.result_recording import GoodResult

KEY: Any = SimpleNamespace(secret_of=lambda attempt: f"secret of {attempt}")
RESULT = GoodResult("attempts/a0/result.json.zst", "digest", "a0")
FILE = ExtendedFile("0/00-unit/a.nc", "files/data", "digest", 3)
LAKE: Any = SimpleNamespace(url="file:///lake")


def claim(n: int, extends: str | None = None) -> Claim:
    return Claim(f"a{n}", f"Task-{n}", f"Transformation-{n}", "org-campaign-project", extends)


def test_whole_jobs_take_all_claims_of_their_place() -> None:
    claims = [claim(1), claim(2), claim(3)]
    placed = {"Task-1": "y", "Task-2": "x", "Task-3": "y"}

    assert grouped_by_place(claims, placed, whole_jobs=True) == [("y", [claims[0], claims[2]]), ("x", [claims[1]])]
    assert grouped_by_place(claims, placed, whole_jobs=False) == [
        ("y", [claims[0]]),
        ("x", [claims[1]]),
        ("y", [claims[2]]),
    ]


def test_an_attempt_has_its_own_needs_and_secret_and_the_result_that_it_extends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[str]] = []

    def good_results(_: object, tasks: list[str]) -> dict[str, GoodResult]:
        asked.append(tasks)
        return {"Task-0": RESULT}

    sizes = KeptSizes({"Task-2": 5}, {"org-campaign-project": 7})
    monkeypatch.setattr(assignments, "good_results", good_results)
    monkeypatch.setattr(assignments, "kept_sizes", lambda lake, tasks, of_scopes: sizes)
    monkeypatch.setattr(assignments, "extended_files", lambda lake, results, rules: dict.fromkeys(results, (FILE,)))
    needs = {f"Transformation-{n}": TaskNeeds(Resources(cores=n), 10.0 * n) for n in (1, 2, 3)}

    specs = attempt_specs(LAKE, [claim(1), claim(2, "Task-0"), claim(3, "Task-of-no-result")], needs, KEY, FileRules())

    assert asked == [["Task-0", "Task-of-no-result"]]
    assert [(a, s.secret, s.resources.cores, s.duration_s) for a, s in specs.items()] == [
        (f"a{n}", f"secret of a{n}", n, 10.0 * n) for n in (1, 2, 3)
    ]
    assert [(s.extends_result, s.extends_digest) for s in specs.values()] == [
        (None, None),
        (RESULT.object_path, RESULT.digest),
        (None, None),
    ]
    assert [s.extends_files for s in specs.values()] == [(), (FILE,), ()]
    assert [(s.kept_bytes, s.scope_kept_bytes) for s in specs.values()] == [(0, 7), (5, 7), (0, 7)]


def test_an_assignment_has_the_whole_worker_and_the_settings_of_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignments, "good_results", lambda lake, tasks: {})
    monkeypatch.setattr(assignments, "kept_sizes", lambda lake, tasks, of_scopes: KeptSizes({}, None))
    chosen: dict[str, Any] = {
        "pool": "p",
        "unit_needs": {"*": Resources(2)},
        "process_per_unit": {"*": True},
        "timeout_s": 1.0,
        "stuck_after_s": 2.0,
        "unit_retries": 3,
        "output_bytes": 4096,
        "work_root": "/scratch",
        "retire_before_s": 4.0,
        "files": FileRules(per_scope_bytes=2**40),
    }
    specs = attempt_specs(LAKE, [claim(1)], {"Transformation-1": TaskNeeds(Resources())}, KEY, FileRules())
    place = Place("host", capacity=Resources(16, gpus=4), free=Resources(1), slots=1)

    built = build_assignment(LAKE, DispatchSettings(**chosen), list(specs.values()), place)

    assert {name: getattr(built, name) for name in chosen} == chosen
    assert (built.lake, built.attempts) == (LAKE.url, tuple(specs.values()))
    assert built.resources == place.capacity, "attempts that run there already count against the whole"
