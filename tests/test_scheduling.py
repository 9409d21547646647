from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scheduling import LONGEST

REPOSITORY = Path(__file__).parents[1]
GOOD = "def test_one(): pass\ndef test_two(): pass\n"
FATAL = "import os\ndef test_before(): pass\ndef test_fatal(): os._exit(1)\n"


@pytest.mark.parametrize("after", ["", "def test_after(): pass\n"])
def test_a_run_ends_although_a_worker_died(after: str, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"test_{name}.py").write_text(GOOD)
    (tmp_path / "test_c.py").write_text(FATAL + after)
    (tmp_path / "test_d.py").write_text("def test_alone(): pass\n")
    command = [sys.executable, "-m", "pytest", "-n", "1", "--no-loadscope-reorder", "-p", "tests.scheduling"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [*command, "-p", "xdist", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"1 failed, {6 + bool(after)} passed" in done.stdout
    assert "crashed while running 'test_c.py::test_fatal'" in done.stdout


def test_the_longest_files_exist() -> None:
    names = {path.name for path in (REPOSITORY / "tests").rglob("test_*.py")}
    assert [name for name in LONGEST if name not in names] == []
