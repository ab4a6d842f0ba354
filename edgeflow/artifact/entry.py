"""What the store knows of one execution of a step, sealed against change."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from edgeflow.artifact.hashing import canonical_json, sha256_json
from edgeflow.artifact.manifest import RelativePath, describe_files

LARGEST_BYTES = 16 << 20
"""More than any entry has: it would list a hundred thousand files."""
SHA256_PATTERN = r"^[0-9a-f]{64}$"


class Blob(BaseModel):
    """Digest and size of one file; the digest is also the name its bytes are kept under."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sha256: Annotated[str, Field(pattern=SHA256_PATTERN)]
    size_bytes: Annotated[int, Field(ge=0)]


class Entry(BaseModel):
    """What one execution of a step made.

    Attributes:
        name: what it was called when it was first made; for people.
        identity: all that could change the files: step, inputs, slice, code, tools.
        files: path relative to the output folder to digest and size.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    identity: dict[str, JsonValue]
    files: dict[RelativePath, Blob]

    @property
    def key(self) -> str:
        """Digest of the identity."""
        return sha256_json(self.identity)

    @property
    def step(self) -> str:
        """The step that ran."""
        return str(self.identity.get("step"))

    @property
    def size_bytes(self) -> int:
        """Sum of the sizes of its files."""
        return sum(blob.size_bytes for blob in self.files.values())

    def sealed(self) -> str:
        """Return the entry as JSON, with a digest of all it says."""
        value = self.model_dump(mode="json")
        return canonical_json({**value, "seal": sha256_json(value)}) + "\n"


def describe(name: str, identity: Mapping[str, JsonValue], out: Path) -> Entry:
    """Return the entry for a folder of outputs."""
    files = {path: record.model_dump() for path, record in describe_files(out).items()}
    return Entry.model_validate({"name": name, "identity": identity, "files": files})


def unseal(text: str | bytes, key: str) -> Entry:
    """Return the entry that was kept under a key.

    Raises:
        ValueError: it is not whole, was changed, or is that of another key.
    """
    try:
        value = json.loads(text)
        seal = value.pop("seal", None) if isinstance(value, dict) else None
        if seal != sha256_json(value):
            raise ValueError("does not match its seal")
        entry = Entry.model_validate(value)
    except RecursionError as error:
        raise ValueError("is nested too deep") from error
    if entry.key != key:
        raise ValueError("belongs to another key")
    return entry
