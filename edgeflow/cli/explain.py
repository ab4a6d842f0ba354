"""`edgeflow explain FILE`: what made it, and what differs from the build before."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeflow.artifact.cpu import reproducible
from edgeflow.artifact.events import EVENTS
from edgeflow.cli.project import CONFIG, ConfigFile, Json, print_json
from edgeflow.cli.store import open_store

if TYPE_CHECKING:
    from edgeflow.artifact.lineage import Origin


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(rich_help_panel="Project")(explain)


def explain(
    file: Annotated[Path, typer.Argument(help="A file that a building step made.")],
    config: ConfigFile = CONFIG,
    as_json: Json = False,
) -> None:
    """Say which inputs, slice, code and tools made a file, and what changed since before."""
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
        yield f"  tool {name}: {version}"
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
