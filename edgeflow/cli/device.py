"""Commands about devices."""

import re
from typing import Annotated

import typer

from edgeflow.cli.store import CONFIG, ConfigFile
from edgeflow.config.base import NAME_PATTERN

app = typer.Typer(help="Look at devices, pin host keys, remove old models.", no_args_is_help=True)


@app.command()
def trust(
    host: Annotated[str, typer.Argument(help="Name or address of the device.")],
    port: Annotated[int, typer.Option(help="TCP port of its SSH server.")] = 22,
    timeout_s: Annotated[float, typer.Option(help="Longest wait for an answer.")] = 10.0,
) -> None:
    """Show a device's host key, to compare with the device and paste into config.yaml."""
    from edgeflow.remote.trust import scan_host_key

    key, fingerprint = scan_host_key(host, port, timeout_s)
    print(f"fingerprint: {fingerprint}")
    print("compare it on the device: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    print(f"then write in config.yaml: host_key: {key}")


@app.command()
def models(
    device: Annotated[str, typer.Argument(help="Name of a device of the configuration.")],
    remove: Annotated[
        list[str] | None, typer.Option(help="A model to remove with all its releases; repeatable.")
    ] = None,
    config: ConfigFile = CONFIG,
) -> None:
    """List the models on a device; remove those that the configuration no longer deploys there."""
    from edgeflow.cli.project import load_plan
    from edgeflow.deploy.release import open_device

    plan = load_plan(config)
    if device not in plan.config.devices:
        raise typer.BadParameter(f"no device {device!r} in {config}")
    wanted = {unit.model for unit in plan.units if unit.device == device}
    for model in remove or ():
        if model in wanted or not re.fullmatch(NAME_PATTERN, model):
            raise typer.BadParameter(f"{config} deploys {model!r} to {device}, or it is no name")
    with open_device(plan.deploy(device).slice) as opened:
        for model in remove or ():
            opened.forget(model)
            print(f"{model}: removed")
        for stored in opened.models():
            current = stored.current[:12] if stored.current else "none in use"
            known = "" if stored.name in wanted else f", not in {config}"
            print(f"{stored.name}: {current}, {stored.size_bytes} bytes{known}")
