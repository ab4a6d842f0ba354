"""`edgeflow device trust`: a host key, to compare and to pin."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from edgeflow.text import reason

if TYPE_CHECKING:
    from edgeflow.remote.inventory import Account

OPTIONS = {"host_key": "--jump-host-key", "identity": "--jump-identity"}


def trust(
    host: Annotated[str, typer.Argument(help="Name or address of the device.")],
    port: Annotated[int, typer.Option(help="TCP port of its SSH server.")] = 22,
    timeout_s: Annotated[float, typer.Option(help="Longest wait for an answer.")] = 10.0,
    proxy_jump: Annotated[
        str, typer.Option(metavar="USER@HOST[:PORT]", help="Host to go through.")
    ] = "",
    jump_host_key: Annotated[str, typer.Option(help="The only key that is accepted of it.")] = "",
    jump_identity: Annotated[str, typer.Option(help="Private key file to log in there.")] = "",
) -> None:
    """Show a device's host key, to compare with the device and paste into config.yaml."""
    from edgeflow.remote.trust import scan_host_key

    jump = _jump(proxy_jump, jump_host_key, jump_identity, timeout_s) if proxy_jump else None
    key, fingerprint = scan_host_key(host, port, timeout_s, jump)
    print(f"fingerprint: {fingerprint}")
    print("compare it on the device: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    print(f"then write in config.yaml: host_key: {key}")


def _jump(way: str, host_key: str, identity: str, timeout_s: float) -> "Account":
    """Return the account on the jump host that the options name."""
    from pydantic import ValidationError

    from edgeflow.config.device import JumpHost
    from edgeflow.remote.inventory import jump_account

    user, _, place = way.rpartition("@")
    found = re.fullmatch(r"(?:\[(?P<v6>.+)\]|(?P<name>[^:]+))(?::(?P<port>[0-9]{1,5}))?", place)
    if found is None:
        raise typer.BadParameter(f"{way!r} is not USER@HOST[:PORT]", param_hint="--proxy-jump")
    try:
        host = JumpHost(
            host=found["v6"] or found["name"],
            port=int(found["port"] or 22),
            user=user,
            host_key=host_key,
            identity=identity,
        )
    except ValidationError as error:
        first = error.errors()[0]
        option = OPTIONS.get(str(first["loc"][0]), "--proxy-jump")
        raise typer.BadParameter(reason(first["msg"]), param_hint=option) from error
    return jump_account(f"the jump host {place}", host, timeout_s)
