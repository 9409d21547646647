"""Default resource needs of Protocols and ProtocolUnits by class name, from plug-ins, and their overrides.

An entry point of the group `alchemiscale_lake.resource_needs` names a mapping in the form of `pools.yaml`:
`{"protocols": {class: needs}, "units": {class: needs}}`. Ours are in `shipped_needs`; those of other packages override
them, and `pools.yaml` overrides both.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import LakeError
from ..plugins import load_plugin, plugin_names
from ..resources import Resources
from ..settings import ANY_PROTOCOL, ClassName, Needs, Pools

__all__ = ["RESOURCE_NEEDS", "default_needs", "needs_of", "process_per_unit", "unit_needs"]

_log = logging.getLogger(__name__)

#: Group of entry points.
RESOURCE_NEEDS: Final = "alchemiscale_lake.resource_needs"
_SHIPPED: Final = ("alchemiscale-lake", "openfe", "feflow")


class _NeedsByClass(BaseModel):
    """Default needs.

    Attributes
    ----------
    protocols : dict
        Needs of a Task by class of its Protocol.
    units : dict
        Needs by class of ProtocolUnit, for classes that leave the GPU free for another unit of the Task. A class
        that is missing uses all GPUs of its Task.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocols: dict[ClassName, Needs] = {}
    units: dict[ClassName, Needs] = {}


@functools.cache
def default_needs() -> _NeedsByClass:
    """Return the needs that installed packages declare. One that cannot be read is logged and ignored."""
    protocols: dict[str, Needs] = {}
    units: dict[str, Needs] = {}
    for name in sorted(plugin_names(RESOURCE_NEEDS), key=lambda name: (name not in _SHIPPED, name)):
        try:
            declared = _NeedsByClass.model_validate(load_plugin(RESOURCE_NEEDS, name))
        except (LakeError, ValidationError) as e:
            _log.warning("resource needs of %s are ignored: %s", name, e)
            continue
        protocols |= declared.protocols
        units |= declared.units
    return _NeedsByClass(protocols=protocols, units=units)


def needs_of(pools: Pools | None, protocol_qualname: str) -> Needs:
    """Return what a Task of a Protocol needs.

    Parameters
    ----------
    pools : Pools or None
        Configuration; its `protocols` override the defaults key by key. Those of `*` apply to unknown classes.
    protocol_qualname : str
        Class of the Protocol, without its module.

    Returns
    -------
    Needs
        One core and no GPU for a class that neither `pools` nor an installed package lists.
    """
    declared = {} if pools is None else pools.protocols
    known = default_needs().protocols.get(protocol_qualname)
    if known is None:
        known = declared.get(ANY_PROTOCOL, Needs())
    return _over(known, declared.get(protocol_qualname))


def unit_needs(pools: Pools | None) -> dict[str, Resources]:
    """Return the needs of ProtocolUnits by class; units of other classes share those of their Task."""
    declared: Mapping[str, Needs] = {} if pools is None else pools.units
    known = default_needs().units
    return {
        name: _over(known.get(name, Needs()), declared.get(name)).resources
        for name in sorted(known.keys() | declared.keys())
    }


def process_per_unit(pools: Pools | None) -> dict[str, bool]:
    """Return whether each unit of a Task runs in its own process, by class of Protocol; `*`: any other class."""
    declared = {} if pools is None else pools.protocols
    names = default_needs().protocols.keys() | declared.keys() | {ANY_PROTOCOL}
    return {name: needs_of(pools, name).process == "unit" for name in sorted(names)}


def _over(default: Needs, given: Needs | None) -> Needs:
    """Override the default with the fields set in `given`."""
    if given is None:
        return default
    return default.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})
