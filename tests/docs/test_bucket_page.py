"""The page about buckets, run from its own text, on a local S3 server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from alchemiscale_lake.store import Lake
from tests.example_networks import harmonic_network
from tests.s3 import s3_environment, set_environment

PAGE = Path(__file__).parents[2] / "docs" / "bucket.md"
_FENCE = re.compile(r"^```(bash|python)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_about_buckets(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alchemiscale_lake.gufe_adapter import dump_network

    set_environment(monkeypatch, s3)
    request = urllib.request.Request(f"{s3}/my-bucket", method="PUT")
    urllib.request.urlopen(request, timeout=120).close()
    dump_network(harmonic_network(3, n_samples=20, n_windows=1), tmp_path / "network.json")
    blocks = [found.groups() for found in _FENCE.finditer(PAGE.read_text())]
    run = [(language, text) for language, note, text in blocks if "credentials of your own" not in note]
    assert len(run) == 3
    exports = "\n".join(line for _, text in run for line in text.splitlines() if line.startswith("export "))
    for language, text in run:
        output = call(text if language == "python" else f"{exports}\n{text}", language, tmp_path, s3)
    assert output == "3\n"
    lake = Lake.open("s3://my-bucket/campaigns")
    assert set(lake.task_log.states().tasks["status"]) == {"complete"}


def call(text: str, language: str, folder: Path, endpoint: str) -> str:
    bin_folder = Path(sys.executable).parent
    env = {**os.environ, **s3_environment(endpoint), "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    env["ALCHEMISCALE_LAKE_WORK"] = str(folder / "work")
    command = [sys.executable, "-c"] if language == "python" else ["bash", "-euo", "pipefail", "-c"]
    done = subprocess.run(
        [*command, text], cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{text}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
    return done.stdout


def test_every_setting_is_on_the_page() -> None:
    from dataclasses import fields

    from alchemiscale_lake.store.bucket import BucketSettings

    for field in fields(BucketSettings):
        assert f"| `ALCHEMISCALE_LAKE_S3_{field.name.upper()}` | {field.default:g} |" in PAGE.read_text()
