"""Errors of the estimators: what is wrong with the arrays, which entry, and what to do next.

They are `ValueError`s, because this package knows arrays and nothing about lakes; callers convert them.
"""

from __future__ import annotations

from typing import Any

__all__ = ["EstimatorConvergenceError", "EstimatorInputError"]


class EstimatorInputError(ValueError):
    """The input arrays do not allow an estimate.

    Parameters
    ----------
    message : str
        What is wrong, with which value, and what to do next.
    **facts
        The same facts as attributes (`error.facts["edge"]`).
    """

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.facts))


class EstimatorConvergenceError(EstimatorInputError):
    """An iteration did not converge, so there is no estimate."""


def _rebuild(kind: type[EstimatorInputError], message: str, facts: dict[str, Any]) -> EstimatorInputError:
    return kind(message, **facts)
