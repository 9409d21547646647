"""Results whose links are references to stored objects, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.errors import ContentError
from alchemiscale_lake.networks.shared_links import is_shared, restore_links, share_links, shared_keys
from tests.plain import reference

PROTEIN = {"__qualname__": "ProteinComponent", "pdb": "ATOM é" * 200, "charge": 1.0}
SYSTEM = {"__qualname__": "ChemicalSystem", "components": {"protein": reference("ProteinComponent-1")}}
STORED = [("ProteinComponent-1", PROTEIN), ("ChemicalSystem-1", SYSTEM), ("Transformation-1", {"__qualname__": "T"})]
UNIT = {"__qualname__": "ProtocolUnitResult", "inputs": reference("ChemicalSystem-1"), "outputs": {"x": 1.5}}


def chain(links: Any, **options: Any) -> bytes:
    return json.dumps(links, **options).encode()


def texts_of(stored: bytes) -> dict[str, bytes]:
    """Return the texts as `read_chain_text` was given them."""
    return {key: json.dumps(content).encode() for key, content in json.loads(stored)}


def test_links_of_the_transformation_are_references_and_come_back_as_they_were() -> None:
    result, stored = chain([*STORED[:2], ("ProtocolUnitResult-1", UNIT)]), chain(STORED)

    shared = share_links(result, stored)

    assert shared is not None
    assert is_shared(shared)
    assert not is_shared(result)
    assert b"ATOM" not in shared
    assert len(shared) < len(result) / 3
    assert shared_keys(shared, "r") == ["ProteinComponent-1", "ChemicalSystem-1"]
    assert restore_links(shared, texts_of(stored), "r") == result


def test_an_object_written_by_another_version_is_recognised_by_content() -> None:
    protein = dict(reversed(PROTEIN.items()))
    result = chain([("ProteinComponent-new", protein), ("ProtocolUnitResult-1", UNIT)], indent=1)

    shared = share_links(result, chain(STORED))

    assert shared is not None
    assert shared_keys(shared, "r") == ["ProteinComponent-1"]
    assert json.loads(restore_links(shared, texts_of(chain(STORED)), "r")) == json.loads(result)


@pytest.mark.parametrize("other", [{**PROTEIN, "charge": 1}, {**PROTEIN, "charge": True}, {**PROTEIN, "pdb": "ATOM"}])
def test_an_object_that_differs_is_kept(other: dict[str, Any]) -> None:
    assert share_links(chain([("ProteinComponent-1", other)]), chain(STORED)) is None


@pytest.mark.parametrize("broken", [b"", b"[", b"{}", b"\xff", chain([["a", 1]]), b"[[" * 5000])
def test_what_is_no_chain_is_kept(broken: bytes) -> None:
    assert share_links(broken, chain(STORED)) is None
    assert share_links(chain(STORED), broken) is None


@given(
    st.lists(
        st.tuples(
            st.text(min_size=1),
            st.dictionaries(st.text(), st.one_of(st.none(), st.floats(), st.text(), st.integers())),
        ),
        unique_by=lambda link: link[0],
        max_size=6,
    ),
    st.data(),
)
def test_any_chain_comes_back(links: list[tuple[str, dict[str, Any]]], data: st.DataObject) -> None:
    links = [(key, {**content, "__qualname__": "Q"}) for key, content in links if ":gufe-key:" not in content]
    known = [link for link in links if data.draw(st.booleans())]
    result, stored = chain(links), chain(known)

    shared = share_links(result, stored)

    assert (shared is None) == (not known)
    assert shared is None or restore_links(shared, texts_of(stored), "r") == result


def test_a_malformed_one_is_named() -> None:
    shared = share_links(chain([*STORED[:2], ("ProtocolUnitResult-1", UNIT)]), chain(STORED))
    assert shared is not None
    texts = texts_of(chain(STORED))
    for wrong in (shared[:-1], shared + b" ", shared[:40], shared.replace(b'shared": 1', b'shared": 2')):
        with pytest.raises(ContentError, match=r"attempts/a: not a result"):
            restore_links(wrong, texts, "attempts/a")
    with pytest.raises(ContentError, match="ProteinComponent-1"):
        restore_links(shared, {}, "attempts/a")
