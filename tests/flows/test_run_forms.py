"""The form in which users start a flow from the Prefect UI: every field has a description."""

from __future__ import annotations

import importlib.metadata
import inspect
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.utilities.callables import parameter_schema

from alchemiscale_lake.flow_steps.serve import DEPLOYMENTS as SERVED
from tests.flows.test_deployments import DEPLOYMENTS

ENTRIES = {entry.name: entry for entry in importlib.metadata.entry_points(group="alchemiscale_lake.flows")}
FLOWS = sorted(name for name, entry in ENTRIES.items() if entry.module.rpartition(".")[2][0] != "_")


def flow_of(name: str) -> Flow[Any, Any]:
    found = ENTRIES[name].load()
    assert isinstance(found, Flow)
    return found


def test_all_that_is_deployed_is_looked_at() -> None:
    described = yaml.safe_load((DEPLOYMENTS / "prefect.yaml").read_text())["deployments"]
    deployed = {each["entrypoint"].rpartition(".")[2].replace("_", "-") for each in described}

    assert deployed | set(SERVED) == set(FLOWS)
    assert all(each["description"] for each in described)


@pytest.mark.parametrize("name", FLOWS)
def test_every_parameter_has_a_description(name: str) -> None:
    flow = flow_of(name)

    fields = parameter_schema(flow).properties

    assert set(fields) == set(inspect.signature(flow.fn).parameters)
    described = {field: properties.get("description", "") for field, properties in fields.items()}
    assert {field: text for field, text in described.items() if len(text) < 10} == {}
    # Prefect drops what it cannot parse: a text of no parameter, or a section in another format
    listed = inspect.getdoc(flow.fn).partition("Args:\n")[2]  # type: ignore[union-attr]
    assert {line.partition(":")[0].strip() for line in listed.splitlines() if line[4:5].strip()} == set(fields)


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_is_described_in_a_line_or_two(name: str) -> None:
    flow = flow_of(name)

    assert flow.description
    assert len(flow.description) < 160
    assert "Args:" not in flow.description


def test_what_may_be_chosen_is_a_choice() -> None:
    fields = parameter_schema(flow_of("run-campaign")).properties

    assert fields["assay_kind"]["enum"] == ["binding", "hydration", "direct"]
