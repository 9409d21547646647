"""Detection of secrets, so that none is kept in a file that people copy and commit.

It catches honest mistakes: keys by name, and values in the format of a credential.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["ADVICE", "holds_secret", "names_secret"]

#: Advice in messages.
ADVICE: Final = (
    "this file must not contain credentials; export them where dispatchers and workers run, "
    "or store them in the Prefect block named by ALCHEMISCALE_LAKE_CREDENTIALS_BLOCK"
)

_WORDS: Final = ("SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "TOKEN", "CREDENTIAL", "CREDENTIALS", "APIKEY")
_PAIRS: Final = ("API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "ACCOUNT_KEY", "SAS_KEY")
#: A variable with such an ending names the location of a secret, not the secret itself.
_PLACES: Final = ("FILE", "PATH", "DIR", "FOLDER", "BLOCK", "URI", "ENDPOINT")
# an assignment whose value is neither empty nor a reference, as in NAME=$OTHER or NAME="$(cat file)"
_ASSIGNMENT: Final = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)\s*[=:]\s*[\"']?(?![\"'$`\s])(?=\S)")
_FORMS: Final = (
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),  # an access key of AWS
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    re.compile(r"://[^/\s:@$]+:[^/\s@$]+@"),  # user and password in a URL
    re.compile(r"\bpn[ubs]_[A-Za-z0-9]{20,}"),  # an API key of Prefect Cloud
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}"),  # a token of GitHub
)


def names_secret(name: str) -> bool:
    """Return whether the name of a key or variable indicates a secret."""
    upper = re.sub(r"[^A-Z0-9]+", "_", name.upper())
    words = upper.split("_")
    if words[-1] in _PLACES:
        return False
    return any(word.endswith(_WORDS) for word in words) or any(pair in upper for pair in _PAIRS)


def holds_secret(text: str) -> bool:
    """Return whether a text has the format of a credential, or assigns one."""
    if any(form.search(text) for form in _FORMS):
        return True
    return any(names_secret(found[1]) for found in _ASSIGNMENT.finditer(text))
