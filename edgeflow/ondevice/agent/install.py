"""Installation: from an upload to a release, all of it or nothing."""

from __future__ import annotations

import hashlib
import os

from .answer import Refused
from .archive import unpack
from .audit import UNSIGNED, audit
from .delta import build_tar, held_files
from .files import fsync, remove, sha256, write_json
from .folders import is_folder, make_folder, scratch_path, sync_folders
from .journal import journal_of
from .kept import discard_outputs, prune_releases
from .lock import locked
from .manifest import listed_files, verify_files
from .model import Model
from .packed import unpack_upload
from .release import whole
from .repair import discard_leftovers, repair
from .replace import replace_files
from .signature import signer_of_release
from .space import free, lacks
from .uploads import FORMS, discard_uploads, received_bytes, upload_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json


def prepare(options: argparse.Namespace) -> Json:
    """Get ready for an upload: repair, make room, say what of the bundle is there already.

    That is how much came of each form of it, and which files the releases hold.
    """
    model, name = Model(options.model_dir), options.sha
    received: Json = {}
    held: list[str] = []
    with locked(model.folder, "prepare"):
        repair(model)
        discard_outputs(model.folder)
        make_folder(model.incoming)
        parts = uploads_of(model, name, options.uploader)
        intact = whole(model, name)
        signer = signer_of_release(model.release(name), model.trust) if intact else None
        keep = () if intact else [os.path.basename(path) for path in parts.values()]
        discard_uploads(model.incoming, options.uploader, keep)
        if not intact:
            prune_releases(model, options.keep, wanted=name)
            if lacks(model.folder, options.need_bytes, options.need_inodes):
                prune_releases(model, 0, wanted=name)
            received = {form: received_bytes(path) for form, path in parts.items()}
            held = sorted(held_files(model, doubted=name))
    found = {"intact": intact, "received": received, "held": held, "signed_by": signer}
    return dict(free(model.folder), **found)


def uploads_of(model: Model, name: str, uploader: str | None) -> dict[str, str]:
    """Return where the uploads of a bundle end, for each form of it."""
    return {form: os.path.join(model.incoming, upload_name(name, uploader, form)) for form in FORMS}


def install(options: argparse.Namespace) -> Json:
    """Turn an uploaded bundle into a release, all of it or nothing."""
    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "install"):
        repair(model)
        uploads = uploads_of(model, name, options.uploader)
        try:
            if whole(model, name):
                signer = signer_of_release(model.release(name), model.trust)
                return {"installed": name, "changed": False, "signed_by": signer}
            part = whole_tar(model, name, uploads, options.form, options.packed_from)
            signer = unpack_release(model, name, part)
        except ValueError as error:
            raise Refused("corrupt", f"not a readable tar: {error}") from error
        finally:
            discard_leftovers(model)
            for path in uploads.values():
                remove(path)
        audit(model.folder, "install", sha=name, signed_by=signer or UNSIGNED)
    return {"installed": name, "changed": True, "signed_by": signer}


def whole_tar(model: Model, name: str, uploads: dict[str, str], form: str, size: int | None) -> str:
    """Return the path of a bundle's tar, made of what was uploaded.

    Args:
        form: that of the upload.
        size: of a packed upload's content, in bytes.
    """
    part = uploads[form]
    if not os.path.isfile(part):
        raise Refused("absent", f"{name} was not uploaded")
    if form.endswith(".zst"):
        packed, part = part, scratch_path(model.incoming, f"{name}.unpacked")
        unpack_upload(packed, part, size or 0)
    if form.startswith("delta"):
        delta, part = part, scratch_path(model.incoming, f"{name}.tar")
        build_tar(model, delta, part)
        remove(delta)
    return part


def unpack_release(model: Model, name: str, part: str) -> str | None:
    """Unpack a tar beside the releases, verify it, and move it into place; return its signer."""
    scratch = model.scratch(name)
    if sha256(part) != name:
        raise Refused("corrupt", f"the upload is not {name}")
    os.mkdir(scratch)
    manifest, signer = unpack(part, scratch, model.trust)
    files = listed_files(manifest)
    verify_files(scratch, files)
    sync_folders(scratch)
    journal = journal_of(model)
    entries = journal["releases"]
    number = 1 + max((entry["number"] for entry in entries.values()), default=-1)
    new = {"number": number, "previous": None, "state": "staged"}
    digest = hashlib.sha256(manifest).hexdigest()
    entries[name] = dict(entries.get(name, new), manifest=digest, signed_by=signer)
    write_json(model.journal_path, journal)
    if is_folder(model.release(name)):  # it is there, but verify refused it
        replace_files(scratch, model.release(name), files)
    else:
        remove(model.release(name))
        os.rename(scratch, model.release(name))
    fsync(model.releases)
    return signer
