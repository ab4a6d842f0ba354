"""The key that signs the bundles of a build."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.bundle.signing import require_signature, sign, signed_elsewhere
from edgeflow.config.publickey import public_half
from edgeflow.errors import SigningError
from edgeflow.remote.login import Wanted, forget, private_key

if TYPE_CHECKING:
    from edgeflow.config.signing import Signing


def signer(public: str | None, key: Path, signatures: Path | None) -> Callable[[bytes], bytes]:
    """Return what signs manifests by a key of the configuration.

    Args:
        public: the public half that the build was planned with; None if it could not be told.
        key: file of the private key, or of its public half.
        signatures: folder of the signatures of a key on another machine.

    Raises:
        SigningError: the public half is not known. The function raises it where the key is not
            at hand, cannot sign bundles, or has not signed this one on its machine yet.
    """
    if public is None:
        raise SigningError(
            f"the public half of the key {key} that signs bundles cannot be read",
            hint=f"create one: ssh-keygen -t ed25519 -f {key}; or write the public half beside it: "
            f"ssh-keygen -y -f {key} > {key}.pub",
        )
    if signatures is not None:
        return lambda manifest: signed_elsewhere(manifest, public, signatures)

    def signed(manifest: bytes) -> bytes:
        signature = sign_with(manifest, key)
        require_signature(manifest, signature, public, f"what {key} has signed")
        return signature

    return signed


def signer_of(section: "Signing | None") -> Callable[[bytes], bytes] | None:
    """Return what signs bundles that no build makes; None where the key is on another machine."""
    if section is None or section.signatures is not None:
        return None
    key = Path(section.key).expanduser()
    return signer(public_half(key), key, None)


def sign_with(manifest: bytes, key: Path) -> bytes:
    """Return the signature of a manifest by a key file, or by one in the SSH agent.

    Raises:
        SigningError: there is no such key, or it cannot sign bundles.
    """
    wanted = Wanted(
        identity=key, title="signing bundles", setting="signing.key", failure=SigningError
    )
    found = private_key(wanted)
    try:
        return sign(manifest, found, str(key))
    finally:
        forget(found)
