"""Folders of kept content as they are in the lake, and the deletion of content that nothing needs.

`kept_content.py` writes them. Names of content are never taken again after a folder was condemned, so that several
deletions at once, or one that continues another, delete nothing that a later attempt stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from ..faults import fault_point
from .kept_content import CONDEMNED, FILES, USE, content_folder
from .objects import ObjectInfo, ObjectStore

__all__ = ["ContentFolder", "condemn", "content_folders", "read_content_folder", "remove_content"]

_DATA: Final = "data"
#: Folders above an object: all content, Scope, digest.
_LEVELS: Final = 3


@dataclass(frozen=True, slots=True)
class ContentFolder:
    """Folder of the content with one digest in one Scope.

    Attributes
    ----------
    scope : str
    digest : str
        SHA-256 of the content, hexadecimal.
    contents : mapping of str to int
        Size by path of every copy.
    marks : mapping of str to datetime
        When it was marked, by attempt that relies on the content.
    unfinished : mapping of str to datetime
        When it was written last, by path of a copy that is not complete.
    condemned_at : datetime or None
        When the content was condemned first; None if it is not.
    """

    scope: str
    digest: str
    contents: Mapping[str, int]
    marks: Mapping[str, datetime]
    unfinished: Mapping[str, datetime]
    condemned_at: datetime | None

    @property
    def path(self) -> str:
        """Return the path of the folder."""
        return content_folder(self.scope, self.digest)


def content_folders(objects: ObjectStore, scope: str | None = None) -> Iterator[ContentFolder]:
    """Yield the folders of kept content.

    Parameters
    ----------
    objects : ObjectStore
    scope : str, optional
        Only those of this Scope.

    Raises
    ------
    StorageError
    """
    listed = objects.list_with_times(FILES if scope is None else f"{FILES}/{scope}")
    # a file browser or a file server may leave files beside the folders
    within = (found for found in listed if found.path.count("/") >= _LEVELS)
    # listings keep the objects of one folder together
    for (where, digest), group in groupby(within, key=lambda found: tuple(found.path.split("/")[1:3])):
        yield _folder(where, digest, list(group))


def read_content_folder(objects: ObjectStore, scope: str, digest: str) -> ContentFolder:
    """Return a folder as it is now.

    Parameters
    ----------
    objects : ObjectStore
    scope : str
    digest : str

    Raises
    ------
    StorageError
    """
    return _folder(scope, digest, list(objects.list_with_times(content_folder(scope, digest))))


def condemn(objects: ObjectStore, folder: ContentFolder) -> ContentFolder:
    """Condemn the content of a folder, and return the folder as it is then.

    An attempt whose mark is not in the answer will find that the content is condemned, and not rely on it.

    Parameters
    ----------
    objects : ObjectStore
    folder : ContentFolder

    Raises
    ------
    StorageError
    """
    if folder.condemned_at is None:
        objects.put(f"{folder.path}/{CONDEMNED}", b"")
        fault_point("content:condemned")
    return read_content_folder(objects, folder.scope, folder.digest)


def remove_content(objects: ObjectStore, folder: ContentFolder) -> None:
    """Delete copies of condemned content, and then the marks of the attempts that relied on them.

    Parameters
    ----------
    objects : ObjectStore
    folder : ContentFolder
        Has the copies and marks to delete.

    Raises
    ------
    StorageError
    """
    objects.delete([*folder.contents, *folder.unfinished])
    fault_point("content:deleted")
    objects.delete(f"{folder.path}/{attempt}{USE}" for attempt in folder.marks)
    fault_point("content:unmarked")


def _folder(scope: str, digest: str, found: list[ObjectInfo]) -> ContentFolder:
    names = {one.path.rpartition("/")[2]: one for one in found}
    whole = {name: one for name, one in names.items() if not one.is_temporary}
    return ContentFolder(
        scope=scope,
        digest=digest,
        contents={one.path: one.n_bytes for name, one in whole.items() if name.split("-")[0] == _DATA},
        marks={name.removesuffix(USE): one.modified_at for name, one in whole.items() if name.endswith(USE)},
        unfinished={one.path: one.modified_at for one in names.values() if one.is_temporary},
        condemned_at=None if CONDEMNED not in whole else whole[CONDEMNED].modified_at,
    )
