"""Files with provenance: hashes, manifests, atomic writes, code fingerprints."""
