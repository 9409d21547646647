from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.errors import InvalidKeyError, InvalidScopeError
from alchemiscale_lake.ids import Scope, ScopedKey, new_attempt_id, new_task_key

name = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,8}", fullmatch=True)


@given(name, name, name)
def test_scopes_survive_their_text(org: str, campaign: str, project: str) -> None:
    scope = Scope(org, campaign, project)
    assert Scope.from_str(str(scope)) == scope
    assert scope.specific
    for wider in (Scope(org, campaign), Scope(org), Scope()):
        assert Scope.from_str(str(wider)) == wider
        assert wider.is_superset(scope)
        assert not scope.is_superset(wider)
        assert not wider.specific
    assert scope.is_superset(scope)


@pytest.mark.parametrize(
    "text",
    ["", "a", "a-b", "a-b-c-d", "a b-c-d", "1a-b-c", "a-b-ä", "a--c", "*-b-c", "a-*-c", "*-*-c", " a-b-c", "a-b-c\n"],
)
def test_invalid_scopes(text: str) -> None:
    with pytest.raises(InvalidScopeError):
        Scope.from_str(text)


@pytest.mark.parametrize("parts", [("*", "a", "b"), ("o", "*", "p"), (None, "a", None)])
def test_no_name_below_a_wildcard_however_it_is_written(parts: tuple[str, str, str]) -> None:
    with pytest.raises(InvalidScopeError, match="below a wildcard"):
        Scope(*parts)


def test_writing_needs_a_specific_scope() -> None:
    with pytest.raises(InvalidScopeError, match="wildcard"):
        Scope("a").require_specific()
    with pytest.raises(InvalidScopeError):
        ScopedKey.from_str("Transformation-ab12-a-*-*")


@given(name, st.from_regex(r"[0-9a-f]{32}", fullmatch=True))
def test_scoped_keys_survive_their_text(qualname: str, token: str) -> None:
    key = ScopedKey(f"{qualname}-{token}", Scope("a", "b", "c"))
    back = ScopedKey.from_str(str(key))
    assert back == key
    assert (back.qualname, back.token, str(back.scope)) == (qualname, token, "a-b-c")


@pytest.mark.parametrize("text", ["", "Transformation-ab", "T-a-b-c-d-e", "-ab-a-b-c", "T--a-b-c", "T a-ab-a-b-c"])
def test_invalid_scoped_keys(text: str) -> None:
    with pytest.raises(InvalidKeyError):
        ScopedKey.from_str(text)


def test_new_ids_differ() -> None:
    scope = Scope("a", "b", "c")
    assert len({new_task_key(scope) for _ in range(50)} | {new_attempt_id() for _ in range(50)}) == 100
    assert ScopedKey.from_str(new_task_key(scope)).qualname == "Task"


def test_keys_and_scopes_as_in_alchemiscale() -> None:
    key = ScopedKey("Task-0a", org="a", campaign="b", project="c")
    assert key == ScopedKey("Task-0a", Scope("a", "b", "c")) == ScopedKey.from_dict(key.to_dict())
    assert key.to_dict() == {"gufe_key": "Task-0a", "org": "a", "campaign": "b", "project": "c"}
    assert (key.org, key.campaign, key.project) == key.scope.to_tuple() == ("a", "b", "c")
    assert Scope("a").to_dict() == {"org": "a", "campaign": None, "project": None}
    assert pickle.loads(pickle.dumps(key)) == key
    with pytest.raises(InvalidScopeError, match="wildcard"):
        ScopedKey("Task-0a", org="a")
