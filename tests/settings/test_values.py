"""Values of a pools file: amounts with units, names, kinds."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from alchemiscale_lake.settings.values import (
    OWN_KINDS,
    Bytes,
    ClassName,
    ClassNameOrAny,
    PoolKind,
    PoolName,
    ScopePattern,
    Seconds,
    SettingsModel,
    Share,
    refuse,
)


def parsed(kind: Any, value: Any) -> Any:
    return TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        (Seconds, "2 min", 120.0),
        (Bytes, "8GiB", 2**33),
        (Bytes, 2**20, 2**20),
        (ScopePattern, "org-*-*", "org-*-*"),
        (ClassName, "HarmonicProtocol", "HarmonicProtocol"),
        (ClassNameOrAny, "*", "*"),
        (PoolName, "gpu-nodes_1", "gpu-nodes_1"),
        (Share, 1, 1.0),
    ],
)
def test_values_are_read(kind: Any, value: Any, result: Any) -> None:
    assert parsed(kind, value) == result


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (Seconds, 0, "greater than 0"),
        (Bytes, 8, "less than 1MiB; give the unit, as in 8GiB"),
        (Bytes, "1MB", "1MB is less than 1MiB [type="),
        (ScopePattern, "org-campaign", "org-campaign"),
        (ClassName, "openfe.protocols.Hybrid", "omit the module"),
        (ClassName, "*", "not a class name"),
        (PoolName, "1st", "pattern"),
        (PoolName, "x" * 64, "63"),
        (PoolKind, "slrum", "'local', 'slurm'"),
        (Share, True, "true is not allowed here"),
        (Share, 1.1, "less than or equal to 1"),
    ],
)
def test_mistakes_are_named(kind: Any, value: Any, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parsed(kind, value)
    assert words in str(caught.value)


@pytest.mark.parametrize("kind", OWN_KINDS)
def test_own_kinds_need_no_plugin(kind: str) -> None:
    assert parsed(PoolKind, kind) == kind


def test_all_mistakes_are_reported_at_once_and_none_is_no_error() -> None:
    refuse([])
    with pytest.raises(ValueError, match=r"^a: one\nb: two$"):
        refuse([("a", "one"), ("b", "two")])


def test_models_are_frozen_and_know_no_other_keys_or_booleans() -> None:
    class Model(SettingsModel):
        n: int = 1

    for keys in ({"m": 1}, {"n": False}):
        with pytest.raises(ValidationError):
            Model.model_validate(keys)
    with pytest.raises(ValidationError, match="frozen"):
        Model().n = 2  # type: ignore[misc]
