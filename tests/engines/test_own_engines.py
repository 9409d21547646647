"""The engines of this package, as their entry points name them."""

from __future__ import annotations

from alchemiscale_lake.engines import own_engines
from alchemiscale_lake.engines.registry import Engine
from alchemiscale_lake.plugins import plugin_names
from alchemiscale_lake.settings.values import ENGINES, OWN_KINDS


def test_every_kind_of_pool_has_an_entry_point() -> None:
    assert set(OWN_KINDS) <= set(plugin_names(ENGINES))


def test_what_continues_without_a_dispatcher_and_what_writes_job_scripts() -> None:
    engines: dict[str, Engine] = {name: getattr(own_engines, name) for name in own_engines.__all__}

    assert {name for name, one in engines.items() if one.durable} == {"WORK_POOL"}
    assert {name for name, one in engines.items() if one.needs_prefect} == {"WORK_POOL"}
    assert {name for name, one in engines.items() if one.job_script is not None} == {"QUEUE"}
    assert {name for name, one in engines.items() if one.open_once is None} == {"LOCAL"}
