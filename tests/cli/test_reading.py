"""Commands that read, run in this process against one small campaign; output against snapshots."""

from __future__ import annotations

import io
import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.cli._show import show_summary, show_table
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.report import Table
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.receipts import find_receipts
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, Campaign, small_campaign
from tests.plain import SCOPE as PLAIN_SCOPE
from tests.plain import leave_receipt, plain_chain, plain_receipt

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reading") / "lake"
    small_campaign(folder)
    return folder


@pytest.fixture
def call(kept: Path, tmp_path: Path) -> Call:
    """Call a command on a copy of the campaign; not in a terminal, so tables are TSV."""
    lake = tmp_path / "lake"
    shutil.copytree(kept, lake)

    def run(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=stdin, env={"ALCHEMISCALE_LAKE": str(lake)})

    return run


COMMANDS: Sequence[Sequence[str]] = [
    ("status",),
    ("status", "--scope", "org-campaign-other"),
    ("status", "tyk2"),
    ("status", "tyk2", "--transformations"),
    ("gather", "tyk2", "--report", "raw"),
    ("tasks", "--limit", "3"),
    ("tasks", "list", "--network", "tyk2", "--status", "error"),
    ("tasks", "--transformation", "c_d_complex"),
    ("failures",),
    ("failures", "--each"),
    ("failures", "tyk2", "--traceback"),
    ("query", "select ligand_a_name, phase, count(*) as n from transformations group by all order by all"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_reading(call: Call, arguments: Sequence[str], snapshot: SnapshotAssertion, tmp_path: Path) -> None:
    result = call(*arguments)

    assert result.exit_code == 0, result.stderr
    assert result.stdout == snapshot(name="stdout")
    assert result.stderr.replace(f"{tmp_path}/", "") == snapshot(name="stderr")


REFUSED: Sequence[tuple[Sequence[str], int, str]] = [
    (("gather",), 1, "Error: there are several networks; give one of these:\n  idle --scope org-campaign-other"),
    (("gather", "idle"), 1, "no edge of idle has a result yet"),
    (("status", "nosuch"), 1, "no network has the name or ScopedKey 'nosuch'"),
    (("status", "--lake", "nowhere"), 1, "there is no lake at"),
    (("status", "--scope", "org"), 1, "'org' is not a Scope"),
    (("query", "selct 1"), 1, "syntax error"),
    (("query",), 2, "give an SQL statement"),
    (("tasks", "--network", "tyk2", "list"), 2, "put --network after 'list'"),
    (("tasks", "set-status", "waiting"), 2, "give Tasks, or select them"),
    (("tasks", "set-status", "complete", "Task-0001"), 2, "'complete' is not one of"),
    (("tasks", "create", "--network", "tyk2", "--transformation", "nosuch"), 1, "no Transformation 'nosuch'"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "said"), REFUSED, ids=lambda a: " ".join(a) if isinstance(a, tuple) else ""
)
def test_refused(call: Call, arguments: Sequence[str], code: int, said: str) -> None:
    result = call(*arguments)

    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr


def test_gather_dg_has_full_precision_and_names_the_scale(call: Call) -> None:
    result = call("gather", "tyk2")

    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert lines[0] == ["ligand", "DG(MLE) (kcal/mol)", "uncertainty (kcal/mol)", "experiment (kcal/mol)"]
    assert [line[0] for line in lines[1:]] == ["a", "b", "c", "d"]
    assert float(lines[1][1]) == pytest.approx(-8.2, abs=1e-12)
    assert lines[4][:3] == ["d", "Error", "Error"]
    assert "6 of 8 Transformations had new results" in result.stderr
    assert "on the scale of experiment" in result.stderr


def test_gather_writes_files(call: Call, tmp_path: Path) -> None:
    table, plot = tmp_path / "ddg.tsv", tmp_path / "ddg.png"

    result = call("gather", "tyk2", "--report", "ddg", "-o", str(table), "--plot", str(plot))

    assert result.stdout == ""
    assert table.read_bytes().startswith(b"ligand_i\tligand_j\tDDG(i->j) (kcal/mol)\tuncertainty (kcal/mol)\na\tb\t")
    assert b"\r" not in table.read_bytes()
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert f"wrote {table} (4 edges, 1 failed)" in result.stderr
    assert f"wrote {plot} (3 edges; RMSE " in result.stderr


def test_query_lists_tables_and_questions(call: Call) -> None:
    lines = [line.split("\t") for line in call("query", "--list").stdout.splitlines()]

    assert lines[0] == ["name", "kind", "contents"]
    assert {"results", "task_log"} < {name for name, kind, _ in lines if kind == "table"}
    assert {"failures", "ligand_ranking"} < {name for name, kind, _ in lines if kind == "named query"}


def test_a_dash_as_output_is_stdout(call: Call) -> None:
    assert call("status", "-o", "-").stdout.startswith("name\tscope\t")


def test_tasks_are_changed_by_filter_and_refusals_are_named(call: Call) -> None:
    done = call("tasks", "set-status", "waiting", "--status", "error")
    again = call("tasks", "--status", "waiting")
    refused = call("tasks", "set-status", "waiting", "-", stdin=f"Task-0001-{SCOPE}\nTask-nosuch\n")

    assert (done.exit_code, done.stderr) == (0, "1 Task set waiting\n")
    assert f"Task-0013-{SCOPE}\twaiting" in again.stdout
    assert refused.exit_code == 1
    assert refused.stderr.splitlines()[0] == "0 of 2 Tasks set waiting"
    assert f"Task-0001-{SCOPE}: it is complete" in refused.stderr
    assert "Task-nosuch: the lake has no such Task" in refused.stderr


def test_tasks_are_changed_by_name_and_misspelt_ones_suggest_it(call: Call) -> None:
    named = call("tasks", "set-priority", "3", "c_d_solvent-r0")
    misspelt = call("tasks", "set-priority", "4", "c_d_solvent-r0", "c_d_solvnt-r0")
    unknown = call("tasks", "retry", "xyzzy")

    assert (named.exit_code, named.stderr) == (0, "1 Task set to priority 3\n")
    assert (misspelt.exit_code, misspelt.stderr) == (
        1,
        "Error: there is no Task 'c_d_solvnt-r0'; did you mean 'c_d_solvent-r0'?\n",
    )
    assert (unknown.exit_code, len(unknown.stderr.splitlines())) == (1, 1)
    assert "\t3\tc_d_solvent\t" in call("tasks", "--transformation", "c_d_solvent").stdout, "nothing else changed"


def test_tasks_can_be_piped_from_one_command_into_the_next(call: Call) -> None:
    listed = call("tasks", "--transformation", "c_d_solvent").stdout

    prioritised = call("tasks", "set-priority", "3", "-", stdin=listed)
    weighed = call("tasks", "set-weight", "0.9", "-", "--network", "tyk2", stdin=listed)
    cancelled = call("tasks", "cancel", "-", "--network", "tyk2", stdin=listed)
    actioned = call("tasks", "action", "-", "--network", "tyk2", "--weight", "0.1", stdin=listed)

    assert [r.stderr for r in (prioritised, weighed, cancelled, actioned)] == [
        "1 Task set to priority 3\n",
        "1 Task set to weight 0.9\n",
        "1 Task cancelled\n",
        "1 Task actioned\n",
    ]
    weights = call("query", "select task, weight from actions where transformation like '%c_d_solvent%'").stdout
    assert weights == f"task\tweight\nTask-0013-{SCOPE}\t0.1\n"


def test_tasks_are_created_and_actioned(call: Call) -> None:
    created = call("tasks", "create", "--network", "tyk2", "--transformation", "a_b_solvent", "--count", "2")

    tasks = created.stdout.split()
    assert (created.exit_code, len(tasks)) == (0, 2)
    assert "2 of 2 Tasks created and actioned" in created.stderr
    actions = call("query", "select task from actions where status = 'waiting' order by task").stdout.splitlines()[1:]
    assert actions == sorted(tasks)


def test_failures_of_tasks_that_ended_well_are_shown_on_demand(call: Call, tmp_path: Path) -> None:
    campaign = Campaign.at(tmp_path / "other")
    network = campaign.network("pair", [("a", "b")])
    (task,) = campaign.new_tasks(network, ["a_b_other"])
    campaign.result(task, ok=False)
    campaign.result(task, 1.0, 0.1)

    quiet = call("failures", "--lake", str(tmp_path / "other"))
    full = call("failures", "--all", "--lake", str(tmp_path / "other"))

    assert len(quiet.stdout.splitlines()) == 1
    assert len(full.stdout.splitlines()) == 2


def test_assays_move_the_scale(call: Call, tmp_path: Path) -> None:
    values = tmp_path / "experiment.csv"
    values.write_text("ligand,value_kcal_mol\na,-18.1\nb,-17.3\nc,-15.2\n")

    imported = call("assays", str(values), "--scope", SCOPE, "--kind", "binding")
    gathered = call("gather", "tyk2")

    assert imported.stderr == f"imported 3 new binding values into {SCOPE}\n"
    assert float(gathered.stdout.splitlines()[1].split("\t")[1]) == pytest.approx(-18.2)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_tables_are_for_people_and_tsv_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(("dg", "error"), [(1.23456, 0.05)], "a title", precision_of={"dg": "error"})
    shown = []
    for tsv in (False, True):
        terminal = Terminal()
        monkeypatch.setattr("sys.stdout", terminal)
        show_table(table, tsv=tsv)
        shown.append(terminal.getvalue())

    assert "a title" in shown[0]
    assert "1.235" in shown[0]
    assert "1.23456" not in shown[0]
    assert shown[1] == "dg\terror\n1.23456\t0.05\n"


def test_the_summary_prints_ligands_on_stdout_and_all_else_on_stderr(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(kept, tmp_path / "lake")
    lake = Lake.open(tmp_path / "lake")
    network = f"AlchemicalNetwork-tyk2-{SCOPE}"
    gather_network(lake, network)

    show_summary(lake, network, plot=str(tmp_path / "plot.png"))

    said = capsys.readouterr()
    assert [line.split("\t")[0] for line in said.out.splitlines()] == ["ligand", "a", "b", "c", "d"]
    assert said.err.splitlines()[0].startswith("RMSE 0.08 kcal/mol")
    assert said.err.splitlines()[1] == f"plot: {tmp_path / 'plot.png'}"
    assert said.err.splitlines()[-1] == "  alchemiscale-lake rank tyk2"


def test_help_of_every_reading_command_shows_an_example() -> None:
    for name in ("status", "gather", "query", "tasks", "failures", "assays"):
        result = CliRunner().invoke(main, [name, "--help"])

        assert result.exit_code == 0
        assert "Example" in result.stdout
        assert "\\b" not in result.stdout
        assert f"  alchemiscale-lake {name}" in result.stdout


def test_failures_of_one_kind_are_counted_together(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    network = submit_network(lake, plain_chain([("a", "b"), ("b", "c"), ("c", "d")]), PLAIN_SCOPE, name="chain").network
    ensure_tasks(lake, network, 2, caller=Caller("ana"))
    for i, claim in enumerate(claim_tasks(lake, "p", 6, lease_s=600, caller=Caller("d"))):
        spec = AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)
        why = f"RuntimeError: NaN at step {i * 512}" if i else "MemoryError: no more"
        leave_receipt(lake, plain_receipt(spec, ok=False, exception=why))
        record_receipts(lake, find_receipts(lake, {spec.attempt: spec.scope}), caller=Caller("d"))

    def failures(*more: str) -> Result:
        return CliRunner().invoke(main, ["failures", "chain", "--lake", lake.url, *more])

    grouped = failures()
    rows = [line.split("\t") for line in grouped.stdout.splitlines()[1:]]
    assert [(row[0], row[1]) for row in rows] == [("5", "5"), ("1", "1")]
    assert "RuntimeError: NaN at step" in rows[0][2]
    assert "and 2 more" in rows[0][4]
    retry = f"alchemiscale-lake tasks retry --network chain --lake {lake.url}"
    assert grouped.stderr == f"next: {retry}\n"
    assert len(failures("--each").stdout.splitlines()) == 7
    assert failures("--traceback").stdout.startswith("5 x, newest: Task-")
    again = CliRunner().invoke(main, shlex.split(retry)[1:])
    assert again.exit_code == 0, again.output
    assert again.stderr.splitlines() == [
        f"next: alchemiscale-lake dispatch --lake {lake.url}",
        "6 of 6 Tasks set waiting",
    ]
    assert set(Lake.open(lake.url).task_log.states().tasks["status"]) == {"waiting"}
    nothing = CliRunner().invoke(main, shlex.split(retry)[1:])
    assert (nothing.exit_code, nothing.stderr) == (0, "no Task is in error\n")


def test_only_tasks_in_error_are_retried(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    ensure_tasks(lake, submit_network(lake, plain_chain([("a", "b")]), PLAIN_SCOPE).network, 1, caller=Caller("ana"))
    (claim,) = claim_tasks(lake, "p", 1, lease_s=600, caller=Caller("d"))

    named = CliRunner().invoke(main, ["tasks", "retry", claim.task, "--lake", lake.url])

    assert named.exit_code == 1
    assert f"{claim.task}: it is running, not in error" in named.stderr
    assert list(Lake.open(lake.url).task_log.states().tasks["status"]) == ["running"]


@pytest.mark.parametrize("command", [("compare",), ("dispatch",), ("tasks", "retry"), ("failures",), ("status",)])
def test_a_misspelt_scope_is_a_mistake(call: Call, command: Sequence[str]) -> None:
    done = call(*command, "--scope", "org-campain-*")

    assert done.exit_code == 1
    assert done.stdout == ""
    assert "there is no network in Scope org-campain-*; did you mean" in done.stderr
