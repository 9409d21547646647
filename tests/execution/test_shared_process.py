"""Attempts whose units share a process: records of each unit, and what follows when the process ends early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.resources import Resources
from tests.execution.bench import Bench, tries
from tests.execution.scripted import scripted

PID = "import os; outputs['pid'] = os.getpid()"
ONCE = "import os, pathlib, signal, sys, time\nmark = pathlib.Path({!r})\nif not mark.exists():\n    mark.touch(); {}"


def outputs(bench: Bench, receipt: Any) -> dict[str, dict[str, Any]]:
    return {result.name: result.outputs for result in bench.result(receipt).protocol_unit_results if result.ok()}


def n_processes(bench: Bench, units: list[str], settings: dict[str, Any], **of_protocol: Any) -> int:
    spec = bench.spec(scripted(dict.fromkeys(units, PID), **of_protocol))
    found = outputs(bench, bench.run(spec, **settings))
    assert len(found) == len(units)
    return len({each["pid"] for each in found.values()})


@pytest.mark.parametrize(
    ("settings", "n"),
    [
        ({}, 1),
        ({"cores": 4}, 1),
        ({"gpus": 1.0}, 3),
        ({"process_per_unit": {"ScriptedProtocol": True}}, 3),
        ({"unit_needs": {"ScriptedUnit": Resources(cores=1)}}, 3),
    ],
)
def test_units_share_a_process_unless_they_must_not(bench: Bench, settings: dict[str, Any], n: int) -> None:
    assert n_processes(bench, ["a", "b", "c"], settings) == n


def test_units_that_can_run_at_the_same_time_do(bench: Bench) -> None:
    assert n_processes(bench, ["a", "b"], {"cores": 2}, chained=False) == 2
    assert n_processes(bench, ["a", "b"], {"cores": 1}, chained=False) == 1


def test_each_unit_has_its_own_records(bench: Bench) -> None:
    busy = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint('busy')"
    large = "import logging; x = b'x' * 2**27; logging.warning('large')"
    receipt = bench.run(bench.spec(scripted({"busy": busy, "large": large, "idle": "pass"})))

    units = {unit["name"]: unit for unit in receipt.units}
    assert tries(receipt) == [("busy", 1, True), ("large", 1, True), ("idle", 1, True)]
    assert bench.text(units["busy"]["stdout_path"]) == "busy\n"
    assert "large" in bench.text(units["large"]["log_path"])
    assert (units["large"]["stdout_path"], units["idle"]["log_path"]) == (None, None)
    assert units["busy"]["cpu_time_s"] >= 0.3 > units["idle"]["cpu_time_s"]
    assert units["large"]["peak_memory_bytes"] - units["busy"]["peak_memory_bytes"] > 2**26
    assert units["large"]["peak_memory_bytes"] - units["idle"]["peak_memory_bytes"] > 2**26
    assert units["busy"]["ended_at"] <= units["large"]["started_at"] <= units["large"]["ended_at"]
    assert {unit["exit_code"] for unit in receipt.units} == {0}


@pytest.mark.parametrize(
    ("death", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("os._exit(3)", "exited with code 3"),
        ("raise RuntimeError('ours')", "RuntimeError"),
        ("sys.exit(5)", "SystemExit"),
    ],
)
def test_finished_units_are_kept_when_a_later_one_dies(bench: Bench, tmp_path: Path, death: str, reason: str) -> None:
    count, died = tmp_path / "count", tmp_path / "died"
    once = f"open({str(count)!r}, 'a').write('.')"
    die = (
        f"import os, pathlib, signal, sys\nd = pathlib.Path({str(died)!r})\nif not d.exists():\n    d.touch(); {death}"
    )
    spec = bench.spec(scripted({"first": f"{once}\n{PID}", "second": f"{die}\n{PID}", "third": PID}))
    receipt = bench.run(spec, unit_retries=1)

    assert receipt.result["ok"]
    assert tries(receipt) == [("first", 1, True), ("second", 1, False), ("second", 2, True), ("third", 1, True)]
    assert reason in receipt.units[1]["exception"]
    assert count.read_text() == "."
    # after a failure, each has its own
    assert len({each["pid"] for each in outputs(bench, receipt).values()}) == 3


def test_a_failure_without_retries_ends_the_attempt_with_what_it_has(bench: Bench) -> None:
    receipt = bench.run(bench.spec(scripted({"first": "pass", "second": "1 / 0", "third": "pass"})))

    assert tries(receipt) == [("first", 1, True), ("second", 1, False)]
    assert "ZeroDivisionError" in receipt.result["exception"]
    assert receipt.result["failed_unit"] == "second"
    assert not gufe_adapter.dag_ok(bench.result(receipt))


def test_a_timeout_ends_the_unit_that_was_running(bench: Bench) -> None:
    units = {"first": "pass", "second": "import time; time.sleep(600)", "third": "pass"}
    receipt = bench.run(bench.spec(scripted(units)), timeout_s=20.0)

    assert tries(receipt) == [("first", 1, True), ("second", 1, False)]
    assert "timeout after 20 s" in receipt.result["exception"]


def test_a_stuck_unit_is_retried_in_a_process_of_its_own(bench: Bench, tmp_path: Path) -> None:
    stuck = tmp_path / "stuck"
    wait = ONCE.format(str(stuck), "time.sleep(600)")
    receipt = bench.run(bench.spec(scripted({"first": "pass", "second": wait})), stuck_after_s=8.0, unit_retries=1)

    assert tries(receipt) == [("first", 1, True), ("second", 1, False), ("second", 2, True)]
    assert receipt.units[1]["exception"].startswith("Stuck")


def test_a_process_killed_before_its_units_is_replaced(bench: Bench, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    kill = ONCE.format(str(killed), "os.kill(os.getpid(), 9)")
    receipt = bench.run(bench.spec(scripted({"only": "pass"}, in_create=kill)))

    assert receipt.result["ok"]


def test_an_error_in_gathering_is_recorded_beside_the_result(bench: Bench) -> None:
    receipt = bench.run(bench.spec(scripted("pass", in_gather="1 / 0")))

    assert receipt.result["ok"]
    assert "ZeroDivisionError" in receipt.result["exception"]


def test_a_death_in_the_last_step_repeats_only_that(bench: Bench, tmp_path: Path) -> None:
    died, count = tmp_path / "died", tmp_path / "count"
    die = ONCE.format(str(died), "os._exit(1)")
    spec = bench.spec(scripted(f"open({str(count)!r}, 'a').write('.')", in_gather=die))
    receipt = bench.run(spec)

    assert (receipt.result["ok"], receipt.result["estimate_kcal_mol"]) == (True, 1.5)
    assert count.read_text() == "."
