"""Flow `archive_network`: networks as one file that opens anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from ..archives import SCRUBBED, Archived, Deposit, write_archive
from ..flow_steps.artifacts import publish_table
from ..prefect_api.credentials import load_credentials
from ..query import find_network
from ..report.file_names import file_stem
from ..store import Lake

__all__ = ["archive_network"]


def _name() -> str:
    return f"archive-{flow_run.parameters.get('network') or 'network'}"


@flow(
    name="archive-network",
    description="Write a network to one file that opens anywhere.",
    flow_run_name=_name,
    persist_result=False,
)
def archive_network(
    network: str,
    lake: str = "./lake",
    scope: str | None = None,
    folder: str = "./archives",
    files: bool = False,
    scrub: Sequence[str] = (),
    title: str | None = None,
    license_spdx: str | None = None,
) -> Archived:
    """Write a network to one file that opens anywhere.

    Args:
        network: Name or ScopedKey of the network.
        lake: Lake: a folder on the machine where the flow runs, or the URL of a bucket.
        scope: Scope in which to look for the name (* is the wildcard). Empty: all Scopes.
        folder: Folder on the machine where the flow runs; the file is named after the network.
        files: Include files kept from executions, such as trajectories.
        scrub: Names to remove: hosts, users, paths, scopes, or all.
        title: Title for a repository. Empty: made of the name of the network.
        license_spdx: Licence for a repository, such as CC-BY-4.0.
    """
    load_credentials()
    place = Lake.open(lake)
    found = find_network(place, network, scope=scope)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    written = write_archive(
        place,
        [found],
        target / f"{file_stem(place, found)}.zip",
        files=files,
        scrub=SCRUBBED if "all" in scrub else tuple(scrub),
        deposit=Deposit(title=title, license=license_spdx),
    )
    rows = [
        {"network": each.name or each.network, "transformations": each.n_transformations, "results": each.n_results}
        for each in written.manifest.networks
    ]
    size = f"{written.n_bytes / 1e6:.1f} MB"
    publish_table(f"archive {network}", rows, description=f"archived in {written.path.resolve()}, {size}")
    return written
