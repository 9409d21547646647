"""Snippets of README and docs, and how a reader would run them."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["REPOSITORY", "SEPARATE", "Block", "blocks", "run", "run_page"]

REPOSITORY = Path(__file__).parents[2]
#: Pages that depend on no other, the longest first.
SEPARATE = ("README.md", "docs/living-networks.md", "docs/strategies.md")
_FENCE = re.compile(r"^```(bash|python|sql)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    language: str
    note: str
    text: str


def blocks(page: str) -> list[Block]:
    return [Block(*found.groups()) for found in _FENCE.finditer((REPOSITORY / page).read_text())]


def run_page(page: str, folder: Path, path: str) -> None:
    """Run the blocks of a page in a folder, one after the other.

    Parameters
    ----------
    page : str
        Path of the page in the repository.
    folder : Path
        The reader's working folder.
    path : str
        PATH of the reader.
    """
    for block in blocks(page):
        if 'no-run="' not in block.note:
            run(block, folder, path)


def run(block: Block, folder: Path, path: str) -> None:
    env = {**os.environ, "PATH": path, "MPLBACKEND": "agg"}
    command = {
        "bash": ["bash", "-euo", "pipefail", "-c", block.text],
        "python": ["python", "-W", "error::UserWarning", "-c", block.text],
        "sql": ["alchemiscale-lake", "query", block.text],
    }[block.language]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"{block.text}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
