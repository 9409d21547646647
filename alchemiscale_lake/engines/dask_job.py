"""The process of a Dask worker in a queue job.

Run as `python -m alchemiscale_lake.engines.dask_job`, with dask worker's own arguments.

Its environment contains the lake's credentials, and units of other jobs on the host could read them: it forbids
reading its memory before Dask is imported, which takes a second.
"""

from __future__ import annotations

from ..secrecy import forbid_reading

__all__ = ["main"]


def main() -> None:
    """Run the worker."""
    forbid_reading()
    from distributed.cli import dask_worker

    dask_worker.main()


if __name__ == "__main__":
    main()
