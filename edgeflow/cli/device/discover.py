"""`edgeflow device discover`: SSH servers of the network, as sections to paste."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow.cli.device.several import CONNECTIONS, Connections, ask_all
from edgeflow.cli.project import CONFIG, ConfigFile, Json, load_plan, print_json
from edgeflow.console import say
from edgeflow.errors import UnreachableError

if TYPE_CHECKING:
    from edgeflow.remote.discover import Announced


def discover(
    config: ConfigFile = CONFIG,
    wait_s: Annotated[float, typer.Option(min=0.1, max=60, help="How long to listen.")] = 3.0,
    timeout_s: Annotated[float, typer.Option(help="Longest wait for a host key.")] = 10.0,
    interface: Annotated[
        list[str] | None, typer.Option(help="Address of this machine to listen on; all by default.")
    ] = None,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Find devices of the network that announce SSH (mDNS); print sections for config.yaml."""
    from edgeflow.remote.discover import discover
    from edgeflow.remote.trust import scan_host_key

    try:
        announced = {it.name: it for it in discover(wait_s, interface or ())}
    except OSError as error:
        raise UnreachableError(
            f"nothing can be discovered from here: {error}",
            hint="is this machine on a network? name one of its addresses: --interface ADDRESS",
        ) from error
    known = _configured(config)

    def ask(name: str) -> tuple[str, str]:
        return scan_host_key(announced[name].host, announced[name].port, timeout_s)

    keys, failed = ask_all(announced, ask, connections)
    found = [_record(announced[name], *key, known.get(key[0])) for name, key in keys.items()]
    if as_json:
        print_json(found)
    else:
        _print(found)
    for name, failure in failed.items():
        say(f"{name}: {failure}")
    raise typer.Exit(next((it.exit_code for it in failed.values()), 0))


def _configured(config: Any) -> dict[str, str]:
    """Return the devices of the configuration by their host keys."""
    if not config.is_file():
        return {}
    devices = load_plan(config).config.devices
    return {it.host_key: name for name, it in devices.items() if it.transport == "ssh"}


def _record(it: "Announced", host_key: str, fingerprint: str, device: str | None) -> dict[str, Any]:
    return {**asdict(it), "host_key": host_key, "fingerprint": fingerprint, "device": device}


def _print(found: list[dict[str, Any]]) -> None:
    """Print what is new as YAML, and what is configured as comments."""
    for it in (it for it in found if it["device"]):
        print(f"# {it['host']}:{it['port']} is device {it['device']}")
    new = [it for it in found if not it["device"]]
    if not new:
        say("no other device announces SSH on this network" if found else "nothing announces SSH")
        return
    print("# Compare each fingerprint on the device itself:")
    print("#   ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    print("devices:")
    for it in new:
        print(f"  {it['name']}:")
        print("    target: TARGET              # one of `targets`")
        print("    transport: ssh")
        print(f"    host: {it['host']}")
        if it["port"] != 22:
            print(f"    port: {it['port']}")
        print("    user: USER                  # the account there")
        print(f"    host_key: {it['host_key']}  # {it['fingerprint']}")
        print("    identity: ~/.ssh/edgeflow")
