"""`manifest.json`: what a step made, and from what. Equal builds give equal manifests."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue

from edgeflow.artifact.atomic import write_json
from edgeflow.artifact.hashing import sha256_file
from edgeflow.artifact.records import read_record
from edgeflow.errors import IntegrityError, MissingToolError


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in path:
        raise ValueError(f"{path!r} leaves the folder of the manifest")
    return path


RelativePath = Annotated[str, AfterValidator(_inside)]


class FileRecord(BaseModel):
    """Digest and size of one output file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sha256: str
    size_bytes: int


class Manifest(BaseModel):
    """The record beside a step's outputs; holds no time, host name or absolute path.

    Attributes:
        step: the step that ran, for example ``train``.
        inputs: name of an input to the SHA-256 of its bytes.
        slice: the resolved slice of the configuration that the step was given.
        code: fingerprint of the step's code.
        tools: distribution name to version, of what shaped the output; and the kind of CPU.
        files: path relative to the manifest to digest and size.
        facts: figures and labels that later steps read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    step: str
    inputs: dict[str, str]
    slice: dict[str, JsonValue]
    code: str
    tools: dict[str, str]
    files: dict[RelativePath, FileRecord]
    facts: dict[str, Any] = {}

    def write(self, path: Path) -> None:
        """Write the manifest to `path`, whole or not at all."""
        write_json(path, self.model_dump(mode="json"))


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        IntegrityError: it is missing or not a manifest.
    """
    hint = f"delete {path.parent} and run `edgeflow run` again"
    return read_record(path, "a manifest", Manifest.model_validate, hint=hint)


def describe_files(folder: Path, exclude: frozenset[str] = frozenset()) -> dict[str, FileRecord]:
    """Return digest and size of every file below `folder`, by relative path."""
    return {
        path.relative_to(folder).as_posix(): FileRecord(
            sha256=sha256_file(path), size_bytes=path.stat().st_size
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in exclude
    }


def verify_files(manifest_path: Path, names: list[str] | None = None) -> Manifest:
    """Read a manifest and check the files it lists (or `names` of them) byte by byte.

    Raises:
        IntegrityError: a file is missing or differs from its digest.
    """
    manifest = read_manifest(manifest_path)
    for name in names if names is not None else manifest.files:
        path, record = manifest_path.parent / name, manifest.files.get(name)
        if record is None or not path.is_file() or sha256_file(path) != record.sha256:
            raise IntegrityError(
                f"{path} is missing or not what {manifest_path} says it is",
                hint=f"delete {manifest_path} and run `edgeflow run` again",
            )
    return manifest


def tool_versions(distributions: tuple[str, ...]) -> dict[str, str]:
    """Return the installed version of each named distribution.

    Raises:
        MissingToolError: one is not installed.
    """
    try:
        return {name: version(name) for name in distributions}
    except PackageNotFoundError as error:
        raise MissingToolError(
            f"the package {error.name} is not installed", hint=f"run `uv pip install {error.name}`"
        ) from error
