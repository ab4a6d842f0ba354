"""`edgeflow device provision`: a device gets what deploying to it needs."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow.cli.device.asked import Asked, Fleet, Where, chosen_to_change
from edgeflow.cli.device.several import CONNECTIONS, Connections, answer_for_all
from edgeflow.cli.listing import print_columns
from edgeflow.cli.names import names_of
from edgeflow.cli.project import CONFIG, ConfigFile, Json, load_plan
from edgeflow.errors import DeployError
from edgeflow.paths import workflow_folder

if TYPE_CHECKING:
    from edgeflow.deploy.provision.steps import Wanted
    from edgeflow.plan import Plan

HEADER = ("device", "what", "state", "")
Steps = list[dict[str, str]]


def provision(
    devices: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DEVICE",
            help="Devices of the configuration; or of --fleet, and then by default all.",
            autocompletion=names_of("devices"),
        ),
    ] = None,
    fleet: Fleet = None,
    where: Where = None,
    config: ConfigFile = CONFIG,
    lock: Annotated[
        Path | None,
        typer.Option(help="Lock file of their packages; by default that of their target."),
    ] = None,
    online: Annotated[
        bool, typer.Option("--online", help="They install packages from the registry themselves.")
    ] = False,
    admin_identity: Annotated[
        Path | None,
        typer.Option(
            help="Private key file that may do anything there; `identity` may then only deploy."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")
    ] = False,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Give devices the agent, the engine's environment, the trusted signers, recovery at boot."""
    plan = load_plan(config)
    asked = chosen_to_change(plan, devices, config, fleet, where)
    for option, path in (("--lock", lock), ("--admin-identity", admin_identity)):
        if path is not None and not path.expanduser().is_file():
            raise typer.BadParameter(f"no file {path}", param_hint=option)

    def ask(name: str) -> Steps:
        from edgeflow.deploy.provision.keys import public_of
        from edgeflow.deploy.provision.steps import provision
        from edgeflow.remote.inventory import endpoint

        account = endpoint(name, asked[name].section)
        wanted = _wanted(plan, asked[name], lock, online)
        if admin_identity is not None:
            wanted = replace(wanted, deploys=public_of(account))
            account = replace(account, identity=admin_identity.expanduser())
            if public_of(account) == wanted.deploys:
                raise DeployError(
                    f"{admin_identity} is the `identity` of {account.title} itself",
                    hint="restricting the only key would lock you out; create another to deploy "
                    "with: ssh-keygen -t ed25519 -f ~/.ssh/edgeflow",
                )
        return [asdict(step) for step in provision(account, wanted, dry_run=dry_run)]

    answer_for_all(asked, ask, _show, connections=connections, as_json=as_json)


def _wanted(plan: "Plan", asked: Asked, lock: Path | None, online: bool) -> "Wanted":
    from edgeflow.deploy.provision.keys import trusted
    from edgeflow.deploy.provision.steps import Wanted

    device = asked.section
    signatures = device.trust == "signatures"
    return Wanted(
        trust=trusted(plan.config.signing, signatures=signatures),
        lock=lock or device_lock(plan, device),
        online=online,
        services=list(asked.models) if device.service is not None else [],
        silent=list(asked.models) if device.service is None else [],
        boot=device.transport == "ssh",
    )


def device_lock(plan: "Plan", device: Any) -> Path | None:
    """Return the lock of the packages that a device's target is tested with, if there is one."""
    from edgeflow.config.target import target_kind

    kind = target_kind(plan.config.targets[device.target])
    lock = workflow_folder() / "envs" / f"{kind}-device.txt"
    return lock if lock.is_file() else None


def _show(found: Mapping[str, Steps]) -> None:
    rows = [
        (name, step["what"], step["state"], step["detail"])
        for name, steps in found.items()
        for step in steps
    ]
    print_columns(HEADER, rows)
