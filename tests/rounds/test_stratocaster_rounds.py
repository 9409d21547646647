"""Rounds of Strategies with stratocaster's `propose`: from a file, by module and class, as an object, and real ones."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from alchemiscale_lake import LakeClient
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import StrategyError
from alchemiscale_lake.rounds import advance_network, get_strategy, set_strategy
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from alchemiscale_lake.strategies import load_strategy
from tests.campaign import SCOPE
from tests.example_networks import harmonic_network
from tests.generations import gufe1
from tests.lakes import new_lake

ADA = Caller("ada")

OWN = '''
import gufe
from pydantic import BaseModel


class Settings(BaseModel):
    most: int = 2


class Fewest:
    """The Transformation whose ChemicalSystems have the first names, until it has `most` results."""

    def __init__(self, settings):
        self.settings = settings

    @classmethod
    def default_settings(cls):
        return Settings()

    def propose(self, alchemical_network, protocol_results):
        assert isinstance(alchemical_network, gufe.AlchemicalNetwork)
        done = {key: result.n_protocol_dag_results for key, result in protocol_results.items()}
        first = min(alchemical_network.edges, key=lambda edge: sorted([edge.stateA.name, edge.stateB.name]))
        return {
            edge.key: None if done.get(edge.key, 0) >= self.settings.most else float(edge == first)
            for edge in alchemical_network.edges
        }


class Broken(Fewest):
    def propose(self, alchemical_network, protocol_results):
        raise RuntimeError("no idea")


STRICT = Fewest(Settings(most=1))
'''


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return new_lake(tmp_path / "lake")


@pytest.fixture
def network(lake: Lake) -> str:
    return submit_network(lake, harmonic_network(3), SCOPE).network


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


@pytest.fixture
def installed(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the file importable, here and in the child; return its module."""
    (tmp_path / "site").mkdir()
    own.rename(tmp_path / "site" / "lake_test_strategies.py")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=os.pathsep)
    monkeypatch.delitem(sys.modules, "lake_test_strategies", raising=False)
    return "lake_test_strategies"


def asked_for(lake: Lake) -> list[str]:
    """Return the names of the Transformations with Tasks."""
    names = dict(lake.table("transformations").scan().select("transformation", "name").collect().iter_rows())
    return sorted(names[one] for one in lake.task_log.states().tasks["transformation"])


def digests(lake: Lake) -> list[str]:
    """Return the digests that the rounds of a lake record."""
    return lake.table("strategy_rounds").scan().select(pl.col("digest").unique()).collect()["digest"].to_list()


def first_name(lake: Lake) -> str:
    """Return the name of the Transformation that `Fewest` prefers, from the rows."""
    rows = lake.table("transformations").scan().select("name", "ligand_a_name", "ligand_b_name").collect().rows()
    return str(min(rows, key=lambda row: sorted(map(str, row[1:])))[0])


def test_a_class_in_a_file_decides_on_the_network_in_the_lake(lake: Lake, network: str, own: Path) -> None:
    plan = set_strategy(lake, [network], f"{own}:Fewest", settings={"most": 3}, caller=ADA, max_tasks_per_round=2)
    report = advance_network(lake, network, caller=ADA)

    assert (plan.needs_objects, plan.settings, plan.code) == (True, {"most": 3}, OWN)
    assert (report.state, report.exception) == ("asked", None)
    assert set(asked_for(lake)) == {first_name(lake)}


def test_its_failure_is_a_round_with_its_traceback(lake: Lake, network: str, own: Path) -> None:
    set_strategy(lake, [network], f"{own}:Broken", caller=ADA)
    report = advance_network(lake, network, caller=ADA)
    (text,) = (
        lake.table("strategy_rounds").scan().select(pl.col("traceback").drop_nulls().unique()).collect()["traceback"]
    )

    assert (report.state, report.exception) == ("error", "RuntimeError: no idea")
    assert 'raise RuntimeError("no idea")' in text


