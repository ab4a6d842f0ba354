"""Commands about devices."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from edgeflow.cli.project import CONFIG, ConfigFile, load_plan
from edgeflow.config.base import NAME_PATTERN

if TYPE_CHECKING:
    from edgeflow.remote.inventory import Account

OPTIONS = {"host_key": "--jump-host-key", "identity": "--jump-identity"}
app = typer.Typer(help="Look at devices, pin host keys, remove old models.", no_args_is_help=True)


@app.command()
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
        raise typer.BadParameter(first["msg"], param_hint=option) from error
    return jump_account(f"the jump host {place}", host, timeout_s)


@app.command()
def models(
    device: Annotated[str, typer.Argument(help="Name of a device of the configuration.")],
    remove: Annotated[
        list[str] | None, typer.Option(help="A model to remove with all its releases; repeatable.")
    ] = None,
    config: ConfigFile = CONFIG,
) -> None:
    """List the models on a device; remove those that the configuration no longer deploys there."""
    from edgeflow.deploy.release import open_device

    plan = load_plan(config)
    if device not in plan.config.devices:
        raise typer.BadParameter(f"no device {device!r} in {config}")
    wanted = {unit.model for unit in plan.units if unit.device == device}
    for model in remove or ():
        if model in wanted or not re.fullmatch(NAME_PATTERN, model):
            raise typer.BadParameter(f"{config} deploys {model!r} to {device}, or it is no name")
    with open_device(plan.job("deploy", device=device).slice) as opened:
        for model in remove or ():
            opened.forget(model)
            print(f"{model}: removed")
        for stored in opened.models():
            current = stored.current[:12] if stored.current else "none in use"
            known = "" if stored.name in wanted else f", not in {config}"
            print(f"{stored.name}: {current}, {stored.size_bytes} bytes{known}")
