"""Images of SWUpdate: its description, a CMS signature of that, the files and a script; a cpio."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgeflow.handover.cpio import cpio_of
from edgeflow.handover.order import Payload

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

DESCRIPTION = "sw-description"
SCRIPT = "edgeflow.sh"
FOLDER = "/var/lib/edgeflow-update"
"""Where SWUpdate puts the files for the script; root's alone, as no other may write beside it."""
# `$1` is the folder: SWUpdate hands the script what the description calls its data.
PROGRAM = b"""#!/bin/sh
# Lets the agent that comes with a bundle install it; nothing of that stays.
python3 -I "$1/agent.pyz" hand-over deliver "$1"
code=$?
rm -rf "$1"
exit $code
"""


def swupdate_image(
    payload: Payload,
    board: str,
    revisions: Sequence[str],
    signer: "tuple[RSAPrivateKey, Certificate] | None",
) -> bytes:
    """Return an image, the same bytes each time.

    Args:
        payload: what it brings.
        board: name of the hardware that it is for.
        revisions: revisions of that hardware.
        signer: key and certificate that sign it; None for none.
    """
    files = {**payload.files, SCRIPT: PROGRAM}
    text = description(payload, files, board, revisions).encode()
    signed = {} if signer is None else {f"{DESCRIPTION}.sig": signature(text, *signer)}
    return cpio_of({DESCRIPTION: text, **signed, **files})


def description(
    payload: Payload, files: Mapping[str, bytes], board: str, revisions: Sequence[str]
) -> str:
    """Return what SWUpdate is to do, in the syntax of libconfig."""
    folder = f"{FOLDER}/{payload.sha256[:12]}"
    stored = ",\n".join(
        _entry(name, files[name], path=f"{folder}/{name}", properties=True)
        for name in payload.files
    )
    script = _entry(SCRIPT, files[SCRIPT], type="postinstall", data=folder)
    supported = ", ".join(f'"{revision}"' for revision in revisions)
    return f"""software =
{{
  version = "{payload.model}-{payload.sha256[:12]}";
  {board} =
  {{
    hardware-compatibility = [ {supported} ];
    files = (
{stored}
    );
    scripts = (
{script}
    );
  }};
}};
"""


def _entry(name: str, content: bytes, *, properties: bool = False, **more: str) -> str:
    facts = {"filename": name, **more, "sha256": hashlib.sha256(content).hexdigest()}
    lines = [f'        {key} = "{value}";' for key, value in facts.items()]
    lines += ['        properties = { create-destination = "true"; };'] if properties else []
    return "\n".join(["      {", *lines, "      }"])


def signature(text: bytes, key: "RSAPrivateKey", certificate: "Certificate") -> bytes:
    """Return the detached CMS signature of a description, DER; RSA has no chance in it."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.hazmat.primitives.serialization.pkcs7 import (
        PKCS7Options,
        PKCS7SignatureBuilder,
    )

    plain = [PKCS7Options.DetachedSignature, PKCS7Options.Binary, PKCS7Options.NoAttributes]
    builder = PKCS7SignatureBuilder().set_data(text).add_signer(certificate, key, SHA256())
    return builder.sign(Encoding.DER, plain)
