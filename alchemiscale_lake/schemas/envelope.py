"""The envelope of a receipt, which is verified before anything inside is parsed.

Five lines (magic, the payload's length, its SHA-256, and its HMAC-SHA256 by the secret of the attempt) precede the
payload. `unsigned` replaces the signature if the worker had no secret.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final

from ..errors import ReceiptError

__all__ = ["LARGEST_RECEIPT_BYTES", "Sealed", "open_envelope", "seal"]

#: Larger receipts are not read.
LARGEST_RECEIPT_BYTES: Final = 64 * 2**20
_MAGIC: Final = b"alchemiscale-lake receipt 2\n"
_HEAD: Final = re.compile(
    re.escape(_MAGIC) + rb"length ([0-9]{1,12})\nsha256 ([0-9a-f]{64})\nsigned ([0-9a-f]{64}|unsigned)\n\n"
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A verified payload and its signature, None if unsigned.

    Attributes
    ----------
    payload : bytes
        Content as given to `seal`.
    signature : str or None
        HMAC of the payload, hexadecimal; None if unsigned.
    """

    payload: bytes
    signature: str | None

    def is_signed_with(self, secret: str) -> bool:
        """Return whether it was signed with this secret."""
        return self.signature is not None and hmac.compare_digest(self.signature, _sign(self.payload, secret))


def seal(payload: bytes, secret: str | None) -> bytes:
    """Wrap a payload in an envelope, signed if there is a secret.

    Parameters
    ----------
    payload : bytes
        Content.
    secret : str or None
        Key of the signature; None leaves it unsigned.

    Raises
    ------
    ReceiptError
        If it is too large.
    """
    signature = _sign(payload, secret) if secret else "unsigned"
    head = f"length {len(payload)}\nsha256 {hashlib.sha256(payload).hexdigest()}\nsigned {signature}\n\n".encode()
    if len(_MAGIC) + len(head) + len(payload) > LARGEST_RECEIPT_BYTES:
        raise ReceiptError(f"the receipt has {len(payload)} bytes, more than {LARGEST_RECEIPT_BYTES}")
    return _MAGIC + head + payload


def open_envelope(data: bytes) -> Sealed:
    """Return the content of an envelope.

    Raises
    ------
    ReceiptError
        If the bytes are not an envelope, or were changed after sealing.
    """
    head = _HEAD.match(data)
    if head is None:
        raise ReceiptError(f"its {len(data)} bytes are not a receipt")
    length, digest, signature = (group.decode() for group in head.groups())
    payload = data[head.end() :]
    if len(payload) != int(length):
        raise ReceiptError(f"it was written with {length} bytes and has {len(payload)}")
    if hashlib.sha256(payload).hexdigest() != digest:
        raise ReceiptError(f"it is damaged: its content does not have the SHA-256 that it was written with, {digest}")
    return Sealed(payload, None if signature == "unsigned" else signature)


def _sign(payload: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
