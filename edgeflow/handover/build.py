"""The handover step: makes an artifact of a bundle."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.artifact.atomic import write_bytes
from edgeflow.artifact.events import recorded
from edgeflow.console import say
from edgeflow.errors import SigningError
from edgeflow.handover.keys import certificate, signing_key
from edgeflow.handover.mender import mender_artifact
from edgeflow.handover.order import payload
from edgeflow.handover.swupdate import swupdate_image

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate


def hand_over(
    bundle: Path, slice_: Mapping[str, Any], key: Path | None, cert: Path | None, out: Path
) -> None:
    """Write the artifact of an export.

    Args:
        bundle: the bundle.tar.
        slice_: slice of the configuration, as in `Plan.job("handover", export=…).slice`.
        key: private key of the fleet; None if it is not to be signed.
        cert: its certificate, for SWUpdate.
        out: the file.

    Raises:
        IntegrityError: `bundle` is not one.
        SigningError: a key or certificate cannot be used.
    """
    export = slice_["export"]
    with recorded("handover", slice_["name"]) as event:
        what = payload(bundle, export)
        event.facts.update(bundle_sha256=what.sha256, signed=key is not None)
        if export["kind"] == "mender":
            signer = None if key is None else signing_key(key)
            write_bytes(out, mender_artifact(what, export["device_type"], signer))
        else:
            pair = None if key is None or cert is None else _rsa(key, cert)
            image = swupdate_image(what, export["board"], export["revisions"], pair)
            write_bytes(out, image)
    if key is None:
        say(f"{out} is not signed: sign it before it goes to devices that check signatures")


def _rsa(key: Path, cert: Path) -> "tuple[RSAPrivateKey, Certificate]":
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    found = signing_key(key)
    if not isinstance(found, RSAPrivateKey):
        raise SigningError(
            f"the key {key} is no RSA key, and a CMS signature by it would differ each time",
            hint="sign for SWUpdate with an RSA key: openssl genrsa -traditional 3072",
        )
    return found, certificate(cert, found)
