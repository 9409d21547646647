"""What a repository such as Zenodo asks about an archive: title, authors, licence, related works."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import ArchiveError

__all__ = ["Author", "Deposit"]

_ORCID: Final = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")
_ORCID_LETTERS: Final = 19
_RELATIONS: Final = (
    "isSupplementTo",
    "isCitedBy",
    "cites",
    "isDerivedFrom",
    "isPartOf",
    "isNewVersionOf",
    "references",
)


@dataclass(frozen=True, slots=True)
class Author:
    """An author of a deposit.

    Attributes
    ----------
    name : str
        `Family, Given`.
    affiliation : str or None
    orcid : str or None
        As `0000-0002-1825-0097`; its check digit is right.
    """

    name: str
    affiliation: str | None = None
    orcid: str | None = None

    @classmethod
    def parse(cls, text: str) -> Author:
        """Parse `Family, Given; affiliation; ORCID`; the last two are optional.

        Raises
        ------
        ArchiveError
            If there is no name, more than that, or the ORCID is malformed.

        Examples
        --------
        >>> Author.parse("Lovelace, Ada; Analytical Engines; 0000-0002-1825-0097").orcid
        '0000-0002-1825-0097'
        """
        parts = [part.strip() for part in text.split(";")]
        name, *others = parts
        orcids = [part for part in others if _ORCID.fullmatch(part)]
        affiliations = [part for part in others if part and part not in orcids]
        if not name or len(orcids) > 1 or len(affiliations) > 1:
            raise ArchiveError(
                f"{text!r} is not an author; give 'Family, Given; affiliation; ORCID', the last two as you like",
                value=text,
            )
        orcid = orcids[0][-_ORCID_LETTERS:] if orcids else None
        if orcid is not None and not _has_check_digit(orcid):
            raise ArchiveError(f"{orcid} is not an ORCID: its last digit does not match the others", value=text)
        return cls(name, affiliations[0] if affiliations else None, orcid)

    def as_json(self) -> dict[str, str]:
        """Return it as Zenodo's `creators` have it."""
        found = {"name": self.name, "affiliation": self.affiliation, "orcid": self.orcid}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Deposit:
    """Description of an archive for a repository.

    Attributes
    ----------
    title : str or None
        Default: the names of the networks.
    authors : sequence of Author
    description : str or None
        Default: what the archive contains.
    license : str or None
        SPDX identifier, such as `CC-BY-4.0`.
    keywords : sequence of str
    related : sequence of (str, str)
        Relation, such as `isSupplementTo`, and identifier, such as a DOI or URL.
    """

    title: str | None = None
    authors: Sequence[Author] = ()
    description: str | None = None
    license: str | None = None
    keywords: Sequence[str] = ()
    related: Sequence[tuple[str, str]] = field(default=())

    @staticmethod
    def parse_related(text: str) -> tuple[str, str]:
        """Parse `IDENTIFIER`, or `RELATION:IDENTIFIER`; without a relation, the archive supplements it.

        Raises
        ------
        ArchiveError
            If there is no identifier.

        Examples
        --------
        >>> Deposit.parse_related("10.1021/acs.jctc.0c00001")
        ('isSupplementTo', '10.1021/acs.jctc.0c00001')
        >>> Deposit.parse_related("cites:https://example.org/paper")
        ('cites', 'https://example.org/paper')
        """
        relation, separator, identifier = text.partition(":")
        if separator and relation in _RELATIONS and identifier.strip():
            return relation, identifier.strip()
        if not text.strip() or (separator and relation in _RELATIONS):
            raise ArchiveError(f"{text!r} names no work; give its DOI or URL, or RELATION:DOI", value=text)
        return "isSupplementTo", text.strip()

    def as_json(self, title: str, description: str) -> bytes:
        """Return the content of `.zenodo.json`.

        Parameters
        ----------
        title : str
            Used if none was given.
        description : str
            Used if none was given.
        """
        content: dict[str, Any] = {
            "title": self.title or title,
            "upload_type": "dataset",
            "description": self.description or description,
            "creators": [author.as_json() for author in self.authors],
            "keywords": [*self.keywords] or ["alchemical free energy", "binding affinity", "molecular dynamics"],
            "license": self.license,
            "related_identifiers": [{"relation": how, "identifier": what} for how, what in self.related],
        }
        return pretty({name: value for name, value in content.items() if value})


def pretty(content: Mapping[str, Any]) -> bytes:
    """Return JSON for people: indented, in the order given."""
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _has_check_digit(orcid: str) -> bool:
    """Return whether the last digit is that of ISO 7064 MOD 11-2."""
    digits = orcid.replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return digits[-1] == ("X" if check == 10 else str(check))
