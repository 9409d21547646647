"""Run a stored assignment: `python -m alchemiscale_lake.execution --lake URL --assignment ID`.

What a queue job or a pod starts. Tasks that fail leave receipts that say so and are no failure of
the job: the exit code is 0 whenever the lake could be reached and the assignment was there.
"""

from __future__ import annotations

import sys

from ..secrecy import forbid_reading

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the assignment named on the command line; return the exit code."""
    # before anything that takes time is imported: units of other jobs on this host may look
    forbid_reading()
    from .job_process import run_job

    return run_job(arguments)


if __name__ == "__main__":
    sys.exit(main())
