"""Commands about devices."""

from typing import Annotated

import typer

app = typer.Typer(help="Look at devices and pin their host keys.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `device` a group while it has one command."""


@app.command()
def trust(
    host: Annotated[str, typer.Argument(help="Name or address of the device.")],
    port: Annotated[int, typer.Option(help="TCP port of its SSH server.")] = 22,
    timeout_s: Annotated[float, typer.Option(help="Longest wait for an answer.")] = 10.0,
) -> None:
    """Show a device's host key, to compare with the device and paste into config.yaml."""
    from edgeflow.deploy.trust import scan_host_key

    key, fingerprint = scan_host_key(host, port, timeout_s)
    print(f"fingerprint: {fingerprint}")
    print("compare it on the device: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    print(f"then write in config.yaml: host_key: {key}")
