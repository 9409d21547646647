from __future__ import annotations

import subprocess
import sys
from datetime import UTC
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.schemas._base import (
    BINARY,
    BOOL,
    FLOAT,
    INT,
    STRING,
    STRINGS,
    TIME,
    _array,
    _checked_array,
)


@given(
    column=st.one_of(
        st.tuples(st.just(STRING), st.lists(st.none() | st.text())),
        st.tuples(st.just(INT), st.lists(st.none() | st.integers() | st.floats() | st.booleans())),
        st.tuples(st.just(FLOAT), st.lists(st.none() | st.floats() | st.integers(-(2**53), 2**53))),
        st.tuples(st.just(BOOL), st.lists(st.none() | st.booleans() | st.integers(0, 1))),
        st.tuples(st.just(BINARY), st.lists(st.none() | st.binary() | st.text())),
        st.tuples(st.just(TIME), st.lists(st.none() | st.datetimes(timezones=st.just(UTC)) | st.dates())),
        st.tuples(st.just(STRINGS), st.lists(st.none() | st.lists(st.none() | st.text() | st.integers()))),
    )
)
def test_columns_are_what_arrow_makes_of_their_values(column: tuple[pa.DataType, list[Any]]) -> None:
    kind, values = column
    try:
        wanted = _checked_array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeError) as e:
        with pytest.raises(type(e)):
            _array(values, kind)
    else:
        found = _array(values, kind)
        assert found.type == wanted.type
        # NaN equals nothing, so bytes are compared
        assert str(found.to_pylist()) == str(wanted.to_pylist())


def test_rows_are_made_into_columns_without_pandas() -> None:
    code = """
import sys
from datetime import UTC, datetime
from alchemiscale_lake.schemas._base import STRING, STRINGS, TIME, Column, TableSchema
columns = (Column("n", STRING, "N.", choices=("a", "b")), Column("t", TIME, "T."), Column("s", STRINGS, "S."))
schema = TableSchema(name="x", doc="X.", columns=columns, key=("n",))
schema.table([{"n": "a", "t": datetime.now(UTC), "s": ["b", "c"]}])
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
