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
    code = "import sys; from alchemiscale_lake.schemas import TABLES\n"
    code += "for name in ('networks', 'hosts'): TABLES[name].table(TABLES[name].sample(2).to_pylist())\n"
    code += "assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
