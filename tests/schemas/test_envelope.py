from __future__ import annotations

import pytest

from alchemiscale_lake.errors import ReceiptError
from alchemiscale_lake.schemas import envelope
from alchemiscale_lake.schemas.envelope import open_envelope, seal


def test_a_payload_is_signed_by_its_secret_alone() -> None:
    sealed = open_envelope(seal(b"payload", "mine"))
    assert sealed.payload == b"payload"
    assert sealed.is_signed_with("mine")
    assert not sealed.is_signed_with("another")


@pytest.mark.parametrize("secret", [None, ""])
def test_without_a_secret_nothing_is_signed(secret: str | None) -> None:
    sealed = open_envelope(seal(b"payload", secret))
    assert sealed.signature is None
    assert not sealed.is_signed_with("")


def test_a_signature_does_not_fit_another_payload() -> None:
    head, foot = seal(b"payload", "mine").split(b"signed ")
    forged = seal(b"forgery", None).split(b"signed ")[0] + b"signed " + foot.split(b"\n")[0] + b"\n\nforgery"
    assert head
    assert not open_envelope(forged).is_signed_with("mine")


def test_what_is_too_large_is_not_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "LARGEST_RECEIPT_BYTES", 1000)
    with pytest.raises(ReceiptError, match="1000"):
        seal(b"x" * 1000, "mine")
