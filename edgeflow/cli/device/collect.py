"""`edgeflow device collect`: brings the samples that services kept here, to be labelled."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow import paths
from edgeflow.cli.device.asked import Asked, Devices, Fleet, Where, chosen
from edgeflow.cli.device.several import CONNECTIONS, Connections, answer_for_all, opened_alone
from edgeflow.cli.names import names_of
from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, Results, load_plan
from edgeflow.console import say
from edgeflow.errors import DataError

if TYPE_CHECKING:
    from edgeflow.deploy.release import OpenDevice

OUT = Path("collected")


def collect(
    devices: Devices = None,
    model: Annotated[
        str | None,
        typer.Option(help="Of this model alone.", autocompletion=names_of("models")),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder; each model gets one in it.")] = OUT,
    fleet: Fleet = None,
    where: Where = None,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    connections: Connections = CONNECTIONS,
    as_json: Json = False,
) -> None:
    """Fetch the samples that services kept on devices; what is here already is not sent again."""
    plan = load_plan(config)
    asked = chosen(plan, devices, config, fleet, where)
    if model is not None and model not in plan.config.models:
        raise typer.BadParameter(f"no model {model!r} in {config}")
    wanted = _wanted(asked, model)

    def ask(name: str) -> dict[str, Any]:
        with opened_alone(name, asked[name].section) as device:
            return {of: _collect(device, of, asked[name], results, out) for of in wanted[name]}

    def show(found: Mapping[str, Mapping[str, Any]]) -> None:
        for name, models in found.items():
            for of, it in models.items():
                print(f"{name}: {of}: {len(it['new'])} new samples in {out / of}")
                for sample, why in it["refused"].items():
                    say(f"{name}: {of}: refused {sample[:12]}: {why}")
        if any(it["new"] for models in found.values() for it in models.values()):
            say(
                f"hint: fill in `label` of {out}/MODEL/labels.csv, or sort the files into a folder "
                "for each label there; then train on them by `source: collected`"
            )

    answer_for_all(wanted, ask, show, connections=connections, as_json=as_json, code=_code)


def _wanted(asked: Mapping[str, Asked], model: str | None) -> dict[str, list[str]]:
    """Return the models of each device that samples are wanted of."""
    wanted = {name: [of for of in it.models if model in (None, of)] for name, it in asked.items()}
    if not any(wanted.values()):
        told = f"no device of these has the model {model!r}" if model else "no device has a model"
        raise typer.BadParameter(f"{told} by configuration: {', '.join(wanted)}")
    return {name: models for name, models in wanted.items() if models}


def _code(models: Mapping[str, Any]) -> int:
    return DataError.exit_code if any(it["refused"] for it in models.values()) else 0


def _collect(
    device: "OpenDevice", model: str, asked: Asked, results: Path, out: Path
) -> dict[str, Any]:
    from edgeflow.bundle.manifest import read_bundle
    from edgeflow.deploy.collect import collect as fetch
    from edgeflow.errors import DeployError

    of = {"target": asked.section.target, "model": model, "recipe": asked.models[model]}
    bundle = results / paths.COMPILED.format(**of) / "bundle.tar"
    if not bundle.is_file():
        raise DeployError(
            f"{bundle} is not there, and says what samples are", hint=f"build it: {asked.deploy}"
        )
    done = fetch(device, read_bundle(bundle), out / model)
    return {"new": done.new, "refused": done.refused}
