"""Every test that a page names as evidence exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_NAMED = re.compile(r"`((?:[a-z0-9_]+/)*test_[a-z0-9_]+\.py)(?:::(test_[a-z0-9_]+))?`")


@pytest.mark.parametrize("page", ["security.md", "the-lake.md"])
def test_the_tests_that_a_page_names_exist(page: str) -> None:
    named = set(_NAMED.findall((ROOT / "docs" / page).read_text()))

    missing = [
        f"{file}::{test}"
        for file, test in sorted(named)
        if not (path := ROOT / "tests" / file).is_file() or (test and f"def {test}(" not in path.read_text())
    ]

    assert len(named) > 10
    assert missing == []


def test_every_claim_of_the_security_page_names_its_test() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    claims = [
        line
        for section in page.split("\n## ")[1:]
        if not section.startswith(("Who is trusted", "What is left"))
        for line in section.splitlines()
        if line.startswith("| ") and not line.startswith(("| claim", "| ---"))
    ]

    assert len(claims) > 20
    assert [line for line in claims if not _NAMED.search(line)] == []
