"""`edgeflow export`: what goes into builds that are not edgeflow's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeflow.cli.place import placed
from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, Results, print_json
from edgeflow.targets.mcu.export.layout import Layout
from edgeflow.targets.mcu.settings import Kernels, Mode, Profile, Settings

app = typer.Typer()
DEFAULT = Settings()

Int8File = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="An int8 .tflite, or MODEL/RECIPE of this project's results."
    ),
]
Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="DIR", help="A folder that is new or empty.")
]
Name = Annotated[
    str, typer.Option(help="Prefix of files and functions; by default the model's name.")
]
Labels = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Names of the classes, one a line; those of a model of this project are known.",
    ),
]
Layouts = Annotated[
    list[Layout] | None,
    typer.Option(help="The build system it is for; may be repeated. By default all."),
]


@app.callback()
def export() -> None:
    """Export networks for builds of your own."""


@app.command("c")
def c(
    model: Int8File,
    out: Out,
    name: Name = "",
    profile: Annotated[
        Profile, typer.Option(help="Whose arithmetic the outputs equal byte by byte.")
    ] = DEFAULT.profile,
    mode: Annotated[
        Mode, typer.Option(help="Small code, quick code, or weights within the code.")
    ] = DEFAULT.mode,
    simd: Annotated[
        bool, typer.Option("--simd", help="Use the DSP extension of Cortex-M4, M7 and M33.")
    ] = DEFAULT.simd,
    kernels: Annotated[
        Kernels, typer.Option(help="edgeflow's kernels, or Arm's where they take a layer.")
    ] = DEFAULT.kernels,
    labels: Labels = None,
    layout: Layouts = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an earlier export; edited files stay.")
    ] = False,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Write an int8 .tflite as C99 with an example; no project needed.

    The folder is a CMake project, an Arduino library, a Zephyr module and an ESP-IDF component.
    """
    from edgeflow.targets.mcu.export.export import export as write

    path = placed(model, results, None)
    prefix = _prefix(name, path if Path(model).exists() else Path(model.partition("/")[0]))
    settings = Settings(profile=profile, mode=mode, simd=simd, kernels=kernels, name=prefix)
    known = _read_labels(labels) if labels else _known_labels(model, config, results)
    layouts = layout or tuple(Layout)
    found = write(path, out, settings, labels=known, layouts=layouts, force=force)
    if as_json:
        print_json({"folder": str(out), **found})
        return
    for line in _lines(out, found):
        print(line)


@app.command("mender-module")
def mender_module(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="File to write.")] = Path(
        "edgeflow"
    ),
) -> None:
    """Write Mender's update module `edgeflow`, which devices need once, as modules/v3/edgeflow."""
    from edgeflow.artifact.atomic import write_bytes
    from edgeflow.handover.mender import MODULE

    write_bytes(out, MODULE)
    out.chmod(0o755)
    print(f"{out}: put it on each device as /usr/share/mender/modules/v3/edgeflow, executable")


def _prefix(name: str, model: Path) -> str:
    from edgeflow.targets.mcu.export import prefix

    if why := prefix.refusal(name or prefix.of_file(model)):
        raise typer.BadParameter(why, param_hint="--name")
    return name or prefix.of_file(model)


def _known_labels(model: str, config: Path, results: Path) -> list[str]:
    """Return the classes of what MODEL/RECIPE of this project tells apart; of other files none."""
    if Path(model).exists() or not config.is_file():
        return []
    from edgeflow import paths
    from edgeflow.config.load import load_file
    from edgeflow.dataset.view import open_dataset

    section = load_file(config).models.get(model.partition("/")[0])
    if section is None:
        return []
    facts = open_dataset(results / paths.DATASET.format(dataset=section.dataset), ()).facts
    return facts.labels if facts.task == "classification" else []


def _read_labels(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{path} is not UTF-8", param_hint="--labels") from None
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="--labels") from None
    return text.rstrip("\r\n").split("\n") if text.strip() else []


def _lines(out: Path, found: dict[str, Any]) -> Iterator[str]:
    name = found["settings"]["name"]
    yield f"{out}: {name}.h, {name}.c, README.md and files for {', '.join(found['layouts'])}"
    yield f"  constants       {found['constants_bytes']:>10,} bytes of flash; code comes on top"
    yield f"  working memory  {found['arena_bytes']:>10,} bytes of RAM"
    ends = found["input_bytes"] + found["output_bytes"]
    yield f"  input, output   {ends:>10,} bytes of RAM, the caller's"
    yield f"  MACs            {found['macs']:>10,} for one inference"
    yield f"next: {out / 'README.md'}"
