from __future__ import annotations

import os
import subprocess
import sys

import pytest

from alchemiscale_lake.faults import fault_hook, fault_point


def test_a_point_does_nothing_unless_asked() -> None:
    fault_point("x")


def test_a_hook_sees_every_point_and_is_gone_afterwards() -> None:
    seen: list[str] = []
    with fault_hook(seen.append):
        fault_point("a")
        fault_point("b")
    fault_point("c")
    assert seen == ["a", "b"]


@pytest.mark.parametrize(("fault", "reached"), [("b", "a"), ("b@2", "abab"[:3]), ("z", "abab")])
def test_the_environment_kills_at_the_nth_passage(fault: str, reached: str) -> None:
    code = (
        "from alchemiscale_lake.faults import fault_point\n"
        "for name in 'abab':\n"
        "    fault_point(name); print(name, end='', flush=True)"
    )
    env = {**os.environ, "ALCHEMISCALE_LAKE_FAULT": fault}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stdout == reached
    assert done.returncode == (0 if fault == "z" else -9)
