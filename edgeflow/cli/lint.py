"""`edgeflow lint`: which operators of a .tflite a kind of target takes, and why not the others."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow.cli.names import names_of, raw_section
from edgeflow.cli.place import placed
from edgeflow.cli.project import CONFIG, RESULTS, ConfigFile, Json, Results, print_json
from edgeflow.text import excerpt

if TYPE_CHECKING:
    from pydantic import BaseModel

    from edgeflow.targets.base import Target
    from edgeflow.targets.coverage import Coverage

TfliteFile = Annotated[
    str,
    typer.Argument(metavar="FILE", help="A .tflite, or MODEL/RECIPE of this project's results."),
]
Kind = Annotated[
    str,
    typer.Option(
        "--target",
        "-t",
        metavar="KIND",
        help="A kind of target, or a target of the configuration.",
        autocompletion=names_of("targets"),
    ),
]
Given = Annotated[
    list[str] | None,
    typer.Option(
        "--option", "-o", metavar="KEY=VALUE", help="An option of the target; may be repeated."
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with code 1 if an operator does not map.")
]


def lint(
    model: TfliteFile,
    target: Kind,
    option: Given = None,
    strict: Strict = False,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Say which operators of a .tflite a target takes, and why not the others. It compiles nothing.

    No project is needed. Operators that do not map are no failure, unless with --strict.
    """
    from edgeflow.config.target import capabilities_of
    from edgeflow.inspection.fits import whole_file
    from edgeflow.targets.coverage import cover

    cls, options, assumed = _target(target, option or [], config)
    path = Path(model).expanduser()
    if path.exists() and not path.is_file():
        raise typer.BadParameter(f"{model!r} is no regular file: name a .tflite", param_hint="FILE")
    path = path if path.is_file() else placed(model, results, None)
    made = path.resolve().is_relative_to(results.resolve())
    whole = whole_file(path, capabilities_of(cls, options), made=made)
    found = cover(cls, path, options, whole)
    if as_json:
        given = options.model_dump(mode="json", exclude={"kind"})
        print_json({"file": str(path), "kind": cls.name, "options": given, **found.record()})
    else:
        for line in _lines(path, cls.name, found):
            print(line)
        for key, value in assumed.items():
            print(f"taken for `{key}: {value}`; another by `--option {key}=...`")
    if strict and found.unmapped:
        raise typer.Exit(1)


def _target(
    name: str, given: list[str], config: Path
) -> "tuple[type[Target], BaseModel, dict[str, Any]]":
    """Return class and options of a kind, or of a target of the configuration.

    The last are options that must be given, are not, and so are the first that they may be.
    """
    from pydantic import ValidationError

    from edgeflow.cli.choices import usual
    from edgeflow.config.finding import did_you_mean
    from edgeflow.targets import registry

    targets = raw_section(config, "targets")
    entry = targets.get(name)
    raw = dict(entry) if isinstance(entry, dict) else {"kind": name}
    kind = str(raw.get("kind"))
    if kind not in registry.names():
        meant = did_you_mean(kind, [*targets, *registry.names()])
        raise typer.BadParameter(f"no kind of target {kind!r}; {meant}", param_hint="--target")
    cls = registry.get(kind)
    raw |= dict(map(_pair, given))
    assumed = {key: value for key, value in usual(cls).items() if key not in raw}
    try:
        return cls, cls.Options.model_validate({**assumed, **raw}), assumed
    except ValidationError as error:
        flaws = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
        )
        raise typer.BadParameter(flaws, param_hint="--option") from None


def _pair(text: str) -> tuple[str, Any]:
    """Return key and value of an option, the value as YAML has it."""
    import yaml

    from edgeflow.config.yaml12 import read

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--option")
    try:
        return key, read(value)[1]
    except (ValueError, RecursionError, yaml.YAMLError):
        raise typer.BadParameter(f"{value!r} is no value", param_hint="--option") from None


def _lines(path: Path, kind: str, found: "Coverage") -> Iterator[str]:
    names = [f"{excerpt(one.operator, 60)} v{one.version}" for one in found.operators]
    width = max(map(len, names), default=0)
    for one, name in zip(found.operators, names, strict=True):
        said = f": {one.reason}" if one.reason else ""
        yield f"{one.index:>5}  {name:<{width}}  {'yes' if one.mapped else 'no'}{said}"
    yield from (f"{finding.severity}: {finding.place}: {finding.message}" for finding in found.said)
    if not found.operators:
        yield f"{path}: its main graph has no operators"
        return
    if not found.unmapped:
        yield f"{path}: all {len(found.operators)} operators map to {kind}"
        return
    first = found.unmapped[0]
    yield (
        f"{path}: {len(found.operators) - len(found.unmapped)} of {len(found.operators)} operators "
        f"map to {kind}; the first that does not is {first.index}, {excerpt(first.operator, 60)}: "
        f"{first.reason}"
    )
