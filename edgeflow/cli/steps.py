"""One command for each step of the DAG; the rules call these, and so can you."""

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeflow.artifact.events import recorded
from edgeflow.cli.log import send_to


def _json(text: str) -> dict[str, Any]:
    """Return a JSON object; ``@file`` stands for what is in a file."""
    try:
        value = json.loads(Path(text[1:]).read_bytes() if text.startswith("@") else text)
    except OSError as error:
        raise typer.BadParameter(f"{text[1:]}: {error.strerror}") from error
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise typer.BadParameter("not a JSON object")
    return value


def _fitting(context: typer.Context, slice_: dict[str, Any]) -> dict[str, Any]:
    """Return the slice of a step if it is what the step takes."""
    return _checked(str(context.info_name), slice_)


def _fits(what: str) -> Callable[[dict[str, Any] | None], dict[str, Any] | None]:
    """Return a function that returns a JSON object if it is what it must be; nothing for none."""
    return lambda value: _checked(what, value) if value else None


def _checked(what: str, value: dict[str, Any]) -> dict[str, Any]:
    from edgeflow.cli.slices import slice_problems

    problems = slice_problems(what, value)
    if problems:
        raise typer.BadParameter("; ".join(problems))
    return value


Slice = Annotated[
    dict[str, Any],
    typer.Option(
        "--slice",
        parser=_json,
        callback=_fitting,
        help="Resolved slice of the configuration, JSON; @FILE for one in a file.",
    ),
]
Toolchain = Annotated[
    dict[str, Any] | None,
    typer.Option(
        parser=_json,
        callback=_fits("toolchain"),
        help="Versions that Snakemake planned with, JSON; stop if the toolchain has others.",
    ),
]
CompileHost = Annotated[
    dict[str, Any] | None,
    typer.Option(
        "--host",
        parser=_json,
        callback=_fits("host"),
        help="Compile host with the toolchain: its name and section of the configuration.",
    ),
]
Code = Annotated[str, typer.Option(help="Fingerprint of the step's code.")]
Out = Annotated[Path, typer.Option(help="Folder or file to write.")]
Log = Annotated[Path | None, typer.Option(help="File for everything the step says.")]
Name = Annotated[str, typer.Option(help="What is built, for messages.")]
Planned = Annotated[
    str, typer.Option(help="Digest that Snakemake planned with; stop if the source has another.")
]
Folder = Annotated[Path, typer.Option(help="Output folder of the earlier step of that name.")]


def register(app: typer.Typer) -> None:
    """Add the steps to the command line, in the order of the data's way."""
    building = (dataset, train, import_model, compress, debug, compile)
    for step in (*building, deploy, validate, gate, judge, waves, handover, report):
        name = step.__name__.removesuffix("_model")  # `import` is a word of Python's
        app.command(name, rich_help_panel="Steps")(_whole(name, step))


def _whole(name: str, step: Callable[..., None]) -> Callable[..., None]:
    """Return a step with an event for whatever ends it, even before it looks for its key.

    Steps without an option `--name` record themselves as a whole.
    """
    if "name" not in step.__annotations__:
        return step

    @wraps(step)
    def run(**options: Any) -> None:
        with recorded(name, options["name"]):
            step(**options)

    return run


def dataset(
    name: Name, slice_: Slice, code: Code, out: Out, planned: Planned = "", log: Log = None
) -> None:
    """Load a source and split it."""
    send_to(log)
    from edgeflow.dataset.build import build_dataset

    build_dataset(name, slice_, code, out, planned)


def train(
    name: Name, dataset: Folder, slice_: Slice, code: Code, out: Out, log: Log = None
) -> None:
    """Train a float model."""
    send_to(log)
    from edgeflow.train.build import train_model

    train_model(name, dataset, slice_, code, out)


def import_model(
    name: Name,
    dataset: Folder,
    source: Annotated[Path, typer.Option(help="The model file, or folder of a SavedModel.")],
    slice_: Slice,
    code: Code,
    out: Out,
    planned: Planned = "",
    log: Log = None,
) -> None:
    """Import a model file in the place of a training."""
    send_to(log)
    from edgeflow.imported.build import import_model as run

    run(name, dataset, source, slice_, code, out, planned)


def compress(
    name: Name,
    dataset: Folder,
    model: Folder,
    slice_: Slice,
    code: Code,
    out: Out,
    teacher: Annotated[
        list[Path] | None, typer.Option(help="Folder of a model that the recipe learns from.")
    ] = None,
    toolchain: Toolchain = None,
    log: Log = None,
) -> None:
    """Apply a recipe to a trained model."""
    send_to(log)
    from edgeflow.compress.build import compress_model

    compress_model(name, dataset, model, slice_, code, out, teacher or (), toolchain)


