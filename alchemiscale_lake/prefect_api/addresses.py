"""Addresses of this machine, and bypassing proxies for them."""

from __future__ import annotations

import ipaddress
import os
import socket
import urllib.request

import psutil

from ..errors import SettingsError

__all__ = ["bypass_proxies", "is_here", "is_loopback", "listen"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_loopback(host: str) -> bool:
    """Return whether a server that listens on this address is reachable from this machine only."""
    found = _addresses(host)
    return bool(found) and all(address.is_loopback for address in found)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address; port 0 takes a free one.

    Parameters
    ----------
    host : str
        Address of this machine.
    port : int
        TCP port; 0 takes a free one.

    Raises
    ------
    SettingsError
        If the port is taken or the address is not of this machine.
    """
    try:
        return socket.create_server((host, port), backlog=512)
    except OSError as e:
        raise SettingsError(
            f"cannot listen on {host}:{port} ({e.strerror}); give another --port", host=host, port=port
        ) from e


def is_here(host: str) -> bool:
    """Return whether all addresses of a host name belong to this machine."""
    found = _addresses(host)
    own = {
        ipaddress.ip_address(address.address.partition("%")[0])
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6)
    }
    return bool(found) and all(address.is_loopback or address in own for address in found)


def _addresses(host: str) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        return {ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in socket.getaddrinfo(host, None)}
    except (OSError, ValueError):
        return set()


def bypass_proxies(*hosts: str) -> None:
    """Bypass the user's proxies for requests to this machine, in this process and its children.

    Extends `no_proxy` and `NO_PROXY`, only if a proxy is set. `hosts` are further names of this machine;
    the loopback addresses are always included.
    """
    if not any(kind != "no" for kind in urllib.request.getproxies_environment()):
        return
    lower, upper = os.environ.get("no_proxy"), os.environ.get("NO_PROXY")
    for name, value in (("no_proxy", lower or upper), ("NO_PROXY", upper or lower)):
        listed = [entry.strip() for entry in (value or "").split(",") if entry.strip()]
        if "*" in listed:
            continue
        new = [host for host in dict.fromkeys((*_LOOPBACK, *hosts)) if host not in listed]
        os.environ[name] = ",".join([*listed, *new])
