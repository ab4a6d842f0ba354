"""Hosts by name or address: one that cannot be any is refused, and one spelled twice is known."""

import ipaddress


def usable_host(host: str) -> str:
    """Return a name or address of a host, if it can be one.

    Raises:
        ValueError: it has a port, or looks like an address and is none.
    """
    name, colon, port = host.partition(":")
    if colon and port.isdecimal() and _address(host) is None:
        raise ValueError(f"{host!r} has a port: give {name!r} here, and {port} as `port`")
    # No top-level domain is a number (RFC 3696 section 2).
    numeric = host.rstrip(".").rpartition(".")[2].isdecimal()
    if (":" in host or numeric) and _address(host.rstrip(".")) is None:
        raise ValueError(f"{host!r} is no IP address")
    return host


def canonical_host(host: str) -> str:
    """Return the one spelling of a name or address: of names, and of the forms of IPv6 (RFC 5952).

    An IPv4 address that is written as one of IPv6 (``::ffff:10.0.0.1``) is the same host.
    """
    plain = host.lower().rstrip(".")
    found = _address(host)
    if found is None:
        return plain
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
