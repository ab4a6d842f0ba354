"""Files that a configuration names: whether they are there, and what they seem to be."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeflow.check.sections import valid_datasets
from edgeflow.config.dataset import (
    CollectedDataset,
    Dataset,
    ImageFolderDataset,
    NpzDataset,
    SignalDataset,
    WavFolderDataset,
)
from edgeflow.config.finding import Finding, Keys
from edgeflow.config.neighbours import at_home, is_there, not_there
from edgeflow.config.pointer import pointer
from edgeflow.config.publickey import is_pair, public_half
from edgeflow.config.raw import Entry, entries
from edgeflow.errors import DataError
from edgeflow.ondevice.agent.sshsig import Unreadable, key_of
from edgeflow.paths import lock_file


def check_files(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with the files of datasets, devices, the store and the key that signs."""
    for name, section in valid_datasets(raw).items():
        yield from _of_dataset(section, ("datasets", name, "path"))
    for name, entry in entries(raw, "devices").items():
        lock = entry.get("environment")
        if isinstance(lock, str):
            yield from not_there(lock_file(at_home(lock)), ("devices", name, "environment"))
    yield from _of_store(raw)
    yield from _of_signing(raw)


def _of_dataset(section: Dataset, keys: Keys) -> Iterator[Finding]:
    given = getattr(section, "path", None)
    if given is not None:
        wrong = list(_of_path(section, Path(given).expanduser(), keys))
        yield from wrong
        if wrong:
            return
    try:
        _look(section)
    except DataError as error:
        yield Finding(keys=keys[:-1], message=error.message, hint=error.hint)


def _of_path(section: Dataset, path: Path, keys: Keys) -> Iterator[Finding]:
    from edgeflow.dataset.build import source_files

    missing = list(not_there(path, keys))
    yield from missing
    if missing:
        return
    files = source_files(section.model_dump(mode="json"))
    if not files:
        yield Finding(keys=keys, message=f"{path} holds nothing for `source: {section.source}`")
    pointers = {file: what for file in files if (what := pointer(file))}
    for file, what in list(pointers.items())[:1]:
        others = f" (and {len(pointers) - 1} others)" if len(pointers) > 1 else ""
        yield Finding(keys=keys, message=f"{file}{others} is only {what}")


def _look(section: Dataset) -> None:
    """Look at all that tells without reading samples.

    Raises:
        DataError: the dataset step would fail.
    """
    from edgeflow.check.peek import peek
    from edgeflow.dataset.build import load_raw, rehearse
    from edgeflow.dataset.preprocess import require_channels

    if isinstance(section, ImageFolderDataset | WavFolderDataset | NpzDataset | SignalDataset):
        rehearse(section)
    elif isinstance(section, CollectedDataset):
        load_raw(section)
    seen = peek(section)
    if seen is not None:
        for shape in seen.inputs.values():
            require_channels(section.preprocess, shape[-1])


def _of_store(raw: Entry) -> Iterator[Finding]:
    store = raw.get("store")
    given = store.get("path") if isinstance(store, Mapping) else None
    if isinstance(given, str):
        path = at_home(given)
        blocked = next((p for p in (path, *path.parents) if is_there(p)), path)
        if not blocked.is_dir():
            yield Finding(keys=("store", "path"), message=f"{str(blocked)!r} is no folder")


def _of_signing(raw: Entry) -> Iterator[Finding]:
    signing = raw.get("signing")
    given = signing.get("key") if isinstance(signing, Mapping) else None
    if isinstance(given, str) and (found := _unsuitable(at_home(given))):
        why, hint = found
        yield Finding(keys=("signing", "key"), message=f"{given} {why}", hint=hint)


def _unsuitable(key: Path) -> tuple[str, str] | None:
    """Return why bundles cannot be signed by a key, as far as its public half tells, and a hint."""
    create = f"create one: ssh-keygen -t ed25519 -f {key}{'-new' if is_there(key) else ''}"
    public = public_half(key)
    if public is None:
        return "is no key whose public half can be read", create
    if not is_pair(key):
        beside = f"{key.name}.pub"
        return f"is another key than {beside} beside it", f"ssh-keygen -y -f {key} > {key}.pub"
    try:
        key_of(base64.b64decode(public.split()[1]))
    except Unreadable as error:
        return f"cannot sign bundles: {error}", create
    return None
