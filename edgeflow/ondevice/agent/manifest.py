"""The manifest of a release: what it lists, and whether a folder holds exactly that."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat

from .answer import Refused
from .files import read_plain, sha256
from .folders import OTHERS, entries_of, is_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .answer import Json

MANIFEST = "manifest.json"
SIGNATURE = MANIFEST + ".sig"
MANIFEST_MAX_BYTES = 4 << 20
SHA = re.compile(r"[0-9a-f]{64}")


def listed_files(manifest: bytes) -> Json:
    """Return the manifest's files, or refuse a manifest that lists none or unsafe names."""
    try:
        files = json.loads(manifest.decode("utf-8"))["files"]
        bad = [name for name, entry in files.items() if not safe(name, entry)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused("corrupt", f"{MANIFEST} is unusable: {error!r}") from error
    bad = bad or sorted(folders_of(files) & {MANIFEST, SIGNATURE, *files})
    if bad:
        raise Refused("corrupt", f"{MANIFEST} lists an unsafe file: {bad[0]!r}")
    result: Json = files
    return result


def require_machine(manifest: bytes) -> None:
    """Refuse a bundle that was compiled for another kind of machine."""
    asked = json.loads(manifest.decode("utf-8")).get("device_class")
    machines = asked.get("machines") if isinstance(asked, dict) else None
    machine = os.uname().machine
    if machines and (not isinstance(machines, list) or machine not in machines):
        raise Refused("rejected", f"it is for {machines}, and this machine is {machine!r}")


def safe(name: str, entry: Json) -> bool:
    """Tell whether a listed file stays inside the release and is fully described."""
    parts = name.split("/")
    inside = all(part not in ("", ".", "..") and "\0" not in part for part in parts)
    size = entry["size_bytes"]
    described = SHA.fullmatch(entry["sha256"]) and isinstance(size, int) and size >= 0
    return bool(inside and described and name not in (MANIFEST, SIGNATURE))


def folders_of(files: Json) -> set[str]:
    """Return the folders that listed files lie in."""
    parts = [name.split("/") for name in files]
    return {"/".join(path[:depth]) for path in parts for depth in range(1, len(path))}


def verify_files(folder: str, files: Json) -> None:
    """Refuse a folder that does not hold exactly the listed files, closed to other accounts.

    A signature of the manifest may lie beside it.
    """
    found, folders = dict(entries_of(folder), **{".": os.lstat(folder).st_mode}), folders_of(files)
    expected = {".", MANIFEST, *({SIGNATURE} & set(found)), *folders, *files}
    extra = set(found) - expected
    if extra:
        raise Refused("corrupt", f"not in the manifest: {min(extra)}")
    for name in sorted(expected):
        mode = found.get(name, 0)
        if not (stat.S_ISDIR(mode) if name in folders | {"."} else stat.S_ISREG(mode)):
            raise Refused("corrupt", f"{name} is missing or was changed")
        if mode & OTHERS:
            raise Refused("corrupt", f"{name} is writable by other accounts")
    for name, entry in sorted(files.items()):
        if sha256(os.path.join(folder, name)) != entry["sha256"]:
            raise Refused("corrupt", f"{name} is missing or was changed")


def manifest_digest(release: str) -> str:
    """Return the digest of a release's manifest; refuse files that are not as it says."""
    name = os.path.basename(release)
    if not is_folder(release):
        raise Refused("corrupt", f"release {name} is not on the device")
    path = os.path.join(release, MANIFEST)
    if not os.path.isfile(path) or os.path.islink(path):
        raise Refused("corrupt", f"{MANIFEST} of release {name} is missing or was changed")
    try:
        manifest = read_plain(path, MANIFEST_MAX_BYTES)
        verify_files(release, listed_files(manifest))
    except OSError as error:  # a bad block, or a file that we may not read
        raise Refused("corrupt", f"release {name} cannot be read: {error}") from error
    return hashlib.sha256(manifest).hexdigest()


def counter_of(manifest: bytes) -> int:
    """Return the number that only rises from release to release; 0 where a manifest has none."""
    counter = json.loads(manifest.decode("utf-8")).get("counter", 0)
    if not isinstance(counter, int) or isinstance(counter, bool) or counter < 0:
        raise Refused("corrupt", f"{MANIFEST} has an unusable counter: {counter!r}")
    return counter


def release_counter(release: str) -> int:
    """Return the counter of a release whose manifest was verified."""
    return counter_of(read_plain(os.path.join(release, MANIFEST), MANIFEST_MAX_BYTES))
