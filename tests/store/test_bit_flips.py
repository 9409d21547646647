"""A content with one flipped bit is found again, any other damage is not."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.store.bit_flips import unflipped, unflipped_where

CONTENT = b'{"add":{"path":"part-0.parquet","size":1234}}'


def flipped(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")


@given(st.integers(0, 8 * len(CONTENT) - 1))
def test_any_flipped_bit_is_flipped_back(bit: int) -> None:
    damaged = flipped(CONTENT, bit)

    assert unflipped(damaged, hashlib.sha256(CONTENT).hexdigest()) == CONTENT
    assert unflipped_where(damaged, lambda data: data == CONTENT) == CONTENT


def test_two_flipped_bits_and_missing_bytes_are_not_repaired() -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()

    assert unflipped(flipped(flipped(CONTENT, 3), 77), digest) is None
    assert unflipped(CONTENT[:-1], digest) is None
    assert unflipped_where(CONTENT[:-1], lambda data: data == CONTENT) is None


def test_long_contents_are_not_searched() -> None:
    long = bytes(4 * 1024 + 1)

    assert unflipped_where(flipped(long, 0), lambda data: data == long) is None
    assert unflipped(bytes(48 * 1024 + 1), "") is None
