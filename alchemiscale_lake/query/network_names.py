"""Names of networks: in sentences, and as the arguments by which a command finds one.

The library identifies networks by ScopedKey, also in its messages; the command line replaces these keys before it
prints a message.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from ..hints import COMMAND
from ..store import Lake

__all__ = ["NetworkNames"]

_KEY: Final = re.compile(r"AlchemicalNetwork-[\w-]+")
#: Commands for which a file or folder of the network's name would come first.
_TAKES_FILE: Final = re.compile(r"alchemiscale-lake (run|estimate-cost)\b")


class NetworkNames:
    """Names of the networks of a lake.

    Parameters
    ----------
    rows : iterable of (str, str, str or None)
        Scope, ScopedKey and name of every network.
    former : collection of str
        ScopedKeys of those that have lost their name to another one.
    """

    def __init__(self, rows: Iterable[tuple[str, str, str | None]], *, former: Collection[str] = ()) -> None:
        self._of = {network: (scope, name) for scope, network, name in rows}
        self._former = frozenset(former)
        named = [place for network, place in self._of.items() if network not in self._former]
        self._alone = Counter(name for _, name in named)
        self._in_scope: Counter[tuple[str | None, str | None]] = Counter(named)

    @classmethod
    def of(cls, lake: Lake) -> NetworkNames:
        """Read the names of a lake's networks.

        Of several networks of a Scope with one name, the only active one has it to itself.
        """
        rows = lake.table("networks").scan().select("scope", "network", "name").collect().rows()
        return cls(rows, former=_former(lake, rows))

    def title(self, network: str) -> str:
        """Return the name of a network, with its Scope if networks of other Scopes share the name.

        The ScopedKey if it has no name, or shares it with another network of its Scope.
        """
        scope, name = self._of.get(network, (None, None))
        if name is None or self._is_shared(network):
            return network
        return name if self._alone[name] == 1 else f"{name} in Scope {scope}"

    def arguments(self, network: str, *, unless_file: bool = False, with_scope: bool = False) -> str:
        """Return what to type so that a command finds exactly this network, quoted for a shell.

        Parameters
        ----------
        network : str
            ScopedKey.
        unless_file : bool
            For a command that also takes a file: do not use a name that is also a file or folder here.
        with_scope : bool
            For a command with several networks: write `org-campaign-project/tyk2` instead of `tyk2 --scope ...`.
        """
        scope, name = self._of.get(network, (None, None))
        unusable = name is None or name.startswith("-") or not name.isprintable() or self._is_shared(network)
        if name is None or unusable or (unless_file and Path(name).exists()):
            return network
        return shlex.quote(name) if self._alone[name] == 1 else _in_scope(name, scope, with_scope)

    def in_message(self, text: str) -> str:
        """Replace ScopedKeys of networks in a message: by arguments within commands, elsewhere by titles.

        Parameters
        ----------
        text : str
            As in `hints.with_lake`.

        Examples
        --------
        >>> names = NetworkNames([("o-c-p", "AlchemicalNetwork-1-o-c-p", "tyk2")])
        >>> names.in_message("AlchemicalNetwork-1-o-c-p has none; see `alchemiscale-lake status`")
        'tyk2 has none; see `alchemiscale-lake status`'
        """
        pieces, end = [], 0
        for command in COMMAND.finditer(text):
            before = _KEY.sub(lambda key: self.title(key[0]), text[end : command.start()])
            pieces += [before, self._in_command(command[0])]
            end = command.end()
        return "".join([*pieces, _KEY.sub(lambda key: self.title(key[0]), text[end:])])

    def _in_command(self, command: str) -> str:
        takes_file = _TAKES_FILE.search(command) is not None
        # one --scope applies to all networks of a command
        several = " --scope " in command or len(_KEY.findall(command)) > 1
        return _KEY.sub(lambda key: self.arguments(key[0], unless_file=takes_file, with_scope=several), command)

    def listed(self, networks: Iterable[str], *, with_scope: bool = False) -> list[str]:
        """Return a line per network by which to choose one: its arguments, or its ScopedKey and name.

        Parameters
        ----------
        networks : iterable of str
            ScopedKeys.
        with_scope : bool
            As in `arguments`.
        """
        return [self._line(network, with_scope) for network in networks]

    def _line(self, network: str, with_scope: bool) -> str:
        scope, name = self._of[network]
        if name is None or self._is_shared(network):
            return f"{network}  {name or ''}".rstrip()
        return _in_scope(name, scope, with_scope)

    def _is_shared(self, network: str) -> bool:
        return network in self._former or self._in_scope[self._of.get(network, (None, None))] > 1


def _in_scope(name: str, scope: str | None, with_scope: bool) -> str:
    return shlex.quote(f"{scope}/{name}") if with_scope else f"{shlex.quote(name)} --scope {scope}"


def _former(lake: Lake, rows: Sequence[tuple[str, str, str | None]]) -> set[str]:
    """Return the inactive ones among networks that share a Scope and a name, where exactly one is active."""
    sharing: dict[tuple[str, str | None], list[str]] = {}
    for scope, network, name in rows:
        sharing.setdefault((scope, name), []).append(network)
    several = {place: networks for place, networks in sharing.items() if place[1] is not None and len(networks) > 1}
    if not several:
        return set()
    states = lake.network_log.states()
    former: set[str] = set()
    for networks in several.values():
        inactive = {network for network in networks if network in states and states[network].state != "active"}
        former |= inactive if len(inactive) == len(networks) - 1 else set()
    return former
