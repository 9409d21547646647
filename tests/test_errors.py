from __future__ import annotations

import pickle

import pytest

from alchemiscale_lake import errors

CLASSES = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_survives_a_process_boundary(cls: type[errors.LakeError]) -> None:
    error = cls("what, which, what next", table="results", n=3)
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is cls
    assert str(back) == "what, which, what next"
    assert back.facts == {"table": "results", "n": 3}


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_states_whether_retrying_may_help(cls: type[errors.LakeError]) -> None:
    if cls is not errors.LakeError:
        assert issubclass(cls, errors.TransientError) != issubclass(cls, errors.TerminalError)


def test_every_error_class_is_exported() -> None:
    defined = {n for n, c in vars(errors).items() if isinstance(c, type) and issubclass(c, errors.LakeError)}
    assert defined == set(errors.__all__)
