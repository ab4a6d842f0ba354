"""`edgeflow store`: look at what was made before, check it, make room."""

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeflow.cli.listing import when
from edgeflow.cli.project import CONFIG, ConfigFile, Json, print_json
from edgeflow.errors import EdgeflowError, IntegrityError

if TYPE_CHECKING:
    from edgeflow.artifact.entry import Entry
    from edgeflow.artifact.store import Store

app = typer.Typer(help="What was made before and is not made again.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add the commands about the store to the command line."""
    for command in (ls, show, verify, gc):
        app.command()(command)
    parent.add_typer(app, name="store")


def open_store(config: Path) -> "Store":
    """Return the store that the environment names, else the configuration, else the default.

    Raises:
        EdgeflowError: it is turned off.
    """
    from edgeflow.artifact.store import Store
    from edgeflow.artifact.tiers import FOLDER, current_store, environment

    if not os.environ.get(FOLDER) and config.is_file():
        from edgeflow.config.load import load_file

        return Store(Path(environment(load_file(config).store)[FOLDER]))
    store = current_store()
    if store is None:
        raise EdgeflowError("the store is off", hint=f"unset {FOLDER}")
    return store


def ls(config: ConfigFile = CONFIG, as_json: Json = False) -> None:
    """List all entries, the longest unused first."""
    store = open_store(config)
    entries = [(entry, store.last_used_unix_s(entry.key)) for entry in store.entries()]
    if as_json:
        print_json([_summary(entry, used) for entry, used in entries])
        return
    for entry, used in entries:
        size = _human(entry.size_bytes)
        print(f"{entry.key[:12]}  {when(used)}  {size:>8}  {entry.step:<8}  {entry.name}")


def show(
    what: Annotated[str, typer.Argument(metavar="KEY|FILE", help="A key, its start, or a file.")],
    config: ConfigFile = CONFIG,
    as_json: Json = False,
) -> None:
    """Show one entry: what it was made from, and its files."""
    store = open_store(config)
    entry = _find(store, what)
    used = store.last_used_unix_s(entry.key)
    if as_json:
        print_json({**_summary(entry, used), **entry.model_dump(mode="json")})
        return
    print(f"{entry.key}\n{entry.step} {entry.name}, last used {when(used)}")
    for name, value in entry.identity.items():
        print(f"  {name}: {json.dumps(value, sort_keys=True)}")
    for name, blob in entry.files.items():
        print(f"  {blob.sha256[:12]}  {_human(blob.size_bytes):>8}  {name}")


def verify(config: ConfigFile = CONFIG) -> None:
    """Read every byte in the store; drop what is corrupt, and then exit with 8."""
    store = open_store(config)
    keys = store.keys_by_use()
    entries = list(store.entries())
    bad = [entry for entry in entries if store.verify(entry)]
    dropped = len(keys) - len(entries) + len(bad)
    print(f"{len(keys)} entries read, {dropped} dropped")
    if dropped:
        raise IntegrityError(
            f"{dropped} entries of {store.root} were corrupt",
            hint="run `edgeflow run`: they are made again; if this comes back, check the disk",
        )


def gc(
    max_size: Annotated[str, typer.Option(help="Keep at most this much, for example 5GB.")] = "",
    older_than: Annotated[str, typer.Option(help="Drop what was unused so long: 30d, 12h.")] = "",
    dry_run: Annotated[bool, typer.Option(help="Only say what would go.")] = False,
    config: ConfigFile = CONFIG,
) -> None:
    """Make room: drop the longest unused entries, and bytes that no entry names."""
    from edgeflow.artifact.collect import collect
    from edgeflow.artifact.store import GRACE_S

    limit = _bytes(max_size) if max_size else None
    age = _seconds(older_than) if older_than else None
    store = open_store(config)
    try:
        done = collect(store, max_size_bytes=limit, unused_s=age, dry_run=dry_run)
    except OSError as error:
        raise EdgeflowError(
            f"{store.root} cannot be changed: {error.strerror}", hint=f"ls -ld {store.root}"
        ) from error
    for entry in done.entries:
        print(f"{entry.key[:12]}  {entry.step:<8}  {entry.name}")
    verb = "would go" if dry_run else "freed"
    print(f"{len(done.entries)} entries, {done.blobs} files, {_human(done.size_bytes)} {verb}")
    if done.spared_bytes:
        print(f"{_human(done.spared_bytes)} more go later: new in the last {GRACE_S / 60:.0f} min")


def _find(store: "Store", what: str) -> "Entry":
    """Return the entry that a key, the start of one, or a file stands for."""
    if Path(what).is_file():
        from edgeflow.artifact.lineage import origin

        what = origin(Path(what)).key
    keys = [key for key in store.keys_by_use() if key.startswith(what)]
    entry = store.find(keys[0]) if len(keys) == 1 else None
    if entry is None:
        count = "more than one entry starts" if len(keys) > 1 else "no entry starts"
        raise EdgeflowError(f"{count} with {what!r}", hint="run `edgeflow store ls`")
    return entry


def _summary(entry: "Entry", used_unix_s: float) -> dict[str, object]:
    return {
        "key": entry.key,
        "step": entry.step,
        "name": entry.name,
        "size_bytes": entry.size_bytes,
        "last_used_unix_s": round(used_unix_s, 3),
    }


def _human(size_bytes: int) -> str:
    from pydantic import ByteSize

    return ByteSize(size_bytes).human_readable(decimal=True)


def _bytes(text: str) -> int:
    from pydantic import ByteSize, TypeAdapter, ValidationError

    try:
        return TypeAdapter(ByteSize).validate_python(text)
    except ValidationError as error:
        raise typer.BadParameter(f"{text!r} is no size, such as 500MB, 5GB or 2GiB") from error


def _seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhdw])", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no age, such as 30d, 12h or 2w")
    return float(match[1]) * units[match[2]]
