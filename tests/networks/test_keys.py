"""Keys and content: objects written by gufe >= 1 are verified, those edited afterwards are rejected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from alchemiscale_lake.errors import InvalidNetworkError
from alchemiscale_lake.networks import read_network
from alchemiscale_lake.networks.keys import is_verified, unverified_keys
from alchemiscale_lake.networks.nested import gufe_token
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from tests.networks.chains import small_chain, text
from tests.real_data import real_file

SCOPE = "org-campaign-project"


def keyed(chain: list[Any]) -> list[Any]:
    """Give every object of a chain, dependencies first, the key that gufe >= 1 would compute."""
    keys: dict[str, str] = {}

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            if ":gufe-key:" in value:
                return {":gufe-key:": keys[value[":gufe-key:"]]}
            return {name: renamed(item) for name, item in value.items()}
        return [renamed(item) for item in value] if isinstance(value, list) else value

    made = []
    for key, fields in chain:
        fields = renamed(json.loads(json.dumps(fields)))
        keys[key] = f"{fields['__qualname__']}-{gufe_token(fields)}"
        made.append([keys[key], fields])
    return made


def edited(chain: list[Any], qualname: str) -> list[Any]:
    """Change one object of a class and keep its key."""
    changed = json.loads(json.dumps(chain))
    fields = next(fields for _, fields in changed if fields["__qualname__"] == qualname)
    fields["edited"] = "by hand"
    return list(changed)


@pytest.mark.parametrize("name", ["jacs_network.json.zst", "tyk2_network.json"])
def test_every_object_that_openfe_wrote_is_verified(name: str) -> None:
    assert unverified_keys(read_network(real_file(name))) == ()


@pytest.mark.parametrize(
    "qualname", ["SmallMoleculeComponent", "ProteinComponent", "RelativeHybridTopologyProtocol", "Transformation"]
)
def test_an_edited_file_of_openfe_is_refused_naming_the_object(tmp_path: Path, qualname: str) -> None:
    chain = json.loads(zstandard.decompress(real_file("jacs_network.json.zst").read_bytes()))
    file = tmp_path / "network.json"
    file.write_text(json.dumps(edited(chain, qualname)))
    lake = Lake.create(tmp_path / "lake")

    with pytest.raises(InvalidNetworkError, match=rf"network\.json: {qualname}-\w+ does not match its key"):
        submit_network(lake, file, SCOPE)

    assert not len(lake.table("gufe_objects").scan().collect())


def test_a_network_made_of_transformations_is_verified() -> None:
    chain = keyed(small_chain()[:-1])
    network = read_network(text(chain).encode())

    assert is_verified(network.key, network.objects[network.key].keyed_dict)


def test_keys_of_gufe_0_4_are_unverified_and_not_refused(tmp_path: Path) -> None:
    submission = submit_network(Lake.create(tmp_path / "lake"), text(small_chain()).encode(), SCOPE)

    assert submission.n_unverified == submission.n_objects


def test_where_two_contents_have_one_key_the_genuine_one_is_named(tmp_path: Path) -> None:
    genuine = keyed(small_chain())
    # of a class with unknown defaults, in a file in which most keys are unverified: accepted unchanged
    strange = [[key, {**fields, "edited": "by hand"}] for key, fields in genuine]
    first, second = Lake.create(tmp_path / "first"), Lake.create(tmp_path / "second")
    submit_network(first, text(strange).encode(), SCOPE)
    submit_network(second, text(genuine).encode(), SCOPE)

    with pytest.raises(InvalidNetworkError, match="the stored one was edited by hand"):
        submit_network(first, text(genuine).encode(), SCOPE)
    with pytest.raises(InvalidNetworkError, match="this one was edited by hand"):
        submit_network(second, text(strange).encode(), SCOPE)
