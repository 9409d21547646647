"""Receipts come back as they were packed, and nothing else passes for one."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from alchemiscale_lake.errors import ReceiptError
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.schemas import receipt as receipt_module
from alchemiscale_lake.schemas.envelope import open_envelope, seal
from alchemiscale_lake.schemas.receipt import Receipt, pack_receipt, problems_of_all, read_payload, unpack_receipt
from tests.plain import plain_receipt

SPEC = AttemptSpec("a1", "Task-1-o-c-p", "Transformation-1-o-c-p", "o-c-p")
SECRET = "5" * 64


def payload_of(receipt: Receipt) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(open_envelope(pack_receipt(receipt, SECRET)).payload)
    return said


def test_a_receipt_comes_back_as_it_was_packed() -> None:
    receipt = plain_receipt(SPEC)
    back = unpack_receipt(pack_receipt(receipt, SECRET))
    assert back.attempt == "a1"
    for given, read in ((receipt.result, back.result), (receipt.units[0], back.units[0]), (receipt.host, back.host)):
        assert {k: v for k, v in given.items() if v is not None} == {k: v for k, v in read.items() if v is not None}
    assert len(back.units) == len(back.files) == 1


def test_a_host_is_checked_once_and_a_bad_one_never_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    original = receipt_module.problems_of
    monkeypatch.setattr(receipt_module, "problems_of", lambda s, rows: checked.append(s.name) or original(s, rows))
    monkeypatch.setattr(receipt_module, "_fitting_hosts", set())
    good = plain_receipt(SPEC)
    bad = replace(good, host={**good.host, "n_cores": None})

    assert not good.problems()
    assert not good.problems()
    assert checked.count("hosts") == 1
    for _ in range(2):
        assert "n_cores" in str(bad.problems())
        assert problems_of_all([good, bad])[0] == []
        assert "n_cores" in str(problems_of_all([good, bad])[1])


def test_every_bit_of_a_receipt_counts() -> None:
    whole = pack_receipt(plain_receipt(SPEC), SECRET)
    draw = random.Random(1)
    for i in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[i // 8] ^= 1 << i % 8
        assert not is_signed(bytes(flipped))
    for _ in range(3000):
        start, n = draw.randrange(len(whole)), draw.randrange(1, 64)
        inserted = whole[:start] + draw.randbytes(n) + whole[start:]
        for changed in (whole[:start], whole[start + 1 :], whole[:start] + whole[start + n :], inserted):
            with pytest.raises(ReceiptError):
                unpack_receipt(changed)


def is_signed(data: bytes) -> bool:
    try:
        return open_envelope(data).is_signed_with(SECRET)
    except ReceiptError:
        return False


@pytest.mark.parametrize("data", [b"", b"\0" * 5000, b"ARROW1\0\0", b"{}", b"alchemiscale-lake receipt 2\n"])
def test_foreign_bytes_are_not_a_receipt(data: bytes) -> None:
    with pytest.raises(ReceiptError):
        unpack_receipt(data)


Edit = Callable[[dict[str, Any]], object]
BAD: dict[str, Edit] = {
    "negative uncertainty": lambda r: r["result"].update(uncertainty_kcal_mol=-0.1),
    "NaN": lambda r: r["result"].update(estimate_kcal_mol=float("nan")),
    "infinite": lambda r: r["result"].update(estimate_kcal_mol=float("inf")),
    "infinite as integer": lambda r: r["result"].update(estimate_kcal_mol=10**400),
    "ended before it started": lambda r: r["result"].update(ended_at="2001-01-01T00:00:00+00:00"),
    "no time zone": lambda r: r["result"].update(ended_at="2031-01-01T00:00:00"),
    "year 9999": lambda r: r["result"].update(ended_at="9999-01-01T00:00:00+00:00"),
    "no start": lambda r: r["result"].pop("started_at"),
    "null in a required column": lambda r: r["result"].update(task=None),
    "good without object": lambda r: r["result"].update(object_path=None),
    "failed without reason": lambda r: r["units"][0].update(ok=False, exception=None),
    "number as text": lambda r: r["result"].update(wall_time_s="long"),
    "text as number": lambda r: r["result"].update(pool=3),
    "truth as number": lambda r: r["result"].update(n_units=True),
    "number as truth": lambda r: r["result"].update(ok=1),
    "fraction as integer": lambda r: r["result"].update(n_units=1.5),
    "65 bits": lambda r: r["result"].update(n_units=2**63),
    "lone surrogate": lambda r: r["result"].update(pool="\ud800"),
    "NUL": lambda r: r["result"].update(pool="a\0b"),
    "list for a row": lambda r: r.update(result=[]),
    "no host": lambda r: r.pop("host"),
    "units as text": lambda r: r.update(units="none"),
    "unit as number": lambda r: r["units"].append(7),
    "files missing": lambda r: r.pop("files"),
    "host without cores": lambda r: r["host"].update(n_cores=None),
}


@pytest.mark.parametrize("edit", BAD.values(), ids=BAD.keys())
def test_a_receipt_that_breaks_a_rule_is_refused(edit: Edit) -> None:
    said = payload_of(plain_receipt(SPEC))
    edit(said)
    with pytest.raises(ReceiptError):
        read_payload(json.dumps(said).encode())


@pytest.mark.parametrize("payload", [b"[" * 200_000, b'{"a":' * 200_000, b"1" * 10_000, b"\xff\xfe", b"null", b""])
def test_payloads_that_are_not_receipts_are_refused(payload: bytes) -> None:
    with pytest.raises(ReceiptError):
        read_payload(payload)


def _places(said: Any) -> list[tuple[Any, Any]]:
    keys = list(said) if isinstance(said, dict) else range(len(said)) if isinstance(said, list) else ()
    return [place for key in keys for place in ((said, key), *_places(said[key]))]


def test_no_shape_of_payload_does_anything_but_be_refused() -> None:
    """What a hostile worker signs is read, or refused with a ReceiptError; nothing else is ever raised."""
    draw, good = random.Random(2), payload_of(plain_receipt(SPEC, ok=False))
    values: list[Any] = [
        None,
        True,
        -1,
        2**64,
        -(2**63),
        0.5,
        1e308,
        "",
        "x" * 300,
        "\ud800",
        "2025-01-01",
        [],
        {},
        [[]],
    ]
    n_read = 0
    for _ in range(2000):
        said = copy.deepcopy(good)
        for _ in range(draw.randrange(1, 4)):
            holder, key = draw.choice(_places(said))
            if draw.random() < 0.2:
                del holder[key]
            else:
                holder[key] = copy.deepcopy(draw.choice(values))
            if not _places(said):
                break
        try:
            receipt = unpack_receipt(seal(json.dumps(said).encode(), SECRET))
        except ReceiptError:
            continue
        n_read += 1
        assert receipt.problems() == []
        assert unpack_receipt(pack_receipt(receipt, SECRET)).result == receipt.result
    assert n_read > 50


def test_a_receipt_with_a_bad_value_is_not_packed() -> None:
    good = plain_receipt(SPEC)
    for column, value in {"wall_time_s": "long", "estimate_kcal_mol": float("nan"), "pool": "\udc80"}.items():
        with pytest.raises(ReceiptError, match="a1"):
            pack_receipt(Receipt({**good.result, column: value}, good.units, good.files, good.host), SECRET)


def test_additional_fields_of_a_newer_worker_are_ignored() -> None:
    said = payload_of(plain_receipt(SPEC))
    said["result"]["news"] = said["more"] = {"x": 1}
    assert read_payload(json.dumps(said).encode()).attempt == "a1"


def test_times_without_zone_are_utc() -> None:
    good = plain_receipt(SPEC)
    naive = {k: v.replace(tzinfo=None) if isinstance(v, datetime) else v for k, v in good.result.items()}
    back = unpack_receipt(pack_receipt(Receipt(naive, good.units, good.files, good.host), SECRET))
    assert back.result["started_at"] == good.result["started_at"].astimezone(UTC)
