"""Files of scratch folders that are to be kept: set aside before the folder is removed.

The processes that run units do this too, so it imports little.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["matching_files", "set_aside"]


def matching_files(folder: Path, patterns: Iterable[str]) -> Iterator[tuple[Path, str]]:
    """Yield the regular files of a folder that match a pattern, each once, with the pattern; sorted.

    What a link of a Protocol leads to is not in the folder.

    Parameters
    ----------
    folder : Path
    patterns : iterable of str
        Glob patterns, relative to the folder.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    inside = folder.resolve()
    found: dict[Path, str] = {}
    for pattern in patterns:
        with contextlib.suppress(OSError):
            for path in folder.glob(pattern):
                found.setdefault(path, pattern)
    for path in sorted(found):
        if path.is_file() and not path.is_symlink() and path.resolve().is_relative_to(inside):
            yield path, found[path]


def set_aside(scratch: Path, patterns: Iterable[str], kept: Path) -> None:
    """Move the files of a scratch folder that match a pattern to another folder of the same file system.

    Parameters
    ----------
    scratch : Path
        Scratch folder of an execution that has ended.
    patterns : iterable of str
        Glob patterns, relative to the folder.
    kept : Path
        Folder to move them to, created if there are any.
    """
    for path, _ in list(matching_files(scratch, patterns)):
        target = kept / path.relative_to(scratch)
        # a file that cannot be moved is not kept
        with contextlib.suppress(OSError):
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
