"""The generation of gufe that the tests run on, and marks of tests that need a certain environment."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable
from typing import TypeVar

import pytest
from gufe.tokenization import GufeTokenizable

from alchemiscale_lake.gufe_adapter import gufe_version

Test = TypeVar("Test", bound=Callable[..., object])

#: Whether the installed gufe is of the generation used by openfe.
GUFE1 = hasattr(GufeTokenizable, "to_keyed_chain")


def gufe1(test: Test) -> Test:
    """Mark a test as needing gufe >= 1, and skip it elsewhere."""
    reason = f"needs gufe >= 1, which conda-forge has; this is {gufe_version()}"
    return pytest.mark.gufe1(pytest.mark.skipif(not GUFE1, reason=reason)(test))


def without_openfe(test: Test) -> Test:
    """Mark a test about a missing openfe."""
    is_here = importlib.util.find_spec("openfe") is not None
    return pytest.mark.skipif(is_here, reason="openfe is installed here")(test)


def cinnabar_0_2(test: Test) -> Test:
    """Mark a test as comparing with functions that later versions of cinnabar changed or removed."""
    version = importlib.metadata.version("cinnabar")
    is_other = not version.startswith("0.2.")
    return pytest.mark.skipif(is_other, reason=f"compares with cinnabar 0.2; this is {version}")(test)
