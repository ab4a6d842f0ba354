"""Compiles firmware for a board, and reads out of the linked file what it takes.

A worker of a toolchain, which may run on a compile host: one file, the standard library of
Python 3.7, nothing of edgeflow.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

ELF = "fw.elf"
# Not -ffreestanding alone: copies of a few bytes would all become calls.
DIALECT = ("-ffreestanding", "-fbuiltin", "-std=gnu99", "-Wall", "-Wextra")
SECTIONS = ("-ffunction-sections", "-fdata-sections", "-fno-common", "-fno-unwind-tables",
            "-fno-asynchronous-unwind-tables", "-fstack-usage")  # fmt: skip
# Or the loop of memset would become a call of memset.
LIBRARY = ("-O2", "-fno-tree-loop-distribute-patterns")


class BuildError(Exception):
    """The compiler refuses the sources, or is missing."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Firmware:
    """A linked program and what it takes of a board.

    Attributes:
        elf: name of the file.
        flash_bytes: code, constants and the first values of variables.
        ram_bytes: variables, among them the arena and the buffers of inputs and outputs.
        stack_bytes: bound of the stack, the longest chain of calls from the first function on.
        invoke_address: of the function that runs one inference.
    """

    elf: str
    flash_bytes: int
    ram_bytes: int
    stack_bytes: int
    invoke_address: int


