"""Whatever a Protocol returns, its attempt leaves a receipt that can be recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.sound_receipt import pack_sound_receipt, plain_path, sound_receipt
from alchemiscale_lake.schemas import receipt as receipt_module
from alchemiscale_lake.schemas.receipt import pack_receipt, unpack_receipt
from tests.execution.bench import Bench
from tests.execution.scripted import scripted
from tests.plain import plain_receipt

SPEC = AttemptSpec("a1", "Task-1-o-c-p", "Transformation-1-o-c-p", "o-c-p")


def test_a_sound_receipt_stays_as_it_is() -> None:
    receipt = plain_receipt(SPEC)
    assert sound_receipt(receipt) == receipt


def test_a_sound_receipt_is_packed_with_one_check_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    good = plain_receipt(SPEC)
    checks: list[str] = []
    real = receipt_module.problems_of
    monkeypatch.setattr(
        receipt_module, "problems_of", lambda schema, rows: checks.append(schema.name) or real(schema, rows)
    )

    data = pack_sound_receipt(good, "secret")

    assert len(checks) == len(set(checks)) > 1
    assert data == pack_receipt(good, "secret")


def test_one_against_a_rule_is_packed_as_a_failed_result() -> None:
    good = plain_receipt(SPEC)
    bad = replace(good, result={**good.result, "uncertainty_kcal_mol": -0.5})

    back = unpack_receipt(pack_sound_receipt(bad, "secret"))

    assert back.result == unpack_receipt(pack_receipt(sound_receipt(bad), "secret")).result
    assert "an uncertainty is not negative" in back.result["exception"]


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"uncertainty_kcal_mol": -0.5}, "an uncertainty is not negative"),
        ({"uncertainty_kcal_mol": float("nan")}, "uncertainty_kcal_mol = nan"),
        ({"estimate_kcal_mol": float("inf")}, "estimate_kcal_mol = inf"),
        ({"estimate_kcal_mol": "much"}, "estimate_kcal_mol = 'much'"),
        ({"estimate_kcal_mol": {"a": 1}}, "does not match"),
        ({"ended_at": plain_receipt(SPEC).result["started_at"].replace(year=2001)}, "an attempt ends after it starts"),
    ],
)
def test_a_result_that_violates_a_rule_fails_and_names_the_rule(numbers: dict[str, Any], says: str) -> None:
    good = plain_receipt(SPEC)
    left = sound_receipt(replace(good, result={**good.result, **numbers}))
    if "ended_at" in numbers:  # its own clock, which the supervisor corrects
        assert says in left.result["exception"]
        return
    back = unpack_receipt(pack_receipt(left, "secret"))
    assert not back.result["ok"]
    assert says in back.result["exception"]
    assert back.result["estimate_kcal_mol"] is None
    assert back.result["object_path"] == good.result["object_path"], "what was computed is kept"
    assert len(back.units) == len(back.files) == 1


def test_units_that_cannot_be_stored_are_left_out() -> None:
    good = plain_receipt(SPEC)
    bad = {**good.units[0], "unit": "other", "ok": False, "exception": None}
    back = unpack_receipt(pack_receipt(sound_receipt(replace(good, units=[*good.units, bad])), "secret"))
    assert [unit["unit"] for unit in back.units] == [good.units[0]["unit"]]
    assert "a failed unit has a reason" in back.result["exception"]


def test_foreign_text_is_made_storable_and_short() -> None:
    good = plain_receipt(SPEC, ok=False)
    unit = {**good.units[0], "exception": "E: \udc80" + "x" * 10**6, "traceback": "t\0" * 10**6, "name": "n" * 10**5}
    failed = replace(good, result={**good.result, "exception": "E: \udc80" + "x" * 10**6}, units=[unit])
    data = pack_receipt(sound_receipt(failed), "secret")
    assert len(data) < 150_000
    back = unpack_receipt(data)
    assert back.result["exception"].startswith("E: \\udc80xx")


def test_paths_of_kept_files_are_plain() -> None:
    assert plain_path("00-unit/räume/out put.txt") == "00-unit/räume/out put.txt"
    assert plain_path("00-unit/a\nb\\c\udce4.txt") == "00-unit/a%0Ab%5Cc%E4.txt"
    long = plain_path("00-unit/" + "ä" * 127)
    assert len(long.encode()) < 200
    assert long != plain_path("00-unit/" + "ä" * 126)


NEGATIVE = """
from alchemiscale_lake.gufe_adapter.authoring import energy
from tests.execution.scripted import ScriptedResult
ScriptedResult.get_uncertainty = lambda self: energy(-0.5)
"""
#: Unit texts, and the resulting message.
HOSTILE = {
    "surrogate": ("raise ValueError('bad \\ud800 text')", "bad \\\\ud800 text"),
    "NUL": ("raise ValueError('bad \\0 text')", "bad"),
    "no text": (
        "class Mute(Exception):\n    def __str__(self):\n        raise OSError\n    __repr__ = __str__\nraise Mute",
        "",
    ),
    "own outcome": ("import pathlib, os\n(shared.parents[1] / 'runs' / '00-only-1' / 'outcome.json').write_text('[]')\n"
                    "os._exit(0)", "ProcessDied"),
    "own plan": ("(shared.parents[1] / 'plan.json').write_text('[1, 2')\nraise ValueError('plan')", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_unit_leaves_a_failed_receipt(bench: Bench, name: str) -> None:
    text, says = HOSTILE[name]
    receipt = bench.run(bench.spec(scripted(text)))
    assert not receipt.result["ok"]
    assert says in receipt.result["exception"]


def test_a_negative_uncertainty_is_a_failed_result(bench: Bench) -> None:
    receipt = bench.run(bench.spec(scripted("pass", in_gather=NEGATIVE)))
    assert not receipt.result["ok"]
    assert "an uncertainty is not negative" in receipt.result["exception"]
    assert "uncertainty_kcal_mol = -0.5" in receipt.result["exception"]
    assert bench.result(receipt).ok(), "the ProtocolDAGResult is kept"


def test_a_huge_exception_is_stored_once(bench: Bench) -> None:
    n = 20_000_000
    spec = bench.spec(scripted(f"raise ValueError('x' * {n} + ' at the end')"))
    receipt = bench.run(spec)
    assert "at the end" in receipt.result["exception"]
    (file,) = receipt.files
    assert file["path"] == "00-only-1/exception.txt"
    assert "ValueError: xxx" in bench.text(file["object_path"])
    folder = bench.lake.local_path
    assert folder is not None
    left = (folder / "attempts" / spec.scope / spec.attempt).rglob("*")
    sizes = {path.name: path.stat().st_size for path in left if path.is_file()}
    assert "exception.txt" not in sizes
    assert n < (folder / file["object_path"]).stat().st_size < n + 10_000
    assert sum(sizes.values()) < 3_000_000, "logs are cut to a mebibyte each"
