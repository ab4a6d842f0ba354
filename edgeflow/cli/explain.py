"""`edgeflow explain`: what made a file, or what a device runs."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow.artifact.cpu import reproducible
from edgeflow.artifact.events import EVENTS
from edgeflow.cli.names import names_of
from edgeflow.cli.project import (
    CONFIG,
    RESULTS,
    ConfigFile,
    Json,
    Results,
    load_plan,
    print_json,
)
from edgeflow.cli.store import open_store

if TYPE_CHECKING:
    from edgeflow.artifact.lineage import Origin


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(rich_help_panel="Project")(explain)


def explain(
    what: Annotated[
        str | None,
        typer.Argument(help="A file that a building step made; with --device, a model."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="Trace what this device runs.", autocompletion=names_of("devices")),
    ] = None,
    config: ConfigFile = CONFIG,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Say what made a file and what changed since; or what made that which a device runs."""
    if device is not None:
        _explain_device(device, what, config, results, as_json=as_json)
    elif what is None:
        raise typer.BadParameter("name a file, or a device by --device")
    else:
        _explain_file(Path(what), config, as_json=as_json)


def _explain_device(
    device: str, model: str | None, config: Path, results: Path, *, as_json: bool
) -> None:
    from edgeflow.cli.trace import lines_of, require_signed, trace_device

    traced = trace_device(load_plan(config), device, model, results)
    if as_json:
        print_json({device: traced})
    else:
        for line in lines_of(device, traced):
            print(line)
    require_signed(traced, device)


def _explain_file(file: Path, config: Path, *, as_json: bool) -> None:
    from edgeflow.artifact.lineage import differences, origin, previous

    made, store = origin(file), open_store(config)
    entry = store.find(made.key)
    key = previous(made)
    before = store.find(key) if key else None
    facts = {
        "file": str(file),
        "manifest": str(made.manifest),
        "as_built": made.as_built,
        "key": made.key,
        **made.identity,
        "reproducible": reproducible(made.identity["slice"]),
        "name": entry.name if entry else None,
        "in_store": entry is not None,
        "previous": key,
        "differences": differences(before.identity, made.identity) if before else None,
    }
    if as_json:
        print_json(facts)
        return
    for line in (*_origin(made), *_store(facts)):
        print(line)


def _origin(made: "Origin") -> Iterator[str]:
    changed = "" if made.as_built else ", and changed or removed since"
    yield f"{made.file}: made by the step {made.identity['step']}{changed}"
    for name, digest in made.identity["inputs"].items():
        yield f"  input {name}: {digest}"
    yield f"  slice: {json.dumps(made.identity['slice'], sort_keys=True)}"
    yield f"  code: {made.identity['code']}"
    for name, version in made.identity["tools"].items():
        lines = version.replace("\n", "\n    ")  # a compiler's version has several
        yield f"  tool {name}: {lines}"
    if not reproducible(made.identity["slice"]):
        yield "  not reproducible: trained with `deterministic: false`"


def _store(facts: Mapping[str, Any]) -> Iterator[str]:
    if facts["in_store"]:
        yield f"in the store as {facts['key'][:12]} ({facts['name']})"
    else:
        yield f"not in the store (key {facts['key'][:12]})"
    if facts["previous"] is None:
        yield f"no build of it before is in {EVENTS}"
        return
    if facts["differences"] is None:
        yield f"the build before, {facts['previous'][:12]}, is no longer in the store"
        return
    yield f"differs from {facts['previous'][:12]}, the build before, in"
    for path, (old, new) in facts["differences"].items():
        section, _, name = path.partition(".")
        if section in ("code", "inputs"):  # digests say nothing to people
            yield f"  {' '.join([section.removesuffix('s'), name]).strip()}"
        else:
            yield f"  {section.removesuffix('s')} {name}: {json.dumps(old)} -> {json.dumps(new)}"
