"""Signatures of bundles' manifests: SSHSIG, as `ssh-keygen -Y sign` makes them.

The device's verifier is the one reader of the form; see `edgeflow.ondevice.agent.sshsig`.
"""

import base64
import hashlib
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.errors import IntegrityError, SigningError
from edgeflow.ondevice.agent.signature import NAMESPACE
from edgeflow.ondevice.agent.signature import fingerprint as blob_fingerprint
from edgeflow.ondevice.agent.sshsig import (
    MAGIC,
    P256,
    RSA,
    RSA_SHA512,
    VERSION,
    Signature,
    Unreadable,
    key_of,
    string,
)

if TYPE_CHECKING:
    from paramiko import PKey

HASH = "sha512"
_COLUMNS = 70  # of the armor, as OpenSSH writes it


def sign(manifest: bytes, key: "PKey", title: str) -> bytes:
    """Return the detached signature of a manifest, equal each time where the key allows that.

    A key in an SSH agent decides that itself: one of P-256 gives another signature each time there.

    Args:
        manifest: the bytes.
        key: of a kind that devices verify.
        title: what to call the key in messages.

    Raises:
        SigningError: the key is of another kind, or its agent refuses to sign.
    """
    from paramiko import SSHException

    blob = key.asbytes()
    try:
        kind, _ = key_of(blob)
        unsigned = MAGIC + VERSION.to_bytes(4, "big") + _strings(blob, NAMESPACE.encode(), b"")
        data = MAGIC + _strings(NAMESPACE.encode(), b"", HASH.encode(), _digest(manifest))
        value = _value(key, kind, data)
    except (Unreadable, SSHException) as error:
        raise SigningError(
            f"{title} cannot sign bundles: {error}",
            hint="create one that can: ssh-keygen -t ed25519 -f KEY",
        ) from error
    return _armored(unsigned + _strings(HASH.encode(), value))


def require_signature(manifest: bytes, signature: bytes, public: str, title: str) -> None:
    """Check that a key has signed a manifest.

    Args:
        manifest: the bytes.
        signature: armored.
        public: the key, as ``ssh-ed25519 AAAA...``.
        title: what to call the signature in messages.

    Raises:
        IntegrityError: it has not.
    """
    reason, hint = "it is one of other bytes, or was changed", "delete it and sign the bundle again"
    try:
        found = Signature(signature)
        if found.namespace != NAMESPACE:
            reason = f"it is one for {found.namespace!r} instead of {NAMESPACE!r}"
        elif found.key != public_blob(public):
            theirs, ours = blob_fingerprint(found.key), fingerprint(public)
            reason = f"it is one by another key, {theirs} instead of {ours}"
            hint = "name the key that signed; or delete the signature, and sign by the right key"
        elif found.verifies(manifest):
            return
    except Unreadable as error:
        reason = f"it is unusable: {error}"
    raise IntegrityError(
        f"{title} is no signature of the bundle's manifest: {reason}",
        hint=hint,
    )


def public_blob(public: str) -> bytes:
    """Return the bytes of ``ssh-ed25519 AAAA...``."""
    return base64.b64decode(public.split()[1])


def fingerprint(public: str) -> str:
    """Return a public key's fingerprint, as `ssh-keygen -l` prints it."""
    return blob_fingerprint(public_blob(public))


def allowed_signer(signer: str, public: str) -> str:
    """Return the line of a device's `trust/allowed_signers` that lets a key sign bundles."""
    return f'{signer} namespaces="{NAMESPACE}" {public}\n'


def signature_name(manifest: bytes) -> str:
    """Return the name of the file that a detached signature of a manifest lies in."""
    return f"{hashlib.sha256(manifest).hexdigest()}.json.sig"


def signed_elsewhere(manifest: bytes, public: str, folder: Path) -> bytes:
    """Return a manifest's signature from a folder; write the manifest there if it has none yet.

    Raises:
        SigningError: it is still to be signed, with the command to do so.
        IntegrityError: the signature is not one of this manifest by this key.
    """
    path = folder / signature_name(manifest)
    if path.is_file():
        signature = path.read_bytes()
        require_signature(manifest, signature, public, str(path))
        return signature
    request = path.with_suffix("")
    if not request.is_file() or request.read_bytes() != manifest:
        folder.mkdir(parents=True, exist_ok=True)
        request.write_bytes(manifest)
    raise SigningError(
        f"the bundle is not signed yet: {folder} has no {path.name}",
        hint=f"where the key {fingerprint(public)} lies, run `edgeflow bundle sign {request} --key "
        f"KEY` or `ssh-keygen -Y sign -n {NAMESPACE} -f KEY {request}`, bring {path.name} back, "
        "and run `edgeflow run` again",
    )


def _value(key: "PKey", kind: str, data: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256
    from paramiko import ECDSAKey

    if kind == P256 and isinstance(key, ECDSAKey):  # paramiko's own way takes a random number
        scheme = ec.ECDSA(SHA256(), deterministic_signing=True)
        numbers = utils.decode_dss_signature(key.signing_key.sign(data, scheme))
        return _strings(kind.encode(), _strings(*(_number(number) for number in numbers)))
    value = key.sign_ssh_data(data, RSA_SHA512 if kind == RSA else None)
    return value if isinstance(value, bytes) else value.asbytes()


def _number(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _digest(manifest: bytes) -> bytes:
    return hashlib.new(HASH, manifest).digest()


def _strings(*parts: bytes) -> bytes:
    return b"".join(string(part) for part in parts)


def _armored(data: bytes) -> bytes:
    lines = textwrap.wrap(base64.b64encode(data).decode(), _COLUMNS)
    begin, end = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
    return "\n".join([begin, *lines, end, ""]).encode()
