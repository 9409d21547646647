"""Versions of packages that computed results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.statestore.package_use import package_versions
from tests.campaign import SCOPE, Campaign

OLD, NEW = {"openmm": "8.1", "openff-toolkit": "0.16"}, {"openmm": "8.6", "openff-toolkit": "0.16"}


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """Two networks; the second was computed after an upgrade of OpenMM, on two hosts, once without success."""
    made = Campaign.at(tmp_path / "lake")
    row = TABLES["hosts"].sample(1).to_pylist()[0]
    hosts = [
        {**row, "host": name, "packages_json": json.dumps(packages)} for name, packages in (("o", OLD), ("n", NEW))
    ]
    made.lake.table("hosts").append_new(hosts)
    for name, host in (("one", "o"), ("two", "n")):
        network = made.network(name, [(f"{name}a", f"{name}b")])
        first, second = made.new_tasks(network, [f"{name}a_{name}b_other"] * 2)
        made.result(first, 1.0, 0.1, host=host)
        made.result(
            second, ok=host != "n", host=host, hostname=f"node-{name}", exception="E: x" if host == "n" else None
        )
    return made


def test_versions_are_counted_by_network_and_package(campaign: Campaign) -> None:
    everything = package_versions(campaign.lake)
    one = package_versions(campaign.lake, network=f"AlchemicalNetwork-one-{SCOPE}")
    openmm = package_versions(campaign.lake, package="openmm", scope="org-*-*")

    counts = ["package", "version", "n_results", "n_failed", "n_transformations", "n_hosts"]
    assert everything.select(counts).rows() == [
        ("openff-toolkit", "0.16", 4, 1, 2, 3),
        ("openmm", "8.1", 2, 0, 1, 2),
        ("openmm", "8.6", 2, 1, 1, 2),
    ]
    assert one.select(counts[:3]).rows() == [("openff-toolkit", "0.16", 2), ("openmm", "8.1", 2)]
    assert openmm["version"].to_list() == ["8.1", "8.6"]
    assert package_versions(campaign.lake, scope="other-*-*").is_empty()


def test_the_named_query_agrees(campaign: Campaign) -> None:
    rows = ask(connect(campaign.lake), "package_versions", scope=SCOPE)

    assert (
        rows.drop("scope").sort("package", "version").rows()
        == package_versions(campaign.lake).sort("package", "version").rows()
    )


def test_a_copied_result_counts_where_it_was_computed_and_in_the_network_that_has_it(campaign: Campaign) -> None:
    network = campaign.network("copied", [("a", "b")], scope="other-c-p")
    (task,) = campaign.new_tasks(network, ["a_b_other"], scope="other-c-p")
    campaign.result(task, 1.0, 0.1, host="n", origin_attempt="f" * 32)

    assert package_versions(campaign.lake, package="openmm").select("version", "n_results").rows() == [
        ("8.1", 2), ("8.6", 2)
    ]  # fmt: skip
    assert package_versions(campaign.lake, scope="other-c-p").is_empty()
    assert package_versions(campaign.lake, network=network, package="openmm")["version"].to_list() == ["8.6"]
