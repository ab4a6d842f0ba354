"""The fleet's own key, which signs artifacts for its update system."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.errors import SigningError
from edgeflow.remote.login import PASSPHRASE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

RSA_MIN_BITS = 2048


def signing_key(path: Path) -> "RSAPrivateKey | EllipticCurvePrivateKey":
    """Return an RSA or P-256 key; its passphrase is that of EDGEFLOW_PASSPHRASE.

    Raises:
        SigningError: there is none, it cannot be read, or it is of another kind.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    passphrase = os.environ.get(PASSPHRASE, "").encode() or None
    try:
        data = path.expanduser().read_bytes()
        encrypted = b"ENCRYPTED" in data
        key = load_pem_private_key(data, passphrase if encrypted else None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningError(
            f"the key {path} that signs exports cannot be read: {_why(error)}",
            hint="name the fleet's private key, a PEM file, as `key` of the export; a passphrase "
            f"is taken from the environment variable {PASSPHRASE}",
        ) from error
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= RSA_MIN_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise SigningError(
        f"the key {path} is neither RSA of {RSA_MIN_BITS} bits and more nor P-256",
        hint="update systems take no other: openssl genrsa -traditional 3072",
    )


def certificate(path: Path, key: "RSAPrivateKey") -> "Certificate":
    """Return the certificate of a key.

    Raises:
        SigningError: there is none, or it is of another key.
    """
    from cryptography.x509 import load_pem_x509_certificate

    try:
        found = load_pem_x509_certificate(path.expanduser().read_bytes())
    except (OSError, ValueError) as error:
        raise SigningError(
            f"the certificate {path} cannot be read: {_why(error)}",
            hint="name that of the fleet's key, a PEM file, as `certificate` of the export",
        ) from error
    if found.public_key() != key.public_key():
        raise SigningError(
            f"the certificate {path} is of another key",
            hint="name the certificate that belongs to `key` of the export",
        )
    return found


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
