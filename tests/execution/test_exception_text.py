"""Exceptions of steps: short in tables, whole in a file, whatever class raised them."""

from __future__ import annotations

from pathlib import Path

from alchemiscale_lake.execution.exception_text import WHOLE, describe_exception
from alchemiscale_lake.texts import SHORT


class UnprintableError(Exception):
    """An exception of a Protocol whose message fails."""

    def __str__(self) -> str:
        raise RuntimeError("no message")


def described(error: BaseException, run: Path) -> dict[str, object]:
    try:
        raise error
    except type(error) as e:
        return describe_exception(e, run)


def test_a_short_exception_is_whole_in_the_table(tmp_path: Path) -> None:
    outcome = described(ValueError("no ligand"), tmp_path)

    assert (outcome["ok"], outcome["exception"]) == (False, ["ValueError", "no ligand"])
    assert str(outcome["traceback"]).endswith("ValueError: no ligand\n")
    assert not (tmp_path / WHOLE).exists()


def test_a_long_message_is_cut_and_kept_in_a_file(tmp_path: Path) -> None:
    message = "x" * (SHORT + 1) + "the end"
    _, cut = described(ValueError(message), tmp_path)["exception"]  # type: ignore[misc]

    assert len(cut) <= SHORT
    assert WHOLE in cut
    assert message in (tmp_path / WHOLE).read_text()


def test_characters_that_no_table_holds_are_escaped(tmp_path: Path) -> None:
    # escaped, they are longer than a table holds
    _, cut = described(ValueError("\ud800" * (SHORT // 2)), tmp_path)["exception"]  # type: ignore[misc]

    assert len(cut.encode()) <= SHORT
    assert WHOLE in cut
    assert r"\ud800" in (tmp_path / WHOLE).read_text()


def test_a_message_that_cannot_be_read_is_replaced(tmp_path: Path) -> None:
    outcome = described(UnprintableError(), tmp_path)

    assert outcome["exception"] == ["UnprintableError", "its message cannot be read: RuntimeError"]
