"""Options of the target kind `ethos_u`."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from edgeflow.config.base import HomePath, Text
from edgeflow.config.finding import did_you_mean
from edgeflow.targets.base import TargetOptions
from edgeflow.targets.ethos_u.configuration import (
    MEMORY_MODES,
    Family,
    Ini,
    defaults,
    modes,
    needed_sections,
    read_ini,
    systems,
)

Accelerator = Literal[
    "ethos-u55-32",
    "ethos-u55-64",
    "ethos-u55-128",
    "ethos-u55-256",
    "ethos-u65-256",
    "ethos-u65-512",
    "ethos-u85-128",
    "ethos-u85-256",
    "ethos-u85-512",
    "ethos-u85-1024",
    "ethos-u85-2048",
]
Bytes = Annotated[int, Field(ge=1, le=2**32)]


class EthosUOptions(TargetOptions):
    """An Arm Ethos-U NPU beside a Cortex-M, or under Linux as in the i.MX 93."""

    kind: Literal["ethos_u"]
    accelerator: Accelerator = "ethos-u55-256"
    """Family of the NPU and its multiplications in a cycle, as Vela names them; the default is
    Vela's too. A file for another one than the chip's does not run."""
    system_config: Text | None = None
    """Clock and bandwidths of the chip: a section `System_Config.…` of `config`, or of Vela's own
    Arm/vela.ini. By default Vela's own for the family."""
    memory_mode: Text | None = None
    """What lies in which memory: a section `Memory_Mode.…`. By default Vela's own for the
    family."""
    config: HomePath | Ini = Field(default={}, validate_default=True)
    """A vela.ini of your own, such as the chip's vendor gives; `system_config` and `memory_mode`
    name sections of it."""
    optimise: Literal["performance", "size"] = "performance"
    """size: as little SRAM as Vela can. performance: as fast as the SRAM allows."""
    arena_cache_size_bytes: Bytes | None = None
    """SRAM that `optimise: performance` may use; by default that of the memory mode."""
    sram_bytes: Bytes | None = None
    """SRAM that there is for the model; one that takes more is refused."""
    cpu_operators: Literal["allow", "refuse"] = "allow"
    """refuse: a model of which some operators are left to the CPU is refused."""
    raw: bool = False
    """Write the commands and weights as arrays too, model.npz, for firmware without an interpreter:
    Vela's raw format."""
    delegate: Annotated[str, Field(pattern="^/")] = "/usr/lib/libethosu_delegate.so"
    """Library of the NPU's delegate for LiteRT, on Linux devices."""
    device: Annotated[str, Field(pattern="^/dev/")] = "/dev/ethosu0"
    """Device node of the NPU's driver, on Linux devices."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads for the operators that are left to the CPU, on Linux devices."""

    @field_validator("config", mode="before")
    @classmethod
    def _only_what_is_meant(cls, given: object, info: ValidationInfo) -> object:
        """Keep the sections that are meant: no others may decide what is compiled anew."""
        if not isinstance(given, str):
            return given
        named = [info.data.get(key) for key in ("system_config", "memory_mode")]
        if None in named:
            raise ValueError("name its sections by `system_config` and `memory_mode`")
        return needed_sections(read_ini(Path(given).expanduser()), *map(str, named))

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        if self.config:
            return self
        if self.system not in systems(self.family):
            known = systems(self.family)
            raise ValueError(
                f"Vela has no system configuration {self.system!r} for "
                f"{self.accelerator}; {did_you_mean(self.system, known)}"
            )
        if self.mode not in modes(self.system):
            listed = ", ".join(sorted(modes(self.system)))
            why = "is for systems with DRAM" if self.mode in MEMORY_MODES else "is unknown to Vela"
            raise ValueError(f"memory mode {self.mode!r} {why}; {self.system} takes {listed}")
        return self

    @model_validator(mode="after")
    def _arena_counts(self) -> Self:
        if self.optimise == "size" and self.arena_cache_size_bytes is not None:
            raise ValueError(
                "`arena_cache_size_bytes` is for `optimise: performance`; `size` takes as little "
                "as it can: leave one of them out"
            )
        return self

    @property
    def family(self) -> Family:
        """Family of the NPU."""
        return Family(self.accelerator.split("-")[1])

    @property
    def system(self) -> str:
        """Name of the system configuration that counts."""
        return self.system_config or defaults(self.family)[0]

    @property
    def mode(self) -> str:
        """Name of the memory mode that counts."""
        return self.memory_mode or defaults(self.family)[1]

    @property
    def ini(self) -> Ini:
        """Sections of a vela.ini of one's own; empty for Vela's."""
        return self.config if isinstance(self.config, dict) else {}
