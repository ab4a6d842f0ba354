"""What an update system brought goes the way of every bundle: installed, on trial, confirmed.

The update system runs this as root, from its own folder, with the bundle, this agent and an order
beside it. All that changes the device is done by the account that owns edgeflow's folder there, by
the agent's copy in `bin/`, so that a deployment over SSH finds what it would have left itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys

from .account import become_owner
from .answer import Refused
from .boot import LONGEST_S
from .files import read_plain, remove, write_bytes, write_json
from .folders import make_folder
from .journal import finite, whole_number
from .manifest import SHA
from .program import program_file
from .uploads import upload_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import IO

    from .answer import Json

BUNDLE, AGENT, ORDER = "bundle.tar", "agent.pyz", "order.json"
FORMAT = 2
RECORD = "handover.json"
NEEDS = ("need_bytes", "need_inodes")
FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
KEEP = "3"
OWN_PYTHON = "env/current/bin/python"
ORDER_MAX_BYTES = 64 << 10
REASON = "the update system takes it back"


def hand_over(options: argparse.Namespace) -> Json:
    """Install what an update system brought, or end its trial: `commit` or `rollback`."""
    folder = os.path.abspath(options.folder)
    order = order_in(folder)
    with open(os.path.join(folder, BUNDLE), "rb") as bundle:  # the owner may not read it there
        program = read_program()
        become_owner(order["path"])
        job = Job(order, program)
        if options.state == "install":
            return install(job, bundle)
        if options.state == "deliver":
            return deliver(job, bundle)
    return commit(job) if options.state == "commit" else take_back(job)


def order_in(folder: str) -> Json:
    """Return the order, or refuse one that is not of our format."""
    try:
        order = json.loads(read_plain(os.path.join(folder, ORDER), ORDER_MAX_BYTES).decode())
        sound = order["format"] == FORMAT and SHA.fullmatch(order["sha256"])
        times = [order[key] for key in ("health_s", "confirm_s")]
        timed = all(finite(one) and 0 < one <= LONGEST_S for one in times)
        needs = all(whole_number(order[key]) and order[key] >= 0 for key in NEEDS)
        path = os.fsencode(order["path"])
        placed = os.path.isabs(path) and b"\0" not in path
        if sound and timed and needs and placed and FOLDER_NAME.fullmatch(order["model"]):
            return dict(order)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused("corrupt", f"{ORDER} is unusable: {error!r}") from error
    raise Refused("corrupt", f"{ORDER} is unusable")


def read_program() -> bytes:
    """Return the bytes of this agent's file."""
    place = program_file()
    if place is None:
        raise Refused("failed", "this agent is no single file")
    with open(place, "rb") as file:
        return file.read()


class Job:
    """What is to be done with one bundle, by the owner of edgeflow's folder."""

    def __init__(self, order: Json, program: bytes) -> None:
        self.sha: str = order["sha256"]
        self.order = order
        root = order["path"]
        self.folder = os.path.join(root, order["model"])
        self.record_path = os.path.join(self.folder, RECORD)
        own = os.path.join(root, OWN_PYTHON)
        self.python = own if os.path.exists(own) else sys.executable
        self._agent = stored_agent(os.path.join(root, "bin"), program)

    def ask(self, verb: str, *arguments: str) -> Json:
        """Run a verb of the agent on the model's folder; an answer that is a no is raised."""
        import subprocess

        argv = [sys.executable, "-I", self._agent, verb, self.folder, *arguments]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
        answer: Json = json.loads(done.stdout.decode("utf-8", "replace").strip() or "{}")
        if "error" in answer or done.returncode:
            error = answer.pop("error", "failed")
            raise Refused(error, answer.pop("detail", f"{verb} gave no answer"), **answer)
        return answer

    def record(self) -> Json:
        """Return what is known of an update that nobody has committed yet; empty without one."""
        try:
            record: Json = json.loads(read_plain(self.record_path, ORDER_MAX_BYTES).decode())
            return record if {"base", "token"} <= set(record) else {}
        except (FileNotFoundError, ValueError, TypeError):
            return {}


def stored_agent(folder: str, program: bytes) -> str:
    """Return the path of the agent's copy in edgeflow's folder, where hosts keep it too."""
    path = os.path.join(folder, f"agent-{hashlib.sha256(program).hexdigest()}.pyz")
    make_folder(folder)
    if not os.path.isfile(path) or read_plain(path, len(program)) != program:
        write_bytes(path, program)
    return path


def install(job: Job, bundle: IO[bytes]) -> Json:
    """Install the bundle and put it on trial, for the update system to commit."""
    status, record = job.ask("status"), job.record()
    on_trial = status["pending"] and status["pending"]["sha"] == job.sha
    if record.get("token") and on_trial and status["current"] == job.sha:
        return {"state": "healthy", "changed": False}
    # Of several updates that nobody has committed, the first knows what there was before.
    record = {"base": record.get("base", status["current"]), "sha256": job.sha, "token": None}
    room = [f"--{key.replace('_', '-')}={job.order[key]}" for key in NEEDS]
    if not job.ask("prepare", job.sha, KEEP, *room)["intact"]:
        upload(job, bundle)
        job.ask("install", job.sha)
    write_json(job.record_path, record)
    order = job.order
    times = ["--health-s", str(order["health_s"]), "--confirm-s", str(order["confirm_s"])]
    answer = job.ask("switch", job.sha, "--python", job.python, *times)
    write_json(job.record_path, dict(record, token=answer["token"]))
    return {"state": answer["state"], "changed": answer["changed"], "current": answer["current"]}


def upload(job: Job, bundle: IO[bytes]) -> None:
    """Put the bundle where uploads are; the agent looks at its digest."""
    part = os.path.join(job.folder, "incoming", upload_name(job.sha, None, "tar"))
    with open(part, "wb") as file:
        shutil.copyfileobj(bundle, file, 1 << 20)


def commit(job: Job) -> Json:
    """Confirm the release on trial; what is in use and confirmed already stays."""
    record, pending = job.record(), job.ask("status")["pending"]
    if pending and not record.get("token"):  # whoever began the trial was killed, or is a host
        raise Refused("locked", "another's release {} is on trial".format(pending["sha"]))
    if record.get("token"):
        job.ask("confirm", record["sha256"], record["token"])
    remove(job.record_path)
    job.ask("prune", KEEP)
    return {"state": "confirmed", "current": job.ask("status")["current"]}


def take_back(job: Job) -> Json:
    """Take back what updates have changed since the last commit, and nothing else."""
    record, current = job.record(), job.ask("status")["current"]
    if record and current != record["base"] and current == record["sha256"]:
        current = job.ask("rollback", current, "--reason", REASON)["current"]
    remove(job.record_path)
    return {"state": "rolled_back", "current": current}


def deliver(job: Job, bundle: IO[bytes]) -> Json:
    """Install, try and confirm at once, for update systems without a commit of their own."""
    try:
        install(job, bundle)
    except Refused:
        take_back(job)
        raise
    return commit(job)
