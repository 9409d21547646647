"""Commands within messages get the lake in use."""

from __future__ import annotations

import pytest

from alchemiscale_lake.hints import with_lake


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("none; see `alchemiscale-lake status`", "none; see `alchemiscale-lake status --lake 'my lake'`"),
        (
            "next: alchemiscale-lake gather tyk2\nand so on",
            "next: alchemiscale-lake gather tyk2 --lake 'my lake'\nand so on",
        ),
        (
            "`alchemiscale-lake tasks retry` and `alchemiscale-lake run a`",
            "`alchemiscale-lake tasks retry --lake 'my lake'` and `alchemiscale-lake run a --lake 'my lake'`",
        ),
        ("run `alchemiscale-lake maintain --lake x`", "run `alchemiscale-lake maintain --lake x`"),
        ("`alchemiscale-lake pools list` needs no lake", "`alchemiscale-lake pools list` needs no lake"),
        ("install alchemiscale-lake[flows]; written by alchemiscale-lake 0.3", None),
        ("upgrade alchemiscale-lake where Tasks are computed, too", None),
        ("next:\n  alchemiscale-lake rank a", "next:\n  alchemiscale-lake rank a --lake 'my lake'"),
    ],
)
def test_each_command_in_a_message_gets_the_lake(text: str, shown: str | None) -> None:
    assert with_lake(text, "my lake") == (text if shown is None else shown)


def test_the_default_lake_is_not_named() -> None:
    assert with_lake("see `alchemiscale-lake status`", "./lake") == "see `alchemiscale-lake status`"
    assert with_lake("see `alchemiscale-lake status`", "./lake", default="./other").endswith(" --lake ./lake`")
