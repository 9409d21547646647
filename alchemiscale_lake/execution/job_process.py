"""The process of a queue job or a pod: its command line, its signals, its exit code."""

from __future__ import annotations

import argparse
import logging
import signal
import sys

from ..errors import LakeError
from ..plurals import part
from ..store import Lake
from .assignment_run import execute_assignment
from .job import stop_all
from .processes import close_step_server
from .start_markers import write_start_marker
from .stored_assignment import load_assignment

__all__ = ["run_job"]


def run_job(arguments: list[str] | None = None) -> int:
    """Run the assignment named on the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m alchemiscale_lake.execution", description=run_job.__doc__)
    parser.add_argument("--lake", required=True, help="folder or URL of the lake")
    parser.add_argument("--assignment", required=True, help="id of the stored assignment")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, _stop)
    try:
        lake = Lake.open(options.lake)
        assignment = load_assignment(lake, options.assignment)
        write_start_marker(lake, assignment)
        finished = execute_assignment(assignment)
    except LakeError as e:
        sys.stderr.write(f"Error: {e}\n")
        return 1
    finally:
        close_step_server()
    sys.stderr.write(f"{part(len(finished), len(assignment.attempts), 'attempt')} left a receipt\n")
    return 0


def _stop(signum: int, _: object) -> None:
    stop_all(f"the job received {signal.Signals(signum).name}")
