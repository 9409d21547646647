"""Networks as plain data: what openfe and gufe write becomes rows, and rows become that text again.

Nothing here builds a gufe object or needs a Protocol's classes: a keyed chain is read as JSON, and
facts are taken from the dicts. Forms that only gufe can read (nested dict JSON, msgpack, live
objects) come in through `gufe_adapter`. Writing rows into a lake is left to `ledger.submit`.
"""

from __future__ import annotations

from .chain import ChainObject, parse_chain
from .network import Network
from .read import read_network
from .stored import read_chain_text, stored_text

__all__ = ["ChainObject", "Network", "parse_chain", "read_chain_text", "read_network", "stored_text"]
