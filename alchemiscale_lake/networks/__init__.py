"""Networks as plain data: files of openfe and gufe become rows, and rows become the same text again.

Nothing here builds a gufe object or needs a Protocol's classes: a keyed chain is parsed as JSON, and facts are read
from the dicts. Forms that only gufe can read (nested dict JSON, msgpack, live objects) are converted by
`gufe_adapter`. Writing rows into a lake is in `statestore.submit`.
"""

from __future__ import annotations

from .chain import ChainObject, parse_chain
from .network import Network
from .read import read_network
from .stored import read_chain_text, stored_text
from .stored_results import read_result

__all__ = ["ChainObject", "Network", "parse_chain", "read_chain_text", "read_network", "read_result", "stored_text"]
