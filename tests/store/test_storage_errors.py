"""Errors of storage clients, as users see them: on one line, with what to do, without secrets."""

from __future__ import annotations

import polars as pl
import pytest

from alchemiscale_lake.errors import NotWritableError, StorageError
from alchemiscale_lake.store.storage_errors import collect, fail, scrub

SECRET = "wJalrXUtnFEMI/K7MDENG"


def raised(cause: BaseException) -> StorageError:
    with pytest.raises(StorageError) as caught:
        fail("cannot write x", cause, path="x")
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        f"key {SECRET} is wrong",
        "GET /b/k?X-Amz-Signature=abcdef0123&x=1",
        "x-amz-security-token: abcdef0123",
        "Authorization: AWS4 Credential=abcdef0123, Signature=abcdef0123",
        "https://user:abcdef0123@host/bucket",
    ],
)
def test_credentials_are_masked(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)

    clean = scrub(text)
    assert SECRET not in clean
    assert "abcdef0123" not in clean
    assert "***" in clean
    assert scrub(clean) == clean


def test_what_is_no_secret_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    # a secret of one letter would mask every text
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "e")

    assert scrub("the bucket s3://lake/tables has no key") == "the bucket s3://lake/tables has no key"


def test_a_cause_with_a_secret_is_not_attached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)

    assert raised(OSError(f"403 {SECRET}")).__cause__ is None
    assert raised(cause := OSError("503")).__cause__ is cause


def test_a_long_tree_of_causes_is_one_short_line() -> None:
    error = raised(OSError("\x1b[31mslow\x1b[0m\n ↳ down\n" + "x " * 1000 + "Debug source: Struct { .. }"))

    text = str(error)
    assert text.startswith("cannot write x: slow down x x ")
    assert "\n" not in text
    assert "Debug" not in text
    assert len(text) < 700


@pytest.mark.parametrize(
    "words", ["Permission denied (os error 13)", "Read-only file system", "Operation not permitted"]
)
def test_missing_permission_is_not_tried_again(words: str) -> None:
    error = raised(OSError(f"generic error: {words}"))

    assert isinstance(error, NotWritableError)
    assert "ask its owner" in str(error)


def test_a_scan_of_a_missing_file_is_a_storage_error() -> None:
    with pytest.raises(StorageError, match="could not read results"):
        collect(pl.scan_parquet("/nonexistent/x.parquet"), "results")
