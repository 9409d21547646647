"""Which generation of gufe the tests run on, and the mark of those that need the newer one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from gufe.tokenization import GufeTokenizable

from alchemiscale_lake.gufe_adapter import gufe_version

Test = TypeVar("Test", bound=Callable[..., object])

#: Whether the installed gufe is of the generation that openfe uses.
GUFE1 = hasattr(GufeTokenizable, "to_keyed_chain")


def gufe1(test: Test) -> Test:
    """Mark a test as needing gufe >= 1, and skip it elsewhere."""
    reason = f"needs gufe >= 1, which conda-forge has; this is {gufe_version()}"
    return pytest.mark.gufe1(pytest.mark.skipif(not GUFE1, reason=reason)(test))
