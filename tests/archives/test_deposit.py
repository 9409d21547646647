"""Authors, related works and the description for a repository."""

from __future__ import annotations

import json

import pytest

from alchemiscale_lake.archives.deposit import Author, Deposit
from alchemiscale_lake.errors import ArchiveError


@pytest.mark.parametrize(
    ("text", "author"),
    [
        ("Lovelace, Ada", Author("Lovelace, Ada")),
        ("Lovelace, Ada; Analytical Engines", Author("Lovelace, Ada", "Analytical Engines")),
        ("Lovelace, Ada; 0000-0002-1825-0097", Author("Lovelace, Ada", None, "0000-0002-1825-0097")),
        (
            "Babbage, C. ; https://orcid.org/0000-0002-9079-593X; Lucasian chair;",
            Author("Babbage, C.", "Lucasian chair", "0000-0002-9079-593X"),
        ),
    ],
)
def test_authors(text: str, author: Author) -> None:
    assert Author.parse(text) == author
    assert None not in author.as_json().values()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not an author"),
        ("; Analytical Engines", "not an author"),
        ("Ada; one place; another", "not an author"),
        ("Ada; 0000-0002-1825-0098", "not an ORCID"),
        ("Ada; 0000-0002-1825-0097; 0000-0002-1825-0097", "not an author"),
    ],
)
def test_what_is_no_author_is_refused(text: str, why: str) -> None:
    with pytest.raises(ArchiveError, match=why):
        Author.parse(text)


@pytest.mark.parametrize(
    ("text", "related"),
    [
        ("10.1021/x", ("isSupplementTo", "10.1021/x")),
        ("https://example.org/a:b", ("isSupplementTo", "https://example.org/a:b")),
        ("cites:10.1021/x", ("cites", "10.1021/x")),
        ("isPartOf: https://example.org", ("isPartOf", "https://example.org")),
    ],
)
def test_related_works(text: str, related: tuple[str, str]) -> None:
    assert Deposit.parse_related(text) == related


@pytest.mark.parametrize("text", ["", "  ", "cites:", "cites: "])
def test_a_work_needs_an_identifier(text: str) -> None:
    with pytest.raises(ArchiveError, match="names no work"):
        Deposit.parse_related(text)


def test_what_was_not_given_is_made_or_left_out() -> None:
    content = json.loads(Deposit().as_json("a title", "a description"))
    assert content == {
        "title": "a title",
        "upload_type": "dataset",
        "description": "a description",
        "keywords": ["alchemical free energy", "binding affinity", "molecular dynamics"],
    }
    given = Deposit("t", [Author("A")], "d", "CC-BY-4.0", ["k"], [("cites", "10.1/x")])
    assert json.loads(given.as_json("a title", "a description")) == {
        "title": "t",
        "upload_type": "dataset",
        "description": "d",
        "creators": [{"name": "A"}],
        "keywords": ["k"],
        "license": "CC-BY-4.0",
        "related_identifiers": [{"relation": "cites", "identifier": "10.1/x"}],
    }