def debug(
    name: Name,
    dataset: Folder,
    recipe: Folder,
    slice_: Slice,
    code: Code,
    out: Out,
    log: Log = None,
) -> None:
    """Measure what quantization did to a model, layer by layer."""
    send_to(log)
    from edgeflow.compress.debug.build import debug_recipe

    debug_recipe(name, dataset, recipe, slice_, code, out)


def compile(
    name: Name,
    dataset: Folder,
    recipe: Folder,
    slice_: Slice,
    code: Code,
    out: Out,
    toolchain: Toolchain = None,
    host: CompileHost = None,
    log: Log = None,
) -> None:
    """Compile a recipe's model for a target."""
    send_to(log)
    from edgeflow.targets.build import compile_model

    compile_model(name, dataset, recipe, slice_, code, out, toolchain, host)


def bundle(
    name: Name,
    dataset: Folder,
    compiled: Folder,
    model: Folder,
    recipe: Folder,
    slice_: Slice,
    code: Code,
    out: Out,
    key: Annotated[
        Path | None, typer.Option(help="Key that signs: the private one, or its public half.")
    ] = None,
    signatures: Annotated[
        Path | None, typer.Option(help="Folder of signatures made on another machine.")
    ] = None,
    log: Log = None,
) -> None:
    """Pack a compiled model with its runner."""
    send_to(log)
    from edgeflow.bundle.pack import made_from, pack_bundle

    sign = None
    if slice_["signing"] is not None:
        from edgeflow.bundle.signer import signer

        if key is None:
            raise typer.BadParameter("the slice names a key that signs: --key is missing")
        sign = signer(slice_["signing"]["key"], key.expanduser(), signatures)
    origin = made_from(dataset, model, recipe, slice_["parts"])
    pack_bundle(name, dataset, compiled, slice_, code, out, origin, sign)


def deploy(
    bundle: Annotated[Path, typer.Option(help="The bundle.tar to deploy.")],
    slice_: Slice,
    code: Code,
    out: Out,
    log: Log = None,
) -> None:
    """Bring a bundle to a device and try it there."""
    send_to(log)
    from edgeflow.deploy.deploy import deploy as run

    run(bundle, slice_, code, out)


def validate(
    dataset: Folder,
    model: Folder,
    recipe: Folder,
    compiled: Folder,
    deployed: Annotated[Path, typer.Option(help="deploy.json of the deploy step.")],
    slice_: Slice,
    code: Code,
    out: Out,
    log: Log = None,
) -> None:
    """Measure a deployed bundle on its device."""
    send_to(log)
    from edgeflow.validate.run import Folders
    from edgeflow.validate.run import validate as run

    folders = Folders(dataset=dataset, model=model, recipe=recipe, compiled=compiled)
    run(slice_, code, folders, deployed, out)


def gate(
    validation: Annotated[Path, typer.Option(help="validation.json of the validate step.")],
    slice_: Slice,
    code: Code,
    out: Out,
    log: Log = None,
) -> None:
    """Make a measured release current, or reject it."""
    send_to(log)
    from edgeflow.validate.confirm import confirm

    confirm(slice_, code, validation, out)


def judge(
    model: Folder,
    recipe: Folder,
    compiled: Folder,
    slice_: Slice,
    code: Code,
    out: Out,
    log: Log = None,
) -> None:
    """Hold a model that is compiled for no device against its gates."""
    send_to(log)
    from edgeflow.validate.judge import judge as run

    run(slice_, code, model, recipe, compiled, out)


def waves(
    results: Annotated[Path, typer.Option(help="Folder that holds targets/ and rollouts/.")],
    slice_: Slice,
    code: Code,
    out: Out,
    log: Log = None,
) -> None:
    """Bring bundles to a fleet in waves; go on where an earlier run has ended."""
    send_to(log)
    from edgeflow.fleet.roll_out import roll_out

    roll_out(slice_, code, results, out)


def handover(
    bundle: Annotated[Path, typer.Option(help="The bundle.tar.")],
    slice_: Slice,
    code: Code,  # noqa: ARG001  # a reason for Snakemake to run it again
    out: Out,
    key: Annotated[Path | None, typer.Option(help="Private key of the fleet, PEM.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="Its certificate, PEM.")] = None,
    log: Log = None,
) -> None:
    """Make an artifact of an update system of a bundle."""
    send_to(log)
    from edgeflow.handover.build import hand_over

    hand_over(bundle, slice_, key, certificate, out)


def report(
    results: Annotated[Path, typer.Option(help="Folder that holds models/ and devices/.")],
    slice_: Slice,
    code: Code,
    out: Out,
    log: Log = None,
) -> None:
    """Write the report over all deployments."""
    send_to(log)
    from edgeflow.report.build import build_report

    build_report(slice_, code, results, out)
