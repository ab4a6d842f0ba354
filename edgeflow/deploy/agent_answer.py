"""What the agent answers, by verb; `edgeflow.ondevice.agent` is the other side."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from edgeflow.remote.answer import Answer, Count, Quantity, Sha256, Words
from edgeflow.text import excerpt

Kind = Literal[
    "absent",
    "corrupt",
    "failed",
    "locked",
    "newer",
    "no space",
    "refused",
    "rejected",
    "rolled back",
    "unable to roll back",
    "unhealthy",
    "usage",
]
State = Literal["staged", "pending", "switched", "healthy", "confirmed", "rolled_back", "rejected"]
Form = Literal["tar", "tar.zst", "delta", "delta.zst"]
"""How a bundle travels: the whole tar or what a device lacks of it, as it is or packed."""
LATEST_UNIX_S = 250_000_000_000
"""In the year 9892; no clock of ours can say more than 9999."""


class No(Answer):
    """A refusal; without `error` it is none."""

    error: Kind | None = None
    detail: Annotated[str, AfterValidator(excerpt)] = ""


class Pending(Answer):
    """A switch on trial: to which bundle, from which, and the seconds left to confirm it."""

    sha: Sha256
    previous: Sha256 | None
    left_s: Quantity


class Intact(Answer):
    """A release that is there, whole, and who signed it; None where nobody had to."""

    signed_by: Words | None


class Status(Answer):
    """What a device says about itself and one model.

    Attributes:
        current: digest of the bundle in use, if any.
        intact: the release that was asked for, if it is there, whole.
        fault: what is wrong with the link to it; the next change of the device repairs that.
        previous: digest of the bundle that a rollback would bring back.
        rejected: digests of those on the device that are never gone back to.
        releases: digests of the bundles on the device, the oldest first.
        signed_by: name of who signed the bundle in use; None where nobody had to.
        signers: fingerprints of the keys that may sign; None where that cannot be told.
        since_unix_s: when `current` was switched to it, by the device's clock.
        state: how far the bundle in use has come.
        pending: the switch on trial, if any.
        counter: the highest one of a bundle that was confirmed.
        trust: ``signatures`` if it takes only bundles that an allowed signer signed.
        zstd: by what it unpacks Zstandard; None if it cannot.
    """

    current: Sha256 | None
    intact: Intact | None = None
    fault: Words | None
    previous: Sha256 | None
    rejected: tuple[Sha256, ...]
    releases: tuple[Sha256, ...]
    signed_by: Words | None
    signers: frozenset[Words] | None = None
    since_unix_s: Annotated[float, Field(ge=0, lt=LATEST_UNIX_S)] | None
    state: State | None
    pending: Pending | None
    counter: Count
    free_bytes: Count
    python: Words
    machine: Words
    trust: Literal["signatures", "transport"]
    zstd: Words | None


class Room(Answer):
    """What is free on a device; file systems without a fixed number of inodes report none."""

    free_bytes: Count
    free_inodes: Count | None


class ReadyForBundle(Room):
    """A device is ready for a bundle.

    Attributes:
        held: digests of the files that its releases hold.
        intact: whether the bundle is there already, whole.
        received: how many bytes came of each form, where an upload was cut.
        signed_by: who signed the bundle that is there; None where nobody had to.
    """

    held: frozenset[Sha256]
    intact: bool
    signed_by: Words | None
    received: Mapping[Form, Count]


class ReadyForData(Room):
    """A device is ready for a data file.

    Attributes:
        part: name of the file that it expects.
        path: where the file will be, or is: absolute.
        received_bytes: how much of it an upload that was cut has brought.
        stored: whether it is there already, whole.
    """

    part: Annotated[str, Field(pattern=r"^[0-9a-f]{64}\.[0-9a-f]{16}\.part$")]
    received_bytes: Count
    path: Annotated[str, Field(max_length=4096, pattern=r"^/[^\x00]*$")]
    stored: bool


class StoredData(Answer):
    """The absolute path of a data file that was moved into place."""

    path: str


class Installed(Answer):
    """The release that an upload became, and who signed it; None where nobody had to."""

    installed: Sha256
    signed_by: Words | None


class Verified(Answer):
    """The release that is whole."""

    verified: Sha256


class Pruned(Answer):
    """The releases that were removed."""

    removed: tuple[Sha256, ...]


class Entry(Answer):
    """A line of the audit log; what else it says depends on the verb.

    Attributes:
        time: by the device's clock, which may be wrong.
    """

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, allow_inf_nan=False)
    verb: Words
    time: Words


class History(Answer):
    """The last lines of a model's audit log, the oldest first; `chain` tells of changed ones."""

    entries: tuple[Entry, ...]
    chain: Words


class Logged(Answer):
    """The last lines that a model's service printed."""

    lines: tuple[Annotated[str, Field(max_length=65536)], ...]


class Collected(Answer):
    """The bytes that the removal of what is no longer needed gave back."""

    freed_bytes: Count


class Forgotten(Answer):
    """A model was removed."""

    removed: Literal[True]


class Unserved(Answer):
    """Nothing starts the service of a model at boot any more."""

    served: Literal[False]


class Switched(Answer):
    """What is current after a switch, and the token that confirms it; None where none need.

    `changed` says whether it was not current before.
    """

    state: Literal["healthy", "confirmed"]
    token: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None
    current: Sha256
    changed: bool


class Confirmed(Answer):
    """A switch that was confirmed, and what is current."""

    state: Literal["confirmed"]
    current: Sha256 | None


class RolledBack(Answer):
    """What is current after a release was rejected, and whether that one was before."""

    current: Sha256 | None
    rolled_back: bool


class Retired(Answer):
    """What is current after a release was taken out of use, and whether that one was before."""

    current: Sha256 | None
    changed: bool


class StoredModel(Answer):
    """A model on a device.

    Attributes:
        current: digest of the bundle in use, if any.
        size_bytes: of all that is there of it.
    """

    name: Words
    current: Sha256 | None
    size_bytes: Count


class Listing(Answer):
    """All models on a device."""

    models: tuple[StoredModel, ...]
