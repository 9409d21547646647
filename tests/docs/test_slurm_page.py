"""The page about Slurm, run from its own text, on the tests' own Slurm."""

from __future__ import annotations

import configparser
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from alchemiscale_lake.store import Lake
from tests.engines.pools import counts, events, results, wait_until
from tests.slurm import Slurm, slurm

PAGE = Path(__file__).parents[2] / "docs" / "slurm.md"
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Values that a reader changes, too.
SITE = {"interface: ib0 ": "interface: lo "}
PROJECT = "/shared/our-project"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with slurm(tmp_path_factory.mktemp("slurm") / "s", nodes=2) as running:
        yield running


@pytest.fixture(scope="module")
def project(cluster: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the shared folder of the page, with an existing environment."""
    folder = tmp_path_factory.mktemp("our-project")
    activate = folder / "miniforge3" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text(f"export PATH={Path(sys.executable).parent}:$PATH PYTHONPATH={PAGE.parents[1]}\n")
    return folder


def blocks(project: Path) -> list[tuple[str, str, str]]:
    """Return language, note and text of all blocks, adapted to this site."""
    text = PAGE.read_text()
    for theirs, ours in SITE.items():
        assert text.count(theirs) == 1, theirs
        text = text.replace(theirs, ours)
    return [found.groups() for found in _FENCE.finditer(text.replace(PROJECT, str(project)))]  # type: ignore[misc]


def block(project: Path, beginning: str) -> str:
    (found,) = [text for _, _, text in blocks(project) if text.startswith(beginning)]
    return found


def shell(command: str, project: Path) -> str:
    """Run lines in a fresh shell, which has only what the page has made."""
    source = f"source {project}/campaign.sh; " if (project / "campaign.sh").exists() else activated(project)
    return said(["bash", "-eo", "pipefail", "-c", source + command], project)


def activated(project: Path) -> str:
    return f"source {project}/miniforge3/bin/activate; "


def said(command: list[str], project: Path) -> str:
    done = subprocess.run(
        command, cwd=project, env=bare(project), capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{command[-1]}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
    return done.stdout


def bare(project: Path) -> dict[str, str]:
    """Return the environment of cron: nearly empty."""
    kept = {"PATH": "/usr/bin:/bin", "HOME": str(project), "SHELL": "/bin/bash", "USER": "root"}
    return kept | {"SLURM_CONF": os.environ["SLURM_CONF"]}


def lake_of(project: Path) -> Lake:
    return Lake.open(project / "lake")


def more_tasks(project: Path) -> dict[str, int]:
    """Create three; return the expected counts at the end."""
    complete = counts(lake_of(project))["complete"]
    shell("alchemiscale-lake tasks create --network rehearsal --count 1 --action", project)
    return {"complete": complete + 3}


# --- in the order of the page: each test depends on the one before it ---------------------------------


def test_from_nothing_to_a_first_campaign(cluster: Slurm, project: Path) -> None:
    run = [(language, text) for language, note, text in blocks(project) if "test_slurm_page" in note]
    assert len(run) == 6
    outputs = []
    for language, text in run:
        outputs.append(shell(text if language == "bash" else f"python - <<'END'\n{text}END\n", project))
    _, checked, _, first, _, _ = outputs
    assert "#SBATCH -p gpu\n" in checked
    assert "#SBATCH --gres=gpu:1\n" in checked
    assert len(first.partition("wall_time_s\n")[2].splitlines()) == 3, "a row for each"
    assert not cluster.jobs(), "scaled to zero"
    lake = lake_of(project)
    assert counts(lake) == {"complete": 3}
    rows = results(lake)
    assert set(rows["pool"]) == {"cluster"}
    assert set(rows["hostname"]) <= set(cluster.nodes)
    assert rows["queue_job"].null_count() == 0
    logs = sorted(path.name for path in (project / "logs").glob("lake-cluster-*.out"))
    assert {name.rpartition("-")[2].removesuffix(".out") for name in logs} >= set(rows["queue_job"])


def test_the_line_for_cron(cluster: Slurm, project: Path) -> None:
    _, _, text = next(found for found in blocks(project) if found[0] == "crontab")
    shell_line, line = text.splitlines()
    assert shell_line == f"SHELL={bare(project)['SHELL']}"
    schedule, command = re.fullmatch(r"((?:\S+ ){5})(.*)", line).groups()  # type: ignore[union-attr]
    assert schedule == "*/5 * * * * "
    assert "%" not in command, "cron would end the line there"
    done = more_tasks(project)
    for _ in range(2):
        said(["/bin/bash", "-c", command], project)
        cluster.wait_for(lambda s: not s.jobs())
    lake = lake_of(project)
    assert counts(lake) == done
    assert len(set(results(lake)["queue_job"][-3:])) == 1, "three Tasks travelled in one job"
    log = (project / "dispatch.log").read_text()
    assert log.splitlines()[-1].startswith("3 complete, 0 failed, 0 released")
    assert list((project / "logs").glob("lake-[0-9a-f]*.out"))


def test_the_service(cluster: Slurm, project: Path) -> None:
    (unit,) = [text for language, _, text in blocks(project) if language == "ini"]
    service = configparser.RawConfigParser(strict=True)
    service.optionxform = str  # type: ignore[assignment, method-assign]
    service.read_string(unit)
    path = project / "lake-cluster.service"
    path.write_text(unit)
    if shutil.which("systemd-analyze"):
        analyze = f"XDG_RUNTIME_DIR={project} systemd-analyze --user --man=no verify {path}"
        assert said(["bash", "-c", f"{analyze} 2>&1"], project) == ""
    assert service["Service"]["KillMode"] == "mixed"
    with stayed(shlex.split(service["Service"]["ExecStart"]), project) as process:
        done = more_tasks(project)
        wait_until(lambda: counts(lake_of(project)) == done)
        process.terminate()
        assert process.wait(float(service["Service"]["TimeoutStopSec"])) >= 0
    cluster.wait_for(lambda s: not s.jobs())


@contextlib.contextmanager
def stayed(command: list[str], project: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (project / "service.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=bare(project),
            cwd="/",
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_the_session_in_tmux(cluster: Slurm, project: Path) -> None:
    own = f"export TMUX_TMPDIR={project}; "
    shell(own + block(project, "tmux new-session"), project)
    try:
        done = more_tasks(project)
        wait_until(lambda: counts(lake_of(project)) == done)
        shell(own + "tmux send-keys -t lake C-c", project)
        cluster.wait_for(lambda s: not s.jobs())
    finally:
        subprocess.run(["tmux", "kill-server"], env={**bare(project), "TMUX_TMPDIR": str(project)}, check=False)
    assert len(events(lake_of(project), "completed")) == done["complete"], "each once"


def test_templates_named_on_the_page_are_there() -> None:
    for name in re.findall(r"deployments/pools/\w+\.yaml", PAGE.read_text()):
        assert (PAGE.parents[1] / name).exists()
