"""Names of a package that are imported at first use."""

from __future__ import annotations

import sys
import types

import pytest

from alchemiscale_lake.lazy_names import lazy_names


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Return a package with one module that defines one name."""
    made, home = types.ModuleType("lazily"), types.ModuleType("lazily.home")
    home.thing = object()  # type: ignore[attr-defined]
    made.__path__ = []
    monkeypatch.setitem(sys.modules, "lazily", made)
    monkeypatch.setitem(sys.modules, "lazily.home", home)
    return made


def test_a_name_is_found_in_its_home_and_then_in_the_package(package: types.ModuleType) -> None:
    get = lazy_names("lazily", {"home": ["thing"]})

    assert get("thing") is sys.modules["lazily.home"].thing
    assert package.__dict__["thing"] is get("thing")


def test_an_unknown_name_is_an_attribute_error(package: types.ModuleType) -> None:
    with pytest.raises(AttributeError, match="module 'lazily' has no attribute 'other'"):
        lazy_names("lazily", {"home": ["thing"]})("other")
