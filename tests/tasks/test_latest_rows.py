from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.tasks import latest_rows
from alchemiscale_lake.tasks.latest_rows import LatestRows

_CHANGES = st.lists(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3), min_size=1), max_size=8)


def frame(values: dict[str, int]) -> pl.DataFrame:
    return pl.DataFrame({"key": list(values), "value": list(values.values())}, schema={"key": str, "value": int})


@pytest.mark.parametrize("few", [0, 3, 1000])
@given(changes=_CHANGES, looked=st.sets(st.integers(0, 7)))
def test_it_has_the_last_row_of_each_key(few: int, changes: list[dict[str, int]], looked: set[int]) -> None:
    """Whether or not rows were merged meanwhile; the changed ones last."""
    expected: dict[str, int] = {}
    rows = LatestRows.of(frame({}), "key")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latest_rows, "_FEW", few)
        for number, changed in enumerate(changes):
            rows = rows.replaced_by(frame(changed))
            expected = {key: value for key, value in expected.items() if key not in changed} | changed
            assert rows.where(pl.col("value") > 1).equals(frame({k: v for k, v in expected.items() if v > 1}))
            if number in looked:
                assert rows.whole.equals(frame(expected))
    assert rows.whole.equals(frame(expected))


def test_a_change_leaves_other_rows_where_they_are() -> None:
    rows = LatestRows.of(frame({str(n): n for n in range(50_000)}), "key")
    after = rows.replaced_by(frame({"7": 0})).replaced_by(frame({"8": 0, "new": 1}))
    assert after.rows is rows.rows
    assert after.where(pl.col("key").is_in(["7", "8", "9", "new"])).rows() == [("9", 9), ("7", 0), ("8", 0), ("new", 1)]
    assert rows.whole.height == 50_000, "earlier states stay as they were"
