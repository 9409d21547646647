"""Files are called after their network, and never after another."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alchemiscale_lake.report.file_names import file_stem
from alchemiscale_lake.store import Lake
from tests.campaign import SCOPE, T0


def store(lake: Lake, name: str | None, n: int, scope: str = SCOPE) -> str:
    network = f"AlchemicalNetwork-{n:032x}-{scope}"
    row = {"scope": scope, "network": network, "key": f"AlchemicalNetwork-{n:032x}", "name": name}
    row |= {"n_transformations": 1, "n_systems": 2, "creator": "ada", "created_at": T0 + timedelta(hours=n)}
    lake.table("networks").append_new([row])
    return network


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("tyk2", "tyk2"),
        ("../../etc/passwd", "etc_passwd"),
        ("a b/c:d", "a_b_c_d"),
        ("", "network"),
        (None, "network"),
        ("…", "network"),
        ("Bindungsaffinität", "Bindungsaffinität"),
        ("x" * 300, "x" * 80),
    ],
)
def test_a_name_becomes_that_of_a_file(lake: Lake, name: str | None, stem: str) -> None:
    assert file_stem(lake, store(lake, name, 1)) == stem


def test_a_later_network_of_the_same_name_changes_no_earlier_one(lake: Lake) -> None:
    first = store(lake, "tyk2", 5)
    elsewhere = store(lake, "TYK2", 6, "org-campaign-other")
    second = store(lake, "tyk2", 7)

    assert file_stem(lake, first) == "tyk2"
    assert file_stem(lake, elsewhere) == "TYK2-2"
    assert file_stem(lake, second) == "tyk2-3"
    assert file_stem(lake, second, in_scope=True) == "tyk2-2"
    assert file_stem(lake, elsewhere, in_scope=True) == "TYK2"
