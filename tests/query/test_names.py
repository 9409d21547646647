"""Scopes and ScopedKeys that do not exist are refused with what was probably meant, from Python too."""

from __future__ import annotations

from pathlib import Path

import pytest

import alchemiscale_lake
from alchemiscale_lake.errors import AmbiguousScopeError, InvalidScopeError, NotFoundError
from alchemiscale_lake.query import find_network, find_networks, new_scope_note
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, Campaign, small_campaign
from tests.lakes import new_lake

KEY = f"AlchemicalNetwork-tyk2-{SCOPE}"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return small_campaign(tmp_path_factory.mktemp("names") / "lake").lake


@pytest.mark.parametrize("scopes", ["org-campaign-projekt", [SCOPE, "org-campain-*"]])
def test_connect_refuses_a_scope_without_networks(lake: Lake, scopes: str | list[str]) -> None:
    with pytest.raises(NotFoundError, match=r"there is no network in Scope .*; did you mean 'org-campaign-"):
        alchemiscale_lake.connect(lake, scopes)
    with pytest.raises(InvalidScopeError):
        alchemiscale_lake.connect(lake, "org-campaign")


def test_an_empty_lake_can_be_connected_to_with_any_scope(tmp_path: Path) -> None:
    assert alchemiscale_lake.connect(Lake.create(tmp_path / "lake"), SCOPE).sql("from networks").fetchall() == []


def test_a_name_in_place_of_a_scoped_key_is_refused_with_the_key(lake: Lake) -> None:
    con = alchemiscale_lake.connect(lake)
    said = f"'tyk2' is a name, not a ScopedKey: give {KEY}, which `find_network` returns"

    with pytest.raises(NotFoundError, match=said):
        alchemiscale_lake.rank_network(con, "tyk2")
    with pytest.raises(NotFoundError, match=said):
        alchemiscale_lake.ask(con, "latest_edges", network="tyk2")
    with pytest.raises(NotFoundError, match=said):
        alchemiscale_lake.compare(con, network="tyk2")
    with pytest.raises(NotFoundError, match=r"no network has the ScopedKey .*; did you mean"):
        alchemiscale_lake.rank_network(con, f"AlchemicalNetwork-tyk3-{SCOPE}")


def test_a_known_network_without_rows_is_no_mistake(lake: Lake) -> None:
    assert alchemiscale_lake.ask(alchemiscale_lake.connect(lake), "latest_edges", network=KEY).is_empty()


def test_find_network_suggests_the_scope_that_was_meant(lake: Lake) -> None:
    with pytest.raises(NotFoundError, match=r"no network in Scope org-campaign-projekt; did you mean"):
        find_network(lake, "tyk2", scope="org-campaign-projekt")


@pytest.mark.parametrize("text", ["", "A", "AlchemicalNetwork-"])
def test_text_that_begins_every_key_finds_no_network(lake: Lake, text: str) -> None:
    """As an unset variable of a shell would, in `networks set-state "$NETWORK" deleted`."""
    with pytest.raises(NotFoundError, match="no network has the name or ScopedKey"):
        find_network(lake, text)
    assert find_network(lake, KEY[: len("AlchemicalNetwork-") + 1]) == KEY


def test_only_very_similar_new_scopes_are_asked_about(lake: Lake) -> None:
    assert new_scope_note(lake, "org-campaign-projct") == (
        "org-campaign-projct is a new Scope; did you mean 'org-campaign-project'?"
    )
    assert new_scope_note(lake, "org-campaign-mcl1") is None
    assert new_scope_note(lake, SCOPE) is None


def test_a_name_after_its_scope_finds_one_of_several(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    places = [(f"org-campaign-{where}", name) for where in ("one", "two") for name in ("tyk2", "jacs/my tyk2")]
    for scope, name in places:
        Campaign(lake).network(name, [], scope=scope)

    for scope, name in places:
        assert find_network(lake, f"{scope}/{name}") == f"AlchemicalNetwork-{name}-{scope}"
    with pytest.raises(NotFoundError, match="did you mean 'org-campaign-two/tyk2'"):
        find_network(lake, "org-campaign-two/tik2")


@pytest.mark.parametrize(("n", "listed"), [(1, "tyk2 --scope org-campaign-one"), (2, "org-campaign-one/tyk2")])
def test_several_networks_are_listed_as_one_command_takes_them(tmp_path: Path, n: int, listed: str) -> None:
    lake = new_lake(tmp_path / "lake")
    for scope in ("org-campaign-one", "org-campaign-two"):
        Campaign(lake).network("tyk2", [], scope=scope)

    with pytest.raises(AmbiguousScopeError) as found:
        find_networks(lake, ["tyk2"] * n)

    first, *lines = str(found.value).splitlines()
    assert (first, lines[0]) == ("'tyk2' matches 2 networks; give one of these:", f"  {listed}")
    if n > 1:
        assert find_networks(lake, [line.strip() for line in lines]) == found.value.facts["candidates"]
