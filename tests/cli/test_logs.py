"""`logs`: output of a running Task as it is written, and what cannot be printed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import logs, main
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.folder import WorkFolder
from alchemiscale_lake.execution.heartbeat import Beat, leave_beat
from alchemiscale_lake.statestore.claims import Claim, change_claims, claim_tasks
from alchemiscale_lake.store import now_utc
from tests.campaign import SCOPE, Campaign

CALLER = Caller("d")


class Running:
    """A Task that runs, with a work folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.campaign = Campaign.at(folder / "lake")
        (self.task,) = self.campaign.new_tasks(self.campaign.network("tyk2", [("a", "b")]), ["a_b_other"])
        (self.claim,) = claim_tasks(self.campaign.lake, "gpu", 1, lease_s=60, caller=CALLER)
        self.folder = WorkFolder.acquire(folder / "work", SCOPE, self.task, self.claim.attempt)
        spec = _spec(self.claim)
        now = now_utc()
        beat = Beat(now, now, now, "gpu-17", work=str(self.folder.path))
        leave_beat(self.campaign.lake, spec, beat)

    def write(self, stream: str, text: str, *, unit: str = "00-simulate-1") -> None:
        run = self.folder.path / "runs" / unit
        run.mkdir(exist_ok=True)
        with (run / f"{stream}.txt").open("a") as file:
            file.write(text)

    def end(self) -> None:
        release = {self.claim.attempt: (self.task, "stopped: enough")}
        change_claims(self.campaign.lake, release=release, caller=CALLER)

    def call(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, env={"ALCHEMISCALE_LAKE": str(self.campaign.lake.local_path)})


def _spec(claim: Claim) -> AttemptSpec:
    return AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    with made.folder:
        yield made


def test_a_running_task_shows_what_it_has_written(running: Running) -> None:
    assert "no output of" in running.call("logs", "a_b_other-r0").stderr
    running.write("stdout", "step 1\n")
    running.write("stderr", "warning\n")
    running.write("stdout", "ready", unit="01-analyse-1")

    shown = running.call("logs", "a_b_other-r0")

    assert shown.stdout.splitlines() == [
        "==> 00-simulate (try 1), stdout <==",
        "step 1",
        "==> 00-simulate (try 1), stderr <==",
        "warning",
        "==> 01-analyse (try 1), stdout <==",
        "ready",
    ]
    assert running.call("logs", running.task, "--unit", "00-simulate", "--stderr").stdout == "warning\n"


def test_following_prints_what_is_new_until_the_attempt_ends(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_LOOK_EVERY_S", 0.05)
    running.write("stdout", "step 1\n")
    done: list[Result] = []
    thread = threading.Thread(target=lambda: done.append(running.call("logs", running.task, "-f", "--stdout")))
    thread.start()
    time.sleep(1.0)
    running.write("stdout", "step 2\n")
    running.write("stderr", "not asked for\n")
    time.sleep(1.0)
    running.end()
    thread.join(120)

    assert done[0].exit_code == 0
    assert done[0].stdout.splitlines() == ["==> 00-simulate (try 1), stdout <==", "step 1", "step 2"]
    assert f"{running.task} is waiting" in done[0].stderr


def test_what_a_task_lacks_is_named(running: Running) -> None:
    running.write("stdout", "step 1\n")

    for arguments, said in (
        (("nobody",), "there is no Task 'nobody'"),
        ((running.task, "--unit", "sample"), "has no unit 'sample'; it has 00-simulate"),
        ((running.task, "--attempt", "x"), f"has no attempt 'x'; it has {running.claim.attempt}"),
    ):
        result = running.call("logs", *arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        assert said in result.stderr