def work(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Compile the files in a folder, see `build_elf`; objects do not stay there."""
    return asdict(build_elf(job, folder))


def build_elf(job: Mapping[str, Any], folder: Path) -> Firmware:
    """Compile and link the files of a folder; leave the program there.

    Args:
        job: ``compiler`` (prefix of its names), ``install`` (the command), ``flags``, ``link``
            (options of the linker), ``optimize``, and the names of the files to compile: ``parts``
            of the firmware and ``sources`` of the network; ``ram_origin``; ``invoke``, name of
            the function that runs an inference.
        folder: with these files and what they include.

    Raises:
        BuildError: the compiler refuses the sources, or is missing.
    """
    objects = folder / "objects"
    objects.mkdir()
    try:
        names = [_compile(job, folder, source) for source in (*job["parts"], *job["sources"])]
        link = [*job["flags"], *job["link"], *names, "-lgcc", "-o", ELF]
        _run(job, "gcc", link, folder)
        program = Program((folder / ELF).read_bytes())
        flash, ram = program.flash_and_ram(job["ram_origin"])
        if job["compiler"] == "avr-":
            _require_near(program, job["ram_origin"])
        return Firmware(
            elf=ELF,
            flash_bytes=flash,
            ram_bytes=ram,
            stack_bytes=_stack_bound(job, folder),
            invoke_address=program.function(job["invoke"]),
        )
    finally:
        shutil.rmtree(str(objects))


def _compile(job: Mapping[str, Any], folder: Path, source: str) -> str:
    name = f"objects/{source[: -len('.c')]}.o"
    own = source in job["parts"]
    level = LIBRARY if source == "string.c" else ("-Os",) if own else job["optimize"]
    arguments = [*job["flags"], *DIALECT, *SECTIONS, *level, "-I.", "-c", source, "-o", name]
    _run(job, "gcc", arguments, folder)
    return name


def _run(job: Mapping[str, Any], tool: str, arguments: Iterable[str], folder: Path) -> str:
    program = job["compiler"] + tool
    if shutil.which(program) is None:
        raise BuildError(f"{program} is not installed", job["install"])
    done = subprocess.run(
        [program, *arguments],
        cwd=str(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise _refusal(job, program, done)
    return done.stdout


def _refusal(
    job: Mapping[str, Any], program: str, done: subprocess.CompletedProcess[str]
) -> BuildError:
    """Return what a compiler that failed said; of a header that it lacks, how to get it."""
    lacking = re.search(r"fatal error: (\S+): No such file", done.stderr)
    if lacking:
        return BuildError(f"{program} comes without the header {lacking.group(1)}", job["install"])
    return BuildError(
        f"{program} ended with exit code {done.returncode}:\n{done.stderr[-2000:]}",
        f"run `{program} --version`: GCC 5 or newer is needed; report what it says otherwise",
    )


class Program:
    """A linked file: 32-bit little-endian ELF."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        if content[:6] != b"\x7fELF\x01\x01":
            raise BuildError("the linker wrote no 32-bit ELF file", "use another compiler")
        (start,) = struct.unpack_from("<I", content, 32)
        size, count = struct.unpack_from("<HH", content, 46)
        self._sections = [
            struct.unpack_from("<10I", content, start + number * size) for number in range(count)
        ]

    def flash_and_ram(self, ram_origin: int) -> tuple[int, int]:
        """Return the bytes that the program takes of both memories."""
        nobits, allocated, writable = 8, 2, 1
        flash = ram = 0
        for _, kind, flags, address, _, size, _, _, _, _ in self._sections:
            if not flags & allocated:
                continue
            in_ram = kind == nobits or (flags & writable and address >= ram_origin)
            flash += 0 if kind == nobits else size
            ram += size if in_ram else 0
        return flash, ram

    def function(self, name: str) -> int:
        """Return the address of a function; its lowest bit says Thumb and is left out."""
        for found, address, _ in self._symbols(kind=2):
            if found == name:
                return address & ~1
        raise BuildError(f"the program has no function {name}", "report this as a defect")

    def constants_end(self, ram_origin: int) -> int:
        """Return the address after the last constant outside of RAM."""
        found = self._symbols(kind=1)
        return max((at + size for _, at, size in found if at < ram_origin), default=0)

    def _symbols(self, kind: int) -> Iterator[tuple[str, int, int]]:
        """Give name, address and size of objects (1) or functions (2)."""
        for _, table, _, _, offset, size, link, _, _, entry in self._sections:
            if table != 2:  # the table of symbols
                continue
            strings = self._sections[link][4]
            for place in range(offset, offset + size, entry):
                at, value, length, info = struct.unpack_from("<IIIB", self._content, place)
                if info & 15 == kind:
                    start = strings + at
                    name = self._content[start : self._content.index(b"\0", start)]
                    yield name.decode(errors="replace"), value, length


def _require_near(program: Program, ram_origin: int) -> None:
    """Refuse constants that an AVR's pointers of 16 bits do not reach.

    Raises:
        BuildError: there are too many.
    """
    end = program.constants_end(ram_origin)
    if end > 1 << 16:
        raise BuildError(
            f"the network's constants end at byte {end:,} of the flash, and the code for an AVR"
            f" reaches those in the first {1 << 16:,} alone",
            "choose a smaller network, or another board",
        )


_FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
_TARGET = re.compile(r"\s<([^>+]+)>")
_PUSHED = re.compile(r"\t(?:push|stmdb)\t(?:sp!, )?(\{[^}]*\}|r\d+)")
_LOWERED = re.compile(r"\tsub[.w]*\tsp, (?:sp, )?#(\d+)|\[sp, #-(\d+)\]!|\taddi?\tsp,sp,-(\d+)")
_BY_POINTER = re.compile(r"\t(?:blx\tr\d+|jalr\t|e?icall)")
_AVR_RETURN_BYTES = 3  # that a call pushes; 2 on chips with less flash


def _stack_bound(job: Mapping[str, Any], folder: Path) -> int:
    """Return the longest chain of calls, in bytes of stack.

    A branch to the beginning of a function counts as a call of it; a call by a pointer, which GCC
    may make of a choice of two, as one of any function that none calls by name. Nothing calls
    itself. GCC says what each function takes; of those in its own library that is read from their
    code.
    """
    calls, frames = _disassembled(_run(job, "objdump", ["-d", ELF], folder).splitlines())
    if job["compiler"] == "avr-":
        frames = {name: size + _AVR_RETURN_BYTES for name, size in frames.items()}
    known = _told(folder / "objects")
    frames = {name: known.get(name.partition(".")[0], size) for name, size in frames.items()}
    return _deepest("start" if "start" in calls else "main", calls, frames, {})


def _told(objects: Path) -> dict[str, int]:
    """Return what GCC says that functions take."""
    found: dict[str, int] = {}
    for path in objects.glob("*.su"):
        for place, size, _ in (line.split("\t") for line in path.read_text().splitlines()):
            # GCC names a copy of a function that it made for some arguments `function.constprop`
            # here, and `function.constprop.0` in the program.
            name = place.rpartition(":")[2].partition(".")[0]
            found[name] = max(found.get(name, 0), int(size))
    return found


def _disassembled(lines: Iterable[str]) -> tuple[dict[str, set[str]], dict[str, int]]:
    """Return whom each function calls, and the bytes that it pushes, from a disassembly."""
    calls: dict[str, set[str]] = {}
    frames: dict[str, int] = {}
    by_pointer: set[str] = set()
    inside = ""
    for line in lines:
        begins = _FUNCTION.match(line)
        if begins:
            inside = begins.group(1)
            calls[inside], frames[inside] = set(), 0
        elif inside:
            calls[inside].update(_TARGET.findall(line))
            frames[inside] += _pushed(line)
            if _BY_POINTER.search(line) and not _TARGET.search(line):
                by_pointer.add(inside)
    unnamed = set(calls).difference(*calls.values(), {"start", "main"})
    for name in by_pointer:
        calls[name] |= unnamed - {name}
    return {name: {one for one in called if one in calls} for name, called in calls.items()}, frames


def _pushed(line: str) -> int:
    """Return the bytes by which an instruction lowers the stack pointer."""
    pushed, lowered = _PUSHED.search(line), _LOWERED.search(line)
    if pushed:
        registers = pushed.group(1)
        return 4 * len(registers.split(",")) if registers.startswith("{") else 1
    return int(lowered.group(lowered.lastindex or 1)) if lowered else 0


def _deepest(
    name: str, calls: Mapping[str, set[str]], frames: Mapping[str, int], known: dict[str, int]
) -> int:
    if name not in known:
        known[name] = 0  # a loop back to here adds nothing
        deeper = (_deepest(one, calls, frames, known) for one in calls.get(name, ()))
        known[name] = frames[name] + max(deeper, default=0)
    return known[name]
