"""The one command of a key that deploys: it runs what edgeflow runs, and nothing else.

``authorized_keys`` names it for that key: ``restrict,command="python -I -S guard.py ROOT"``. No
shell sees what the host asks for. Programs count by their digest: `guard.json` beside this file has
those of the session and of what runs over it. Standard library only; Python 3.7 or newer.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import sys

EX_NOPERM = 77  # sysexits.h
SOURCE_MAX_BYTES = 1 << 20
CITED_CHARACTERS = 200
RESERVED = ("bin", "data", "env", "trust")
OF_ROOT = ("gc", "models", "recover")
OF_DATA = ("find-data", "store-data")
NOT_FOR_HOSTS = ("supervise",)
SERVICE = ("health", "start", "stop")
RUNNER = ("golden", "measure", "predict")
CHECKED = ("--data", "--out", "--python", "--unit")
NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
PROGRAM = re.compile(r"bin/(?:agent|session)-([0-9a-f]{64})\.pyz?")
AGENT = re.compile(r"bin/agent-([0-9a-f]{64})\.pyz")
UPLOADS = re.compile(
    r"data/[0-9a-f]{64}\.[0-9a-f]{16}(\.zst)?\.part"
    rf"|(?P<model>{NAME})/(incoming/{NAME}\.part|samples\.[0-9a-f]{{16}}\.npy(\.part)?"
    r"|run/(service\.json|collected\.[0-9a-f]{16})(\.part)?)"
)
OF_RELEASE = re.compile(rf"({NAME})/releases/[0-9a-f]{{64}}/runner\.py")
OUT = re.compile(r"outputs\.[0-9a-f]{16}")
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence


class Refused(Exception):
    """What this key may not do; of what was asked the start is cited."""

    def __init__(self, text: str, *asked: str) -> None:
        super().__init__(text.format(*[one[:CITED_CHARACTERS] for one in asked]))


class Guard:
    """Decides about one request.

    Args:
        root: the folder that edgeflow owns.
        settings: `programs`, digests of what may run; `unit`, what the engine is told.
    """

    def __init__(self, root: str, settings: dict[str, Any]) -> None:
        self.root = os.path.abspath(root)
        self.programs, self.unit = settings["programs"], settings["unit"]

    def session(self, command: str) -> list[str]:
        """Return nonce, verb and arguments of the session that a command line starts."""
        try:
            words = shlex.split(command)
        except ValueError:
            raise Refused("a shell") from None
        words = words[1:] if words[:1] == ["exec"] else words
        if words[:2] == ["sh", "-c"]:  # it chooses the interpreter, which is ours here
            words = words[4:]
        nonce = "".join(words[5:6])
        if words[1:4] != ["-I", "-S", "-c"] or not re.fullmatch("[0-9a-f]{32}", nonce):
            raise Refused("{}", command or "a shell")
        return words[5:]

    def allow(self, verb: str, *arguments: str) -> None:
        """Refuse a verb of the session that is none of edgeflow's business."""
        if verb == "run" and len(arguments) > 2:
            self.run(*arguments)
        elif verb == "receive" and len(arguments) == 5:
            self.receive(*arguments)
        elif verb == "send" and len(arguments) == 2:
            self.inside(arguments[0])
        else:
            raise Refused("the verb {}", verb)

    def program(self, source: bytes, what: str) -> None:
        """Refuse a program that was not provisioned."""
        if hashlib.sha256(source).hexdigest() not in self.programs:
            raise Refused("{} of another version of edgeflow", what)

    def inside(self, path: str) -> str:
        """Return a path relative to the root; refuse one that leads out of it."""
        whole = os.path.normpath(os.path.join(os.getcwd(), path))
        if not os.path.realpath(whole).startswith(os.path.realpath(self.root) + os.sep):
            raise Refused("{}, which is not in {}", path, self.root)
        return os.path.relpath(whole, self.root)

    def receive(self, part: str, path: str, _size: str, sha256: str, _idle_s: str) -> None:
        """Allow uploads of bundles, data and samples, and of programs that were provisioned."""
        names = self.inside(part), self.inside(path)
        program = PROGRAM.fullmatch(names[1])
        known = program and sha256 == program.group(1) and sha256 in self.programs
        if known and re.fullmatch(re.escape(names[1]) + r"\.[0-9a-f]{16}\.part", names[0]):
            return
        for name in names:
            found = UPLOADS.fullmatch(name)
            if found is None or found.group("model") in RESERVED:
                raise Refused("an upload to {}", name)

    def run(self, _limit_s: str, folder: str, *argv: str) -> None:
        """Allow the programs of edgeflow, under the interpreter that runs this."""
        if folder:
            self.inside(folder)
        if argv == ("true",):
            return
        if argv[:2] == ("test", "-e") and len(argv) == 3:
            self.inside(argv[2])
            return
        if argv[0] != "-" or len(argv) < 3:
            raise Refused("the program {}", argv[0])
        if argv[1] == "-c" and (
            len(argv) == 3 or [os.path.abspath(one) for one in argv[3:]] == [self.root]
        ):
            self.program(argv[2].encode(), "a program")
        elif argv[1] == "-I":
            self.agent(argv[2], argv[3:])
        elif argv[1] == "-B":
            self.runner(folder, argv[2], argv[3:])
        else:
            raise Refused("the interpreter with {}", argv[1])

    def agent(self, path: str, arguments: Sequence[str]) -> None:
        """Allow the verbs of a provisioned agent in the root alone."""
        agent = AGENT.fullmatch(self.inside(path))
        if agent is None or agent.group(1) not in self.programs:
            raise Refused("an agent of another version of edgeflow")
        verb, where = [*arguments, "", ""][:2]
        if verb in NOT_FOR_HOSTS or not self.has_place(verb, where):
            raise Refused("the agent's {} of {}", verb, where)
        self.options(arguments[2:])

    def has_place(self, verb: str, where: str) -> bool:
        """Tell whether a folder is one that a verb of the agent is for."""
        where = os.path.abspath(where)
        if verb in OF_ROOT:
            return where == self.root
        if verb in OF_DATA:
            return where == os.path.join(self.root, "data")
        name = self.inside(where)
        plain = re.fullmatch(NAME, name) is not None and name not in RESERVED
        return plain and where == os.path.join(self.root, name)

    def runner(self, folder: str, path: str, arguments: Sequence[str]) -> None:
        """Allow what a release's own runner measures, in its model's folder."""
        release = OF_RELEASE.fullmatch(self.inside(path))
        if release is None or self.inside(folder) != release.group(1):
            raise Refused("the program {}", path)
        told = 2 if arguments[:1] == ("--unit",) else 0
        self.options(arguments[:told])
        rest = arguments[told + 1 if arguments[told : told + 1] == ("--emulated",) else told :]
        verb = "".join(rest[:1])
        if verb == "serve" and rest[1:-1] == (folder,) and rest[-1] in SERVICE:
            return
        if verb not in RUNNER:
            raise Refused("the runner with {}", verb or "nothing")
        self.options(rest[1:])

    def options(self, words: Sequence[str]) -> None:
        """Refuse options that would lead out of the root, or to another unit."""
        before = ""
        for word in words:
            if word.startswith("--") and before != "--reason":
                short = any(name != word and name.startswith(word) for name in CHECKED)
                if short or "=" in word:
                    raise Refused("the option {}", word)
            elif not self.fits(before, word):
                raise Refused("{} {}", before or "the argument", word)
            before = word

    def fits(self, option: str, value: str) -> bool:
        """Tell whether an option may have a value."""
        if option == "--unit":
            return bool(value == "" or json.loads(value) == self.unit)
        if option == "--python":
            return value == sys.executable
        if option == "--out":
            return OUT.fullmatch(value) is not None
        if option == "--data":
            return bool(self.inside(value))
        return option == "--reason" or "/" not in value


def main(root: str) -> None:
    """Run the session that the host asks for, if it is one."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "guard.json")) as file:
        guard = Guard(root, json.load(file))
    try:
        words = guard.session(os.environ.get("SSH_ORIGINAL_COMMAND", ""))
        guard.allow(*words[1:])
        source = sys.stdin.buffer.readline(SOURCE_MAX_BYTES)
        guard.program(source, "a session")
    except (Refused, TypeError, ValueError) as error:
        print(f"edgeflow's guard: this key may not run {error}", file=sys.stderr)
        sys.exit(EX_NOPERM)
    sys.argv = ["-c", *words]
    # Its digest was provisioned.
    exec(eval(source), {"__name__": "__main__"})  # noqa: S102, S307


if __name__ == "__main__":
    main(sys.argv[1])
