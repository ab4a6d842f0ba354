"""Options of the target kind `mcu`."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from edgeflow.config.base import HomePath
from edgeflow.config.finding import did_you_mean
from edgeflow.targets.base import HostedOptions
from edgeflow.targets.mcu.board import Board, boards
from edgeflow.targets.mcu.settings import Kernels, Mode, Profile

KIB = 1024
"""Bytes of a kB, as data sheets of microcontrollers count them."""

Level = Literal["Os", "O2", "O3"]
Budget = Annotated[float, Field(gt=0)]


class McuOptions(HostedOptions):
    """A microcontroller: C code in integers, as firmware for a board."""

    kind: Literal["mcu"]
    board: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$",
            examples=[name for name, board in boards().items() if board.family.compiler],
        ),
    ]
    """Name of the board, one of edgeflow's own or of `boards`."""
    boards: HomePath | dict[str, Board] = Field(default={}, validate_default=True)
    """Boards of your own by name, or a TOML file with them."""
    profile: Profile = "tflm"
    """Whose arithmetic the code equals, byte by byte. tflm: TensorFlow Lite Micro. litert-ref:
    LiteRT's reference kernels, which round once in dense layers."""
    mode: Literal["auto"] | Mode = "auto"
    """compact: layers share the code of their kernels. specialized: each layer has code of its own.
    unrolled: weights of small dense layers are part of the code. auto: the fastest of those that
    fit."""
    kernels: Kernels = "portable"
    """portable: edgeflow's own kernels. cmsis-nn: Arm's for the layers that those take, from the
    extra `cmsis-nn`."""
    optimize: Literal["auto"] | Level = "auto"
    """The compiler's level of optimization. auto: O2, or Os where that is faster, as of unrolled
    code, or where only that fits."""
    flash_kb: Budget | None = None
    """Flash that the firmware may take, in kB of 1,024 bytes; by default all of the board's."""
    ram_kb: Budget | None = None
    """RAM that variables and stack may take together, in kB of 1,024 bytes; by default all of the
    board's."""
    emulated_samples: Annotated[int, Field(ge=1)] = 50
    """Test samples that run as firmware; all of them run as the same C, built for the host."""

    @field_validator("boards", mode="before")
    @classmethod
    def _only_its_own(cls, given: object, info: ValidationInfo) -> object:
        """Keep the one board that is meant: no other may decide what is compiled anew."""
        read = _read(Path(given).expanduser()) if isinstance(given, str) else given
        name = info.data.get("board")
        if not isinstance(read, dict) or name not in {**read, **boards()}:
            return read
        return {name: read[name]} if name in read else {}

    @model_validator(mode="after")
    def _known_board(self) -> Self:
        known = {**boards(), **self._own}
        if self.board not in known:
            raise ValueError(f"no board {self.board!r}; {did_you_mean(self.board, known)}")
        if not known[self.board].family.compiler:
            raise ValueError(f"code for {self.board} can only be exported: `edgeflow export c`")
        if self.kernels == "cmsis-nn" and not known[self.board].core.startswith("cortex-m"):
            raise ValueError(f"CMSIS-NN is for Cortex-M; {self.board} needs `kernels: portable`")
        return self

    @property
    def _own(self) -> dict[str, Board]:
        return self.boards if isinstance(self.boards, dict) else {}

    @property
    def hardware(self) -> Board:
        """What is known of the board."""
        return {**boards(), **self._own}[self.board]

    @property
    def flash_bytes(self) -> int:
        """Flash that the firmware may take."""
        given, there = self.flash_kb, self.hardware.flash.bytes
        return there if given is None else min(there, int(given * KIB))

    @property
    def ram_bytes(self) -> int:
        """RAM that variables and stack may take."""
        given, there = self.ram_kb, self.hardware.ram.bytes
        return there if given is None else min(there, int(given * KIB))


def _read(path: Path) -> Any:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as TOML: {error}") from error
