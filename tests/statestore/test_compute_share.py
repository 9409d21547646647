"""Share of the running Tasks of a Scope among the Scopes of its level."""

from __future__ import annotations

from pathlib import Path

import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.errors import InvalidScopeError, PermissionDeniedError
from alchemiscale_lake.ids import Scope
from alchemiscale_lake.statestore.compute_share import compute_share
from alchemiscale_lake.store import Lake
from tests.campaign import Campaign

ANA = Caller("ana")
#: Number of running Tasks.
RUNNING = {"o-c-p": 1, "o-c-q": 3, "o-d-p": 4, "n-c-p": 8}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    campaign = Campaign.at(tmp_path_factory.mktemp("share") / "lake")
    for scope, n in RUNNING.items():
        network = campaign.network("one", [("a", "b")], scope=scope)
        for task in campaign.new_tasks(network, ["a_b_other"] * (n + 1), scope=scope)[:n]:
            campaign.set_status(task, "running")
    return campaign.lake


@pytest.mark.parametrize(
    ("scope", "share"),
    [
        ("o-*-*", 8 / 16),
        ("n-*-*", 8 / 16),
        ("o-c-*", 4 / 8),
        ("o-c-p", 1 / 4),
        ("o-c-q", 3 / 4),
        ("o-d-p", 1.0),
        ("n-c-p", 1.0),
        ("n-d-*", 0.0),
        ("o-e-p", 0.0),
    ],
)
def test_among_the_scopes_beside_it(busy: Lake, scope: str, share: float) -> None:
    assert compute_share(busy, scope, caller=ANA) == share


def test_nothing_runs(tmp_path: Path) -> None:
    assert compute_share(Campaign.at(tmp_path / "lake").lake, "o-c-p", caller=ANA) == 0.0


def test_an_organisation_is_named_and_readable(busy: Lake) -> None:
    with pytest.raises(InvalidScopeError, match="name one"):
        compute_share(busy, "*-*-*", caller=ANA)
    with pytest.raises(PermissionDeniedError):
        compute_share(busy, "n-*-*", caller=Caller("ana", ((Scope("o"), "read"),)))
