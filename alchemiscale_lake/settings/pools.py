"""The whole pools file: pools by name, shares of Scopes, needs of Protocols, quarantine of hosts, kept files."""

from __future__ import annotations

import math
from typing import Final

from pydantic import Field, field_validator

from ..errors import SettingsError
from ..ids import Scope
from ..suggestions import did_you_mean
from .file_rules import FileRules
from .pool import Pool
from .rules import Needs, QuarantineRules
from .values import ClassName, ClassNameOrAny, PoolName, ScopePattern, SettingsModel, Share

__all__ = ["Pools"]

#: Tolerance for shares that add up to one.
_ROUNDING: Final = 1e-6


class Pools(SettingsModel):
    """The whole file."""

    lake: str | None = Field(None, description="lake of the pools; --lake and ALCHEMISCALE_LAKE take precedence")
    pools: dict[PoolName, Pool] = Field(min_length=1, description="places to compute, by name")
    shares: dict[ScopePattern, Share] = Field(
        {},
        description="fractions of all running Tasks for Scopes, as in 0.5; other Scopes split the rest",
    )
    protocols: dict[ClassNameOrAny, Needs] = Field(
        {}, description="needs of a Task, by class of Protocol; `*`: of any unknown class"
    )
    units: dict[ClassName, Needs] = Field(
        {}, description="share of a Task's resources that a ProtocolUnit needs, by class of ProtocolUnit"
    )
    hosts: QuarantineRules = Field(QuarantineRules(), description="when a host is quarantined")
    files: FileRules = Field(FileRules(), description="which files of Tasks are kept")

    def named(self, name: str, file: str = "the pools file") -> Pool:
        """Return a pool by its name.

        Parameters
        ----------
        name : str
            Name of the pool.
        file : str, default "the pools file"
            Name of the file, for the message.

        Raises
        ------
        SettingsError
            If there is none; the message, which begins with `file`, suggests the one that was probably meant.
        """
        if name not in self.pools:
            meant = did_you_mean(name, self.pools) or f"; it has {', '.join(self.pools)}"
            raise SettingsError(f"{file} has no pool {name!r}{meant}", pool=name)
        return self.pools[name]

    @field_validator("shares")
    @classmethod
    def _parts_of_a_whole(cls, shares: dict[str, float]) -> dict[str, float]:
        # a Scope's share may be divided among its campaigns, so only the widest are summed
        scopes = {name: Scope.parse(name) for name in shares}
        widest = [n for n, one in scopes.items() if not any(o != one and o.is_superset(one) for o in scopes.values())]
        whole = math.fsum(shares[name] for name in widest)
        if whole > 1.0 + _ROUNDING:
            raise ValueError(f"they add up to {whole:g}; give fractions of 1")
        return shares
