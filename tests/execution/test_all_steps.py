"""What may share a process, and what a unit finds in one that others used before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alchemiscale_lake.execution import all_steps, unit_runs
from alchemiscale_lake.execution.all_steps import may_share
from alchemiscale_lake.execution.executions import PlannedUnit
from alchemiscale_lake.execution.processes import close_step_server
from tests.execution.bench import Bench
from tests.execution.scripted import scripted

PID = "import os; outputs['pid'] = os.getpid()"


def plan(*needs: tuple[str, ...], qualname: str = "Unit") -> list[PlannedUnit]:
    return [PlannedUnit(n, str(n), f"unit {n}", qualname, needed) for n, needed in enumerate(needs)]


CHAIN, PAIR = plan((), ("0",), ("1",)), plan((), ())


@pytest.mark.parametrize(
    ("units", "settings", "shares"),
    [
        (CHAIN, {}, True),
        (PAIR, {}, False),
        (PAIR, {"serial": True}, True),
        (plan((), ("0",), ("0",)), {}, False),
        (CHAIN, {"unit_classes": ["Unit"]}, False),
        (CHAIN, {"unit_classes": ["Other"]}, True),
        (CHAIN, {"protocols": {"P": True}}, False),
        (CHAIN, {"protocols": {"*": True}}, False),
        (CHAIN, {"protocols": {"*": True, "P": False}}, True),
        (CHAIN, {"protocols": {"Other": True}}, True),
    ],
)
def test_what_may_share_a_process(units: list[PlannedUnit], settings: dict[str, Any], shares: bool) -> None:
    rules = {"serial": False, "unit_classes": [], "protocols": {}, **settings}

    assert may_share(units, "P", **rules) is shares


def pids(bench: Bench, units: dict[str, str], **settings: Any) -> list[int]:
    spec = bench.spec(scripted({name: f"{text}\n{PID}" for name, text in units.items()}))
    results = bench.result(bench.run(spec, **settings)).protocol_unit_results
    return [result.outputs["pid"] for result in results]


@pytest.mark.parametrize(
    ("left", "n_processes"),
    [
        ("pass", 1),
        ("import threading, time; threading.Thread(target=time.sleep, args=(600,), daemon=True).start()", 2),
        ("import subprocess; subprocess.Popen(['sleep', '600'])", 2),
        ("import subprocess; subprocess.run('sleep 600 >&- 2>&- & true', shell=True, start_new_session=True)", 2),
        ("import sys; sys.big = b'x' * 2**29", 2),
        ("import sys; sys.stdout.close()", 2),
    ],
    ids=["nothing", "thread", "child", "grandchild", "memory", "output"],
)
def test_a_unit_that_leaves_something_behind_ends_the_process(bench: Bench, left: str, n_processes: int) -> None:
    assert len(set(pids(bench, {"first": left, "second": "pass"}))) == n_processes


def test_a_unit_does_not_see_what_an_earlier_one_changed(bench: Bench) -> None:
    change = """
import os, random, signal, sys
import numpy
numpy.random.seed(7); random.seed(7)
outputs['drawn'] = [numpy.random.rand(), random.random()]
numpy.random.seed(7); random.seed(7)
os.environ['CHANGED'] = 'yes'; sys.path.append('/changed'); os.chdir('/')
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.stdout = sys.stderr
"""
    look = """
import os, random, signal, sys
import numpy
assert 'CHANGED' not in os.environ and '/changed' not in sys.path
assert os.getcwd() == str(scratch), os.getcwd()
assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN
outputs['drawn'] = [numpy.random.rand(), random.random()]
print('mine')
"""
    spec = bench.spec(scripted({"first": f"{change}{PID}", "second": f"{look}{PID}"}))
    receipt = bench.run(spec)
    first, second = bench.result(receipt).protocol_unit_results

    assert first.outputs["pid"] == second.outputs["pid"]
    assert not set(first.outputs["drawn"]) & set(second.outputs["drawn"])
    assert [unit["stdout_path"] and bench.text(unit["stdout_path"]) for unit in receipt.units] == [None, "mine\n"]


def test_good_units_are_recorded_once_by_their_process(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded: list[str] = []
    monkeypatch.setattr(unit_runs, "write_record", lambda run, execution: recorded.append(run.name))

    receipt = bench.run(bench.spec(scripted({"first": "pass", "second": "raise ValueError('no')"})))

    assert [unit["ok"] for unit in receipt.units] == [True, False]
    assert recorded == ["01-second-1"], "a failed one by the supervisor"


def test_an_open_device_is_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its driver may hold memory of the GPU until the process ends."""
    # the fork server of other tests is a child, which is a trace, too
    close_step_server()
    device = tmp_path / "nvidia0"
    device.touch()
    monkeypatch.setattr(all_steps, "_DEVICES", (str(tmp_path / "nvidia"),))
    # those of other tests in this process
    monkeypatch.setattr(all_steps, "_children", list)

    with device.open():
        assert all_steps._Traces.now().unusable
    assert not all_steps._Traces.now().unusable
