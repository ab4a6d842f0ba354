"""Signatures: by which key bundles are signed, and which devices ask for that."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from edgeflow.config.base import HomePath, LocalPath, Section
from edgeflow.config.finding import Finding
from edgeflow.config.raw import entries

if TYPE_CHECKING:
    from edgeflow.config.device import DeviceSettings
    from edgeflow.config.root import Config

SIGNER_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9@._+-]{0,99}$"


class Signing(Section):
    """The key that signs bundles, for devices that take nothing else."""

    key: HomePath
    """Private key file that signs: ed25519, RSA of 2048 bits and more, or P-256. Or its public half
    (`.pub`), if the private one is in the SSH agent, or on another machine."""
    signatures: LocalPath | None = None
    """Folder with signatures that were made on another machine, by `edgeflow bundle sign`. What is
    still to be signed is written there. By default the key signs here."""
    signer: Annotated[str, Field(pattern=SIGNER_PATTERN)] = "release@edgeflow"
    """Name that devices give the key, in `edgeflow device status` and in their audit log."""
    revoked: LocalPath | None = None
    """File with public keys that devices no longer take bundles of, one a line;
    `edgeflow device provision` brings it to them."""
    counter: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Number of the release. Devices refuse a bundle with a lower one than they have had, so raise
    it when an old bundle must never come back."""


def check_trust(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield devices and fleets that do not say whether bundles for them are signed, or cannot."""
    signed = "signing" in raw
    for section in ("devices", "fleets"):
        for name, entry in entries(raw, section).items():
            trust = entry.get("trust")
            if trust is None and entry.get("transport") == "ssh" and not signed:
                message = "nothing says whether it takes only bundles that are signed"
                hint = "sign them with `signing: {key: ~/.ssh/KEY}`; or write `trust: transport`, "
                hint += "so that whoever can log in decides what it runs"
                yield Finding(keys=(section, name), message=message, hint=hint)
            if trust == "signatures" and not signed:
                message = "nothing signs bundles"
                hint = "add `signing: {key: ~/.ssh/KEY}`, or write `trust: transport`"
                yield Finding(keys=(section, name, "trust"), message=message, hint=hint)


def settled(config: "Config") -> "Config":
    """Return the configuration with what each device trusts filled in."""

    def filled(section: "DeviceSettings") -> "DeviceSettings":
        if section.trust is not None:
            return section
        signed = config.signing is not None and getattr(section, "transport", "") == "ssh"
        return section.model_copy(update={"trust": "signatures" if signed else "transport"})

    devices = {name: filled(section) for name, section in config.devices.items()}
    fleets = {name: filled(section) for name, section in config.fleets.items()}
    return config.model_copy(update={"devices": devices, "fleets": fleets})
