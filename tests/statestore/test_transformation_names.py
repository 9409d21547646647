"""Transformations are found by the names and keys of every network that has them."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from alchemiscale_lake import create_tasks
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.cli import main
from alchemiscale_lake.errors import AmbiguousScopeError, NotFoundError
from alchemiscale_lake.statestore.calculations import key_map
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.transformation_names import find_transformation, find_transformations
from alchemiscale_lake.store import Lake
from tests.networks.chains import small_chain
from tests.statestore.test_calculations import with_names

SCOPE = "org-campaign-project"


@pytest.fixture
def aliases(lake: Lake) -> dict[str, str]:
    """Return the key map of a network whose Transformations the Scope has under other keys and names."""
    submit_network(lake, small_chain(), SCOPE, name="first")
    return key_map(lake, submit_network(lake, with_names(small_chain()), SCOPE, name="second").network)


def test_a_name_or_key_of_the_key_map_is_accepted(lake: Lake, aliases: dict[str, str]) -> None:
    own, stored = next(iter(aliases.items()))
    name = f"new {stored.removesuffix(f'-{SCOPE}')}"

    for text in (own, name, stored):
        listed = ["tasks", "create", "--network", "second", "--transformation", text, "--lake", lake.url]
        assert find_transformation(lake, text) == stored
        assert CliRunner().invoke(main, listed).exit_code == 0
    tasks = CliRunner().invoke(main, ["tasks", "--transformation", name, "--lake", lake.url])
    assert len(tasks.stdout.splitlines()) == 4


def test_create_tasks_names_the_key_under_which_it_is_stored(lake: Lake, aliases: dict[str, str]) -> None:
    own, stored = next(iter(aliases.items()))
    with pytest.raises(NotFoundError, match=f"1 Transformation is stored under another key: {stored} for {own}"):
        create_tasks(lake, [own], caller=Caller("me"))


def test_what_is_not_there_is_refused_with_what_was_meant(lake: Lake, aliases: dict[str, str]) -> None:
    with pytest.raises(NotFoundError, match="no Transformation 'ana_bobb'; did you mean 'ana_bob'"):
        find_transformations(lake, "ana_bobb")
    with pytest.raises(NotFoundError, match=r"no Transformation 'ana_bob' in Scope org-other-\*"):
        find_transformations(lake, "ana_bob", scope="org-other-*")


def test_a_name_in_two_scopes_is_ambiguous(lake: Lake) -> None:
    for scope in (SCOPE, "org-campaign-other"):
        submit_network(lake, small_chain(), scope)

    with pytest.raises(AmbiguousScopeError, match="matches 2 Transformations"):
        find_transformation(lake, "ana_bob")
    assert find_transformation(lake, "ana_bob", scope=SCOPE).endswith(SCOPE)
