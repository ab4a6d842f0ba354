"""The account that owns edgeflow's folder on a device."""

from __future__ import annotations

import os

from .answer import Refused


def become_owner(path: str) -> None:
    """Go on as the account that owns a folder, where this is root: hosts log in as that one.

    Raises:
        Refused: there is no such folder.
    """
    import pwd

    if not os.path.isdir(path):
        raise Refused(
            "absent", f"this device has no folder {path}: create it, owned by the models' account"
        )
    owner = os.stat(path)
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    try:
        entry = pwd.getpwuid(owner.st_uid)
        os.initgroups(entry.pw_name, owner.st_gid)  # those that may use a camera or a stick
        home = entry.pw_dir
    except KeyError:
        os.setgroups([owner.st_gid])
        home = path
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)
    os.environ["HOME"] = home
