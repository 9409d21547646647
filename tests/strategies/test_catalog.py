"""Strategies by name, by file and by object, with digests."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemiscale_lake.errors import StrategyError
from alchemiscale_lake.strategies import load_strategy, make_strategy, strategy_names
from alchemiscale_lake.strategies.connectivity import Connectivity, ConnectivitySettings
from tests.contracts.strategy_contract import fan, legs_of, state_of

OWN = '''
from pydantic import Field

from alchemiscale_lake.strategies import Proposal, Strategy, StrategySettings


class Settings(StrategySettings):
    most: int = Field(default=2, ge=1)


class Alphabetical(Strategy[Settings]):
    """The smallest key first."""

    settings_type = Settings

    def _propose(self, network):
        rows = [row for row in network.transformations if row.n_counted < self.settings.most]
        weights = {row.key: None for row in network.transformations}
        return Proposal(weights | {row.key: 1.0 for row in rows[:1]} | {row.key: 0.0 for row in rows[1:]})


STRICT = Alphabetical(Settings(most=1))
'''


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


def test_the_shipped_ones_are_registered() -> None:
    assert {"fixed-repeats", "connectivity", "radial-growth", "optimal-design", "committee"} <= set(strategy_names())
    for name in strategy_names():
        assert make_strategy(name).settings == type(make_strategy(name)).default_settings()


def test_a_file_of_ones_own(own: Path) -> None:
    loaded = load_strategy(f"{own}:Alphabetical", {"most": 5})
    fixed = load_strategy(f"{own}:STRICT")
    proposal = loaded.strategy.propose(state_of(legs_of(fan(2, 1))))

    assert [key for key, weight in proposal.weights.items() if weight] == [
        "Transformation-000complex",
        "Transformation-000solvent",
    ]
    assert loaded.source == "own.py:Alphabetical"
    assert fixed.strategy.settings.most == 1


def test_a_digest_follows_code_and_settings(own: Path) -> None:
    one = load_strategy(f"{own}:Alphabetical")
    again = load_strategy(f"{own}:Alphabetical")
    other = load_strategy(f"{own}:Alphabetical", {"most": 3})
    own.write_text(OWN + "\n# changed\n")
    changed = load_strategy(f"{own}:Alphabetical")

    assert one.digest == again.digest
    assert len({one.digest, other.digest, changed.digest}) == 3
    assert len(one.digest) == 64


def test_an_object_of_ones_own() -> None:
    loaded = load_strategy(Connectivity(ConnectivitySettings(max_runs=7)))

    assert loaded.source == "alchemiscale_lake.strategies.connectivity:Connectivity"
    assert loaded.digest == load_strategy("connectivity", {"max_runs": 7}).digest
    assert loaded.digest != load_strategy("connectivity").digest


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nonsense", "there is no Strategy 'nonsense'; installed are"),
        ("fixed-repeat", "there is no Strategy 'fixed-repeat'; did you mean 'fixed-repeats'"),
        ("own.py", "name a Strategy that the file defines, as in own.py:MyStrategy"),
        ("{folder}/missing.py:A", "cannot be read: No such file"),
        ("{folder}/own.py:Missing", "has no 'Missing'"),
        ("{folder}/own.py:Settings", "is not a Strategy"),
        ("{folder}/latin.py:A", "is not UTF-8"),
        ("{folder}/broken.py:A", "cannot be run: ZeroDivisionError"),
    ],
)
def test_what_cannot_be_loaded_says_why(own: Path, source: str, words: str) -> None:
    (own.parent / "broken.py").write_text("1 / 0\n")
    (own.parent / "latin.py").write_bytes(b"# coding: latin-1\nA = '\xe9'\n")

    with pytest.raises(StrategyError, match=words):
        load_strategy(source.format(folder=own.parent))


def test_wrong_settings_say_which(own: Path) -> None:
    with pytest.raises(StrategyError, match="settings of connectivity: decay_rate: Input should be less than 1"):
        make_strategy("connectivity", {"decay_rate": 2.0})
    with pytest.raises(StrategyError, match="settings of connectivity: there is no 'decay'; did you mean 'decay_rate'"):
        make_strategy("connectivity", {"decay": 2.0})
    with pytest.raises(StrategyError, match="there is no 'x'; there are goals, stop, "):
        make_strategy("optimal-design", {"x": 2.0})
    with pytest.raises(StrategyError, match=r"stop: '{a: 1}' is text; give it as JSON"):
        make_strategy("optimal-design", {"stop": "{a: 1}"})
    with pytest.raises(StrategyError, match="an object with settings of its own"):
        load_strategy(f"{own}:STRICT", {"most": 2})
    with pytest.raises(StrategyError, match="an object with settings of its own"):
        load_strategy(Connectivity(), {"max_runs": 2})
    with pytest.raises(StrategyError, match="Connectivity needs ConnectivitySettings, not RadialGrowthSettings"):
        Connectivity(make_strategy("radial-growth").settings)
