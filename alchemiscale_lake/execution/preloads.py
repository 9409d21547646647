"""Modules that the fork server imports once a step needed them: many Protocols use scipy, and many do not.

Forking a process with `scipy.stats` takes twice as long as without, and importing it takes a second. So the fork server
imports it if the Protocol is known to use it, or as soon as a step has imported it.
"""

from __future__ import annotations

import gc
import importlib
import mmap
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from .child import NO_PLUGINS

__all__ = ["AT_NEED", "Preloads", "importing", "known_needs"]

#: Slow to import and safe to fork. Third-party Protocols are not among them, nor what may import JAX or torch: they may
#: touch CUDA.
AT_NEED: Final = ("scipy.special", "scipy.linalg", "scipy.optimize", "scipy.stats")
#: Our Protocols that estimate by pymbar, which imports these.
_KNOWN: Final = {
    b'"alchemiscale_lake.protocols.harmonic"': AT_NEED,
    b'"alchemiscale_lake.protocols.hydration"': AT_NEED,
}
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def known_needs(chain: bytes) -> tuple[str, ...]:
    """Return the modules that the steps of a Transformation are known to need.

    Parameters
    ----------
    chain : bytes
        Keyed chain, as JSON text.
    """
    return next((names for module, names in _KNOWN.items() if module in chain), ())


@contextmanager
def importing() -> Iterator[None]:
    """Set what imports in the fork server need: libraries start no threads, and load no plugins."""
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    # gufe imports openmm, and openmm loads its plugins on import, including CUDA's
    os.environ["OPENMM_PLUGIN_DIR"] = NO_PLUGINS
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Preloads:
    """Modules to import at need, in the fork server and its children.

    Parameters
    ----------
    names : sequence of str, default AT_NEED
        Only these are imported, whatever a step asks for.
    """

    def __init__(self, names: Sequence[str] = AT_NEED) -> None:
        self._names = tuple(names)
        # shared with children; a step may write anything there, which at worst imports all
        self._needed = mmap.mmap(-1, max(1, len(self._names)))
        self._failed: set[str] = set()

    def note(self) -> None:
        """In a child: note which of the modules it has imported."""
        for i, name in enumerate(self._names):
            if name in sys.modules:
                self._needed[i] = 1

    def missing(self, also: Sequence[str] = ()) -> list[str]:
        """Return the modules that a child needed and this process has not.

        Parameters
        ----------
        also : sequence of str, default ()
            Modules that the next child is known to need.
        """
        wanted = [name for i, name in enumerate(self._names) if self._needed[i] or name in also]
        return [name for name in wanted if name not in sys.modules and name not in self._failed]

    def load(self, names: Sequence[str]) -> None:
        """In the fork server: import modules."""
        with importing():
            for name in names:
                try:
                    importlib.import_module(name)
                except Exception:  # third-party code: a step that needs it meets the error
                    self._failed.add(name)
        gc.collect()
        # otherwise a collection in a child would copy all pages with objects
        gc.freeze()
