"""Every snippet of README and docs runs, page by page, in one folder, as a reader would run them.

Commands start with their imports done, and use a running Prefect server; `cli/test_run.py` starts both from nothing.

A block that cannot run here carries its reason: ```bash no-run="needs a bucket"```.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from alchemiscale_lake.prefect_api.local_api import Api
from tests.docs.snippets import REPOSITORY, SEPARATE, Block, blocks, run, run_page

#: In this order: each depends on earlier ones. `test_separate_pages.py` runs the others.
PAGES = [
    "docs/run-a-campaign.md",
    "docs/from-openfe.md",
    "docs/from-alchemiscale.md",
    "docs/tasks.md",
    "docs/networks.md",
    "docs/hosts.md",
    "docs/why-did-it-fail.md",
    "docs/keep-files.md",
    "docs/read-results.md",
    "docs/estimates.md",
    "docs/notebooks.md",
    "docs/import-results.md",
    "docs/compare.md",
    "docs/usage.md",
    "docs/execution.md",
    "docs/the-lake.md",
    "docs/architecture.md",
    "docs/security.md",
    "docs/bucket.md",
    "docs/upkeep.md",
    "docs/doctor.md",
    "docs/backup.md",
    "docs/archives.md",
    "docs/upgrade.md",
    "docs/pools.md",
    "docs/plug-ins.md",
    "docs/kubernetes.md",
    "docs/slurm.md",
    "docs/several-pools.md",
    "docs/shared-lake.md",
    "docs/cost.md",
    "docs/next-to-alchemiscale.md",
    "docs/api-stability.md",
    "docs/recipes.md",
]
ALL_PAGES = [*PAGES, *SEPARATE]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a reader's working folder."""
    return tmp_path_factory.mktemp("reader")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", PAGES)
def test_every_snippet_runs(page: str, folder: Path, api: Api, warm_path: str) -> None:
    run_page(page, folder, warm_path)


def test_the_snippet_on_objects_runs_on_a_lake_of_imported_tables(tmp_path: Path, warm_path: str) -> None:
    (tmp_path / "edges.csv").write_text("ligand_i,ligand_j,DDG (kcal/mol),uncertainty (kcal/mol)\na,b,1.0,0.1\n")
    run(Block("bash", "", "alchemiscale-lake import-results edges.csv --scope o-c-p"), tmp_path, warm_path)

    (block,) = [block for block in blocks("docs/read-results.md") if "object_path" in block.text]
    run(block, tmp_path, warm_path)


def test_commands_with_their_imports_done_are_like_the_real_ones(tmp_path: Path, warm_path: str) -> None:
    env = {**os.environ, "PATH": warm_path, "NAME": "ana"}
    text = "import os, sys; print(os.getcwd(), os.environ['NAME'], sys.stdin.read(), sys.argv); sys.exit(3)"
    script = subprocess.run(["python", "-c", text], cwd=tmp_path, env=env, input="in", capture_output=True, text=True)
    wrong = subprocess.run(["alchemiscale-lake", "nonsense"], env=env, capture_output=True, text=True)
    warns = subprocess.run(["python", "-W", "error", "-c", "import warnings; warnings.warn('x')"], env=env)
    with subprocess.Popen(["python", "-c", "print(flush=True); input()"], env=env, stdin=-1, stdout=-1) as waits:
        assert waits.stdout is not None
        waits.stdout.readline()
        waits.terminate()

    assert (script.returncode, script.stdout) == (3, f"{tmp_path} ana in ['-c']\n")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "no such command 'nonsense'" in wrong.stderr
    assert warns.returncode == 1
    assert waits.returncode == -signal.SIGTERM


def test_blocks_left_out_say_why() -> None:
    for page in ALL_PAGES:
        for block in blocks(page):
            assert not block.note.strip() or re.fullmatch(r' no-run="[^"]+"', block.note), (page, block.note)


def test_every_page_is_tested_and_linked() -> None:
    pages = {f"docs/{p.name}" for p in (REPOSITORY / "docs").glob("*.md")} - {"docs/README.md", "docs/tables.md"}
    assert pages == set(ALL_PAGES) - {"README.md"}
    index = (REPOSITORY / "docs/README.md").read_text()
    assert all(Path(page).name in index for page in pages)


def test_links_lead_somewhere() -> None:
    for page in [*ALL_PAGES, "docs/README.md", "docs/tables.md", "CONTRIBUTING.md"]:
        path = REPOSITORY / page
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text()):
            file, _, anchor = target.partition("#")
            linked = path.parent / file if file else path
            assert linked.exists(), f"{page}: {target}"
            assert not anchor or anchor in anchors(linked), f"{page}: {target}: {sorted(anchors(linked))}"


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
