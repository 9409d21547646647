"""Steps find loaded what every step needs: each child would otherwise import and build it again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.execution import warm_up

_SCRIPT = """
import os, sys, tempfile
from pathlib import Path
from alchemiscale_lake.execution import fork_server
assert fork_server._preload() == []
before = set(sys.modules)
pid = os.fork()
if pid:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.execution import all_steps, child
from alchemiscale_lake.protocols.noop import noop_transformation
with tempfile.TemporaryDirectory() as folder:
    work = Path(folder)
    for name in ("results", "runs", "scratch", "shared", "runs/create-1"):
        (work / name).mkdir()
    (work / "transformation.json").write_bytes(gufe_adapter.dumps_chain(noop_transformation()))
    arguments = {"folder": folder, "provenance": {}, "finish": "finish-1"}
    arguments |= {"serial": True, "unit_classes": [], "protocols": {}, "scratch_patterns": {}}
    request = {"arguments": arguments, "env": dict(os.environ), "path": sys.path}
    out = os.dup(1)
    assert all_steps.perform_all(request) == ({"ok": True}, 0)
    assert (work / "runs/finish-1/result.json").exists()
    os.chdir("/")
os.write(out, "\\n".join(sorted(set(sys.modules) - before)).encode())
os._exit(0)
"""


def test_a_step_imports_nothing_that_every_step_needs() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == []


def test_the_first_protocol_dag_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    estimates: list[gufe_adapter.Estimate] = []
    original = gufe_adapter.estimate
    monkeypatch.setattr(gufe_adapter, "estimate", lambda *given: estimates.append(original(*given)))
    warm_up.warm_up()
    assert [one.value_kcal_mol for one in estimates] == [0.0]
