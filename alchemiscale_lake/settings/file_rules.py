"""Rules for files of Tasks: which are kept, up to which size."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Final

from pydantic import AfterValidator, Field, field_validator

from .values import ANY_PROTOCOL, Bytes, ClassNameOrAny, SettingsModel

__all__ = ["FileRules", "KeepPatterns"]

_GIB: Final = 2**30


def _check_pattern(value: str) -> str:
    parts = PurePosixPath(value).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ValueError(f"{value!r} is not a pattern of files in a folder; give one such as *.nc or **/*.nc")
    return value


Pattern = Annotated[str, AfterValidator(_check_pattern)]


class KeepPatterns(SettingsModel):
    """Files of a Task that are kept, as glob patterns relative to the folders of each ProtocolUnit."""

    shared: tuple[Pattern, ...] = Field((), description="files of `shared` folders, as in `*.nc`")
    scratch: tuple[Pattern, ...] = Field((), description="files of `scratch` folders")

    @field_validator("shared", "scratch", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class FileRules(SettingsModel):
    """Rules for the files of Tasks. Files of `permanent` folders are always kept, up to these limits."""

    keep: dict[ClassNameOrAny, KeepPatterns] = Field(
        {}, description="other files to keep, by class of Protocol; `*`: of any unknown class"
    )
    per_file_bytes: Bytes = Field(4 * _GIB, alias="per_file", description="a larger file is not kept")
    per_task_bytes: Bytes = Field(
        16 * _GIB, alias="per_task", description="maximum size of all kept files of a Task, over all attempts"
    )
    per_scope_bytes: Bytes | None = Field(
        None, alias="per_scope", description="size of the kept files of a Scope above which no more are kept"
    )

    extended: tuple[Pattern, ...] = Field(
        ("*",), description="kept files that a Task gets of the one that it extends, by path, as in `permanent/*`"
    )

    @field_validator("extended", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    def patterns_for(self, protocol: str | None) -> KeepPatterns:
        """Return which files of a Task are kept besides those of `permanent` folders.

        Parameters
        ----------
        protocol : str or None
            Class of the Protocol; None if unknown.
        """
        others = self.keep.get(ANY_PROTOCOL, KeepPatterns())
        return others if protocol is None else self.keep.get(protocol, others)

    def scratch_patterns(self) -> dict[str, list[str]]:
        """Return the patterns of files of scratch folders by class of Protocol, as plain data."""
        return {name: list(patterns.scratch) for name, patterns in self.keep.items()}
