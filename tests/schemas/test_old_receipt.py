"""Receipts of earlier versions, bare Arrow files, are read, and a damaged one harms nobody."""

from __future__ import annotations

import contextlib
import random

import pytest

from alchemiscale_lake.errors import ReceiptError
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.schemas.old_receipt import is_old_receipt, read_old_receipt
from tests.plain import old_receipt, plain_receipt

SPEC = AttemptSpec("a1", "Task-1-o-c-p", "Transformation-1-o-c-p", "o-c-p")


def test_a_receipt_of_an_earlier_version_is_read() -> None:
    receipt = plain_receipt(SPEC)
    data = old_receipt(receipt)
    assert is_old_receipt(data)
    back = read_old_receipt(data)
    assert {k: v for k, v in back.result.items() if v is not None} == {
        k: v for k, v in receipt.result.items() if v is not None
    }
    assert len(back.units) == len(back.files) == 1


def test_a_damaged_one_is_refused() -> None:
    whole, draw = old_receipt(plain_receipt(SPEC)), random.Random(3)
    with pytest.raises(ReceiptError, match="earlier version"):
        read_old_receipt(whole[: len(whole) // 2])
    for _ in range(3):
        at = draw.randrange(8, len(whole))
        damaged = whole[:at] + draw.randbytes(200) + whole[at + 200 :]
        with contextlib.suppress(ReceiptError):
            assert read_old_receipt(damaged).problems() == []


def test_a_crash_while_reading_is_an_error_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alchemiscale_lake.schemas.old_receipt._READER", ("-c", "import os; os.kill(os.getpid(), 11)"))
    with pytest.raises(ReceiptError, match="-11"):
        read_old_receipt(b"ARROW1")
