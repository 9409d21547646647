"""What takes too long for every run: `make test-long` runs it, `make test` a smaller number of the same."""

from __future__ import annotations

import pytest

__all__ = ["LONG"]

#: Marks of a parameter or a test that takes minutes to hours.
LONG = [pytest.mark.long, pytest.mark.timeout(6 * 3600)]
