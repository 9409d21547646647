"""What is left to compute of a network that is not submitted yet."""

from __future__ import annotations

import polars as pl

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.costs.remaining_work import Remaining, remaining_of_file
from alchemiscale_lake.networks import read_network
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake, now_utc
from tests.networks.chains import Chain, small_chain
from tests.statestore.test_calculations import SCOPE, with_metadata, with_names


def left(lake: Lake, chain: Chain) -> Remaining:
    network = read_network([[key, fields] for key, fields in chain])
    return remaining_of_file(lake, network, SCOPE, tasks_per_transformation=2, now=now_utc())


def test_calculations_known_under_other_keys_are_not_new(lake: Lake) -> None:
    stored = submit_network(lake, small_chain(), SCOPE).network
    ensure_tasks(lake, stored, 1, caller=Caller("me"))
    same = left(lake, small_chain())
    assert same.rows.select(pl.col("n_waiting").sum(), pl.col("n_new").sum()).row(0) == (1, 1)
    for other in (with_metadata(small_chain()), with_names(small_chain())):
        assert left(lake, other).rows["transformation"].to_list() == same.rows["transformation"].to_list()
        assert left(lake, other).n_tasks == same.n_tasks


def test_a_new_network_is_all_new(lake: Lake) -> None:
    assert left(lake, small_chain()).rows["n_new"].to_list() == [2]