def test_a_class_of_an_installed_module(lake: Lake, network: str, installed: str) -> None:
    plan = set_strategy(lake, [network], f"{installed}:Fewest", settings={"most": 1}, caller=ADA)

    assert (plan.strategy, plan.settings, plan.code) == (f"{installed}:Fewest", {"most": 1}, None)
    assert advance_network(lake, network, caller=ADA).state == "asked"
    assert get_strategy(lake, network) == plan
    assert digests(lake) == [plan.digest]


def test_a_round_records_the_digest_of_what_ran(lake: Lake, network: str, installed: str, tmp_path: Path) -> None:
    plan = set_strategy(lake, [network], f"{installed}:Fewest", caller=ADA)
    file = tmp_path / "site" / f"{installed}.py"
    file.write_text(file.read_text().replace("1.0", "2.0").replace("float(edge == first)", "2.0 * (edge == first)"))

    assert advance_network(lake, network, caller=ADA).state == "asked"
    (ran,) = digests(lake)
    assert ran != plan.digest


def test_an_object_is_stored_by_its_class_and_comes_back(lake: Lake, network: str, installed: str) -> None:
    module = pytest.importorskip(installed)
    client = LakeClient(lake)
    client.set_network_strategy(network, module.Fewest(module.Settings(most=5)), sleep_interval=0)
    back = client.get_network_strategy(network)

    assert (type(back), back.settings) == (module.Fewest, module.Settings(most=5))
    assert client.advance_network(network)["state"] == "asked"


def test_the_digest_follows_code_and_settings(own: Path) -> None:
    one, other = load_strategy(f"{own}:Fewest"), load_strategy(f"{own}:Fewest", {"most": 3})
    own.write_text(OWN + "\n")

    assert len({one.digest, other.digest, load_strategy(f"{own}:Fewest").digest}) == 3


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("Fewest", {"moist": 1}, r"settings of .*own.py:Fewest: there is no 'moist'"),
        ("Fewest", {"most": "many"}, "settings of .*own.py:Fewest: .*most"),
        ("STRICT", {"most": 2}, "is an object with settings of its own"),
        ("Settings", None, "is not a Strategy"),
    ],
)
def test_what_does_not_fit_is_refused(own: Path, name: str, settings: Any, message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        load_strategy(f"{own}:{name}", settings)


def test_an_object_that_others_cannot_import_is_refused(own: Path) -> None:
    class Local:
        def propose(self, alchemical_network: Any, protocol_results: Any) -> Any: ...

    with pytest.raises(StrategyError, match="Local cannot be imported elsewhere; store it in a file"):
        load_strategy(Local())
    with pytest.raises(StrategyError, match="is not a Strategy"):
        load_strategy(object())
    with pytest.raises(StrategyError, match=r"there is no Strategy 'no\.such:Thing'"):
        load_strategy("no.such:Thing")


@gufe1
@pytest.mark.parametrize("name", ["ConnectivityStrategy", "RadialGrowthStrategy"])
def test_strategies_of_stratocaster(lake: Lake, network: str, name: str) -> None:
    strategies = pytest.importorskip("stratocaster.strategies", reason="stratocaster is not installed")
    kind = getattr(strategies, name)
    settings = kind.default_settings().model_copy(update={"max_runs": 2})
    client = LakeClient(lake)
    client.set_network_strategy(network, kind(settings), sleep_interval=0)
    by_object = get_strategy(lake, network)

    set_strategy(lake, [network], f"stratocaster.strategies:{name}", settings={"max_runs": 2}, caller=ADA)
    by_name = get_strategy(lake, network)
    report = advance_network(lake, network, caller=ADA)

    assert by_object is not None
    assert by_name is not None
    assert by_object.settings == by_name.settings == json.loads(settings.model_dump_json())
    assert by_object.digest == by_name.digest
    assert client.get_network_strategy(network) == kind(settings)
    assert (report.state, report.exception) == ("asked", None)
    assert set(asked_for(lake)) == {edge.name for edge in harmonic_network(3).edges}
