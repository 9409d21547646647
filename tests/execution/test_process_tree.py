"""Processes below a fork server, found by their mark."""

from __future__ import annotations

import os
import subprocess
import sys

from alchemiscale_lake.execution.process_tree import MARK, children_of, kill_marked, mark_of
from tests.execution.bench import alive

SLEEP = [sys.executable, "-S", "-c", "print(flush=True); import time; time.sleep(60)"]


def started(mark: str) -> subprocess.Popen[bytes]:
    """Start a process with a mark, in a session of its own; return once it runs."""
    process = subprocess.Popen(SLEEP, env={**os.environ, MARK: mark}, start_new_session=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_marked_processes_end_whatever_their_session_and_others_stay() -> None:
    ours, other = started("abc-1"), started("abcd-1")
    try:
        assert mark_of(ours.pid) == "abc-1"
        assert {ours.pid, other.pid} <= set(children_of(os.getpid()))

        kill_marked("abc")

        assert ours.wait(10) == -9
        assert alive(other.pid), "the token of another server begins with this one"
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()
            process.stdout.close()  # type: ignore[union-attr]
    assert mark_of(other.pid) is None


def test_a_process_without_a_mark_has_none() -> None:
    assert mark_of(os.getpid()) == os.environ.get(MARK)
    assert mark_of(2**22 + 1) is None
