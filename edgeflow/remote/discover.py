"""SSH servers of the network that announce themselves by mDNS; what they say is checked."""

import ipaddress
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

SERVICE = "_ssh._tcp.local."
FOUND_MAX = 256
ASK_MS = 500
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Announced:
    """An SSH server that announces itself.

    Attributes:
        name: fit for a device of a configuration.
        host: the name under which this machine reaches it, else its address.
    """

    name: str
    host: str
    port: int


def discover(wait_s: float, interfaces: Sequence[str] = ()) -> list[Announced]:
    """Return the SSH servers that answer within `wait_s`, each once.

    Args:
        wait_s: how long to listen.
        interfaces: addresses of this machine to listen on; by default all of its interfaces.

    Raises:
        OSError: this machine has no network.
    """
    from zeroconf import InterfaceChoice, ServiceBrowser, ServiceListener, Zeroconf

    names: list[str] = []

    class Listener(ServiceListener):
        def add_service(self, _zc: Zeroconf, _kind: str, name: str) -> None:
            if len(names) < FOUND_MAX:
                names.append(name)

        def update_service(self, _zc: Zeroconf, _kind: str, _name: str) -> None:
            pass

        def remove_service(self, _zc: Zeroconf, _kind: str, _name: str) -> None:
            pass

    with Zeroconf(interfaces=list(interfaces) or InterfaceChoice.All) as network:
        browser = ServiceBrowser(network, SERVICE, Listener())
        time.sleep(wait_s)
        browser.cancel()
        infos = [network.get_service_info(SERVICE, name, ASK_MS) for name in dict.fromkeys(names)]
    found = {
        (it.host, it.port): it
        for info in infos
        if info is not None and info.port
        for it in [_announced(info.name, info.server or "", info.port, info.parsed_addresses())]
        if it is not None
    }
    return sorted(found.values(), key=lambda it: it.name)


def _announced(name: str, server: str, port: int, addresses: Sequence[str]) -> Announced | None:
    """Return what an announcement says, as far as it can be used."""
    plain = sorted(addresses, key=lambda it: ipaddress.ip_address(it.partition("%")[0]).version)
    server = server.rstrip(".")
    host = server if _HOST.fullmatch(server) and _resolves(server) else next(iter(plain), None)
    short = re.sub(r"[^a-z0-9]+", "-", name.removesuffix(f".{SERVICE}").lower()).strip("-")[:40]
    return None if host is None or not short else Announced(name=short, host=host, port=port)


def _resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return False
