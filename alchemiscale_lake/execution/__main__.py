"""Run a stored assignment: `python -m alchemiscale_lake.execution --lake URL --assignment ID`.

This is the command of a queue job or a pod. Tasks that fail leave failed receipts and do not fail the job: the exit
code is 0 whenever the lake could be reached and the assignment existed.
"""

from __future__ import annotations

import sys

from ..secrecy import forbid_reading

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the assignment named on the command line; return the exit code."""
    # before any slow import: units of other jobs on this host could read this process
    forbid_reading()
    from .job_process import run_job

    return run_job(arguments)


if __name__ == "__main__":
    sys.exit(main())
