"""From `failures --group` to the line in the log in two commands, for failures that are real."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import gufe
import pytest
from click.testing import CliRunner, Result
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import failures as failures_command
from alchemiscale_lake.cli import main
from alchemiscale_lake.execution import Assignment, AttemptSpec, Resources, execute_assignment, job
from alchemiscale_lake.execution.processes import close_step_server
from alchemiscale_lake.statestore.attempt_ends import record_attempt_ends
from alchemiscale_lake.statestore.claims import Claim, change_claims, claim_tasks
from alchemiscale_lake.statestore.receipts import find_receipts, leave_failure
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake
from tests.example_networks import harmonic_system
from tests.execution.scripted import ScriptedProtocol

SCOPE: Final = "org-campaign-project"
CALLER: Final = Caller("d")
#: Two particles on top of each other.
NAN: Final = """
import openmm
from openmm import app, unit
system, force = openmm.System(), openmm.NonbondedForce()
force.setNonbondedMethod(openmm.NonbondedForce.CutoffNonPeriodic)
for _ in range(2):
    system.addParticle(12.0)
    force.addParticle(0.0, 0.3, 1.0)
system.addForce(force)
topology = app.Topology()
residue = topology.addResidue('X', topology.addChain())
for _ in range(2):
    topology.addAtom('C', app.element.carbon, residue)
integrator = openmm.LangevinMiddleIntegrator(300, 1, 0.002)
simulation = app.Simulation(topology, system, integrator, openmm.Platform.getPlatformByName('CPU'))
simulation.context.setPositions([(0, 0, 0), (0, 0, 0)])
simulation.reporters.append(app.StateDataReporter('states.csv', 1, step=True, potentialEnergy=True))
print('starting the simulation')
simulation.step(100)
"""
SEGFAULT: Final = "print('about to read address 0', flush=True); import ctypes; ctypes.string_at(0)"
WALLTIME: Final = "import time; print('step 1 of 1000', flush=True); time.sleep(600)"


class World:
    """A lake in which four Tasks failed, each in its own way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = Lake.create(folder / "lake")
        self.tasks: dict[str, str] = {}

    def submit(self, name: str, text: str) -> None:
        protocol = ScriptedProtocol.with_settings(units={"simulate": text})
        edge = gufe.Transformation(harmonic_system("a"), harmonic_system("b"), protocol, name=name)
        network = submit_network(self.lake, gufe.AlchemicalNetwork([edge], name=name), SCOPE, caller=CALLER).network
        (self.tasks[name],) = ensure_tasks(self.lake, network, 1, caller=CALLER)

    def attempt(self, work: Path, **settings: float) -> list[Claim]:
        """Claim what waits, run it, record the receipts; return the claims without one."""
        claims = claim_tasks(self.lake, "cluster", 10, lease_s=3600, caller=CALLER)
        specs = tuple(AttemptSpec(c.attempt, c.task, c.transformation, c.scope, secret=self.secret(c)) for c in claims)
        assignment = Assignment(self.lake.url, "cluster", specs, Resources(1), work_root=str(work), **settings)
        execute_assignment(assignment)
        receipts = find_receipts(self.lake, {claim.attempt: claim.scope for claim in claims})
        record_receipts(self.lake, receipts, caller=CALLER)
        done = {receipt.attempt for receipt in receipts}
        return [claim for claim in claims if claim.attempt not in done]

    def secret(self, claim: Claim) -> str:
        return self.lake.receipt_key.secret_of(claim.attempt)

    def end(self, claim: Claim, reason: str, *, fails: str | None = None) -> None:
        """Do what a dispatcher does with an attempt without a receipt."""
        record_attempt_ends(self.lake, [(claim, fails or reason)])
        if fails is None:
            change_claims(self.lake, release={claim.attempt: (claim.task, reason)}, caller=CALLER)
            return
        spec = AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)
        record_receipts(self.lake, [leave_failure(self.lake, spec, "cluster", fails)], caller=CALLER)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALCHEMISCALE_LAKE_HOSTNAME", "gpu-17")
        made = World(tmp_path_factory.mktemp("why"))
        made.submit("nan", NAN)
        made.submit("segfault", SEGFAULT)
        assert made.attempt(made.folder / "work") == []
        made.submit("walltime", WALLTIME)
        patch.setenv(job.ENDS_AT, str(time.time() + 25.0))
        (first,) = made.attempt(made.folder / "work", retire_before_s=10.0)
        made.end(first, "walltime: stopped 10 s before the end of its job (gpu-17)")
        patch.setenv(job.ENDS_AT, str(time.time() + 25.0))
        (last,) = made.attempt(made.folder / "work", retire_before_s=10.0)
        made.end(last, "walltime", fails="WalltimeExceeded: 20 jobs in a row ended before it did")
        yield made
        close_step_server()


@pytest.fixture
def call(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Call a command as on a terminal of 80 columns."""
    monkeypatch.setattr(failures_command, "is_for_people", lambda tsv, output: not tsv and output is None)

    def run(*arguments: str) -> Result:
        lake = str(world.lake.local_path)
        done = CliRunner().invoke(main, arguments, env={"COLUMNS": "80", "ALCHEMISCALE_LAKE": lake})
        assert done.exit_code == 0, done.output
        return done

    return run


def plain(text: str) -> str:
    """Replace what differs between runs."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", lambda found: "T" * len(found[0]), text)
    return re.sub(r"[0-9a-f]{32}", "0" * 32, text)


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of causes."""
    return [part for part in re.split(r"^(?=\d+ Tasks?:)", text, flags=re.MULTILINE) if part]


def test_failures_are_grouped_by_cause(call: Callable[..., Result], snapshot: SnapshotAssertion) -> None:
    shown = call("failures", "--group").stdout

    assert max(map(len, shown.splitlines())) <= 80
    assert "NaN" in shown
    # Tasks are claimed in a random order
    assert "".join(sorted(paragraphs(plain(shown)))) == snapshot


@pytest.mark.parametrize(
    ("cause", "line"),
    [
        ("NaN", "starting the simulation"),
        ("SIGSEGV", "about to read address 0"),
        ("WalltimeExceeded", "step 1 of 1000"),
    ],
)
def test_two_commands_lead_to_the_line(call: Callable[..., Result], cause: str, line: str) -> None:
    shown = call("failures", "--group").stdout
    paragraph = next(text for text in paragraphs(shown) if cause in text)
    (command,) = re.findall(r"alchemiscale-lake (logs \w+)$", paragraph, re.MULTILINE)

    assert line in call(*command.split()).stdout


def test_output_of_one_stream_is_nothing_else(call: Callable[..., Result]) -> None:
    assert call("logs", "segfault-r0", "--stdout").stdout == "about to read address 0\n"
    assert "Segmentation fault" in call("logs", "segfault-r0", "--stderr").stdout


@pytest.mark.parametrize("name", ["nan", "segfault", "walltime"])
def test_the_story_of_a_task_is_one_page(call: Callable[..., Result], name: str, snapshot: SnapshotAssertion) -> None:
    shown = call("tasks", "show", f"{name}-r0").stdout

    assert len(shown.splitlines()) < 60
    assert plain(shown) == snapshot


def test_every_attempt_keeps_its_own_output(world: World, call: Callable[..., Result]) -> None:
    shown = call("tasks", "show", world.tasks["walltime"]).stdout
    first, last = re.findall(r"logs (\w+)", shown)

    assert call("logs", first, "--stdout").stdout == "step 1 of 1000\n"
    assert call("logs", world.tasks["walltime"], "--attempt", last).stdout.count("step 1 of 1000\n") >= 1
