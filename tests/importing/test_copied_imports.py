"""Imported results and copies of networks: the result of a file counts once, whichever Scope imported it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.importing.imports import import_results
from alchemiscale_lake.query import ask, connect
from alchemiscale_lake.statestore.network_copies import copy_network, merge_networks
from alchemiscale_lake.store import Lake
from tests.lakes import new_lake

A, B, C = "org-campaign-a", "org-campaign-b", "org-campaign-c"
ADA = Caller("ada")
EDGES = "ligand_i,ligand_j,DDG (kcal/mol),uncertainty (kcal/mol)\na,b,1.0,0.1\nb,c,0.5,0.1\nc,a,-1.4,0.1\n"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return new_lake(tmp_path / "lake")


@pytest.fixture
def edges(tmp_path: Path) -> Path:
    path = tmp_path / "edges.csv"
    path.write_text(EDGES)
    return path


def values(lake: Lake, scope: str) -> list[float]:
    rows = ask(connect(lake), "counted_results").filter(pl.col("scope") == scope)
    return sorted(rows["estimate_kcal_mol"])


def imported(lake: Lake, path: Path, scope: str) -> str:
    (network,) = import_results(lake, path, scope, caller=ADA).networks
    return network


def test_two_imports_of_one_file_are_merged_to_one(lake: Lake, edges: Path) -> None:
    networks = [imported(lake, edges, scope) for scope in (A, B)]
    merged = merge_networks(lake, networks, "both", C, caller=ADA)
    assert merged.n_results == 3
    assert values(lake, C) == values(lake, A) == [-1.4, 0.5, 1.0]
    assert copy_network(lake, networks[0], B, caller=ADA).n_results == 0
    assert merge_networks(lake, networks, "both", C, caller=ADA).n_results == 0


def test_a_file_imported_after_the_copy_of_its_results_counts_once(lake: Lake, edges: Path) -> None:
    copy_network(lake, imported(lake, edges, A), B, caller=ADA)
    report = import_results(lake, edges, B, caller=ADA)
    assert (report.n_good, report.n_known) == (0, 3)
    assert values(lake, B) == [-1.4, 0.5, 1.0]


def test_a_copy_of_an_imported_network_has_its_labels_and_facts(lake: Lake, edges: Path) -> None:
    network = imported(lake, edges, A)
    copy_network(lake, network, B, caller=ADA)
    apart = ["scope", "transformation", "ingested_at"]
    rows = lake.table("transformations").scan().sort("key").collect()
    assert rows.filter(pl.col("scope") == A).drop(apart).equals(rows.filter(pl.col("scope") == B).drop(apart))
