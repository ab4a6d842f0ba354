"""`edgeflow export`: what goes into builds that are not edgeflow's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeflow.cli.place import ModelFile, placed
from edgeflow.cli.project import RESULTS, Json, Results, print_json
from edgeflow.targets.mcu.export.layout import Layout
from edgeflow.targets.mcu.settings import Kernels, Mode, Profile, Settings

app = typer.Typer(help="Export networks for builds of your own.", no_args_is_help=True)
DEFAULT = Settings()


@app.callback()
def export() -> None:
    """Export networks for builds of your own."""


@app.command("c")
def c(
    model: ModelFile,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="A folder that is new or empty.")
    ],
    name: Annotated[
        str, typer.Option(help="Prefix of files and functions; by default the file's name.")
    ] = "",
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
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names of the classes, one a line.")
    ] = None,
    layout: Annotated[
        list[Layout] | None,
        typer.Option(help="The build system it is for; may be repeated. By default all."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an earlier export; edited files stay.")
    ] = False,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Write an int8 .tflite as C99 with an example; no project needed.

    The folder is a CMake project, an Arduino library, a Zephyr module and an ESP-IDF component.
    """
    from edgeflow.targets.mcu.export import prefix
    from edgeflow.targets.mcu.export.export import export as write

    path = placed(model, results, None)
    if why := prefix.refusal(name or prefix.of_file(path)):
        raise typer.BadParameter(why, param_hint="--name")
    settings = Settings(
        profile=profile, mode=mode, simd=simd, kernels=kernels, name=name or prefix.of_file(path)
    )
    found = write(
        path,
        out,
        settings,
        labels=_read_labels(labels),
        layouts=layout or tuple(Layout),
        force=force,
    )
    if as_json:
        print_json({"folder": str(out), **found})
        return
    for line in _lines(out, found):
        print(line)


def _read_labels(path: Path | None) -> list[str]:
    if path is None:
        return []
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
