"""Members of networks, and keys that the lake does not have."""

from __future__ import annotations

import pytest

from alchemiscale_lake.errors import NotFoundError
from alchemiscale_lake.statestore.network_members import (
    network_transformations,
    require_networks,
    require_transformations,
)
from tests.campaign import SCOPE, Campaign

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    campaign = Campaign.at(tmp_path_factory.mktemp("members") / "lake")
    campaign.network("one", [("a", "b"), ("b", "c")])
    campaign.network("two", [("b", "c")], scope="org-campaign-other")
    return campaign


def test_transformations_of_a_network_are_sorted_and_those_of_its_scope(campaign: Campaign) -> None:
    found = network_transformations(campaign.lake, f"AlchemicalNetwork-one-{SCOPE}")

    assert found == [f"Transformation-a_b_other-{SCOPE}", f"Transformation-b_c_other-{SCOPE}"]
    require_transformations(campaign.lake, [*found, "Transformation-b_c_other-org-campaign-other"])
    require_transformations(campaign.lake, [])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            f"Transformation-{TOKEN}-{SCOPE}",
            "1 Transformation is not in the lake, such as .*; submit their network first",
        ),
        ("Transformation-a_b_other-org-campaign-other", "1 Transformation is not in the lake"),
        (f"Task-{TOKEN}-{SCOPE}", f"Task-{TOKEN}-{SCOPE} is the key of a Task, not of a Transformation"),
        (f"AlchemicalNetwork-{TOKEN}-{SCOPE}", "is the key of a network, not of a Transformation"),
    ],
)
def test_what_is_no_transformation_of_the_lake_is_refused(campaign: Campaign, key: str, message: str) -> None:
    with pytest.raises(NotFoundError, match=message):
        require_transformations(campaign.lake, [f"Transformation-a_b_other-{SCOPE}", key])


def test_networks_that_are_not_in_the_lake_are_refused(campaign: Campaign) -> None:
    require_networks(campaign.lake, [f"AlchemicalNetwork-one-{SCOPE}"])

    with pytest.raises(NotFoundError, match="AlchemicalNetwork-three"):
        require_networks(campaign.lake, [f"AlchemicalNetwork-one-{SCOPE}", f"AlchemicalNetwork-three-{SCOPE}"])
    with pytest.raises(NotFoundError):
        network_transformations(campaign.lake, f"AlchemicalNetwork-three-{SCOPE}")
