"""Installation: from an upload to a release, all of it or nothing."""

from __future__ import annotations

import hashlib
import os

from .answer import Refused
from .audit import UNSIGNED, audit
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
from .space import free
from .uploads import FORMS, discard_uploads, received_bytes, upload_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json


def prepare(options: argparse.Namespace) -> Json:
    """Get ready for an upload: repair, make room, say how much of it is there already."""
    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "prepare"):
        repair(model)
        discard_outputs(model.folder)
        make_folder(model.incoming)
        part = upload_name(name, options.uploader, options.form)
        intact = whole(model, name)
        discard_uploads(model.incoming, options.uploader, None if intact else part)
        if not intact:
            prune_releases(model, options.keep, wanted=name)
        if not intact and free(model.folder)["free_bytes"] < options.need_bytes:
            prune_releases(model, 0, wanted=name)
    have = received_bytes(os.path.join(model.incoming, part))
    return dict(free(model.folder), intact=intact, part=part, received_bytes=have)


def install(options: argparse.Namespace) -> Json:
    """Turn an uploaded bundle into a release, all of it or nothing."""
    import tarfile

    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "install"):
        repair(model)
        uploads = {
            form: os.path.join(model.incoming, upload_name(name, options.uploader, form))
            for form in FORMS
        }
        try:
            if whole(model, name):
                return {"installed": name, "changed": False}
            signer = install_upload(model, name, uploads, options.packed_from)
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise Refused("corrupt", f"not a readable tar: {error}") from error
        finally:
            discard_leftovers(model)
            for path in uploads.values():
                remove(path)
        audit(model.folder, "install", sha=name, signed_by=signer or UNSIGNED)
    return {"installed": name, "changed": True}


def install_upload(
    model: Model, name: str, uploads: dict[str, str], size: int | None
) -> str | None:
    """Install from the upload's tar, or from its packed form if `size` in bytes is given.

    Returns:
        Who signed it; None if nobody had to.
    """
    form, part = "tar" if size is None else "tar.zst", uploads["tar"]
    if not os.path.isfile(uploads[form]):
        raise Refused("absent", f"{name} was not uploaded")
    if size is not None:
        part = scratch_path(model.incoming, f"{name}.tar")
        unpack_upload(uploads[form], part, size)
    return unpack_release(model, name, part)


def unpack_release(model: Model, name: str, part: str) -> str | None:
    """Unpack a tar beside the releases, verify it, and move it into place; return its signer."""
    from .archive import unpack

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
