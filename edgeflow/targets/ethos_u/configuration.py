"""Vela's configurations of chips: those of its Arm/vela.ini, and files of one's own."""

from configparser import ConfigParser
from configparser import Error as IniError
from enum import StrEnum
from pathlib import Path

Ini = dict[str, dict[str, str]]
"""Sections of a vela.ini, with their keys as written."""


class Family(StrEnum):
    """Families of the NPU."""

    U55 = "u55"
    U65 = "u65"
    U85 = "u85"

    @property
    def written(self) -> str:
        """Name of the family, such as `Ethos-U55`."""
        return f"Ethos-{self.value.upper()}"


_WITH_FLASH = {
    Family.U55: ("Ethos_U55_Deep_Embedded", "Ethos_U55_High_End_Embedded"),
    Family.U65: ("Ethos_U65_Embedded",),
    Family.U85: ("Ethos_U85_SYS_Flash_Low", "Ethos_U85_SYS_Flash_High"),
}
_WITH_DRAM = {
    Family.U55: (),
    Family.U65: ("Ethos_U65_Mid_End", "Ethos_U65_High_End", "Ethos_U65_Client_Server"),
    Family.U85: ("Ethos_U85_SYS_DRAM_Low", "Ethos_U85_SYS_DRAM_Mid", "Ethos_U85_SYS_DRAM_High"),
}
_SHARED = frozenset({"Sram_Only", "Shared_Sram"})
_DEDICATED = {
    "Dedicated_Sram": None,
    "Dedicated_Sram_256KB": 256 * 1024,
    "Dedicated_Sram_384KB": 384 * 1024,
    "Dedicated_Sram_512KB": 512 * 1024,
}
"""The memory modes that keep activations in DRAM, with what they may take of the SRAM."""

MEMORY_MODES = _SHARED | _DEDICATED.keys()


def systems(family: Family) -> tuple[str, ...]:
    """Return the system configurations of Vela's own file for a family."""
    return _WITH_FLASH[family] + _WITH_DRAM[family]


def modes(system: str) -> frozenset[str]:
    """Return the memory modes that go with one of those: flash holds no activations."""
    has_dram = any(system in names for names in _WITH_DRAM.values())
    return frozenset(MEMORY_MODES if has_dram else _SHARED)


def defaults(family: Family) -> tuple[str, str]:
    """Return the system configuration and memory mode that Vela takes without a word of them."""
    return {
        Family.U55: ("Ethos_U55_High_End_Embedded", "Shared_Sram"),
        Family.U65: ("Ethos_U65_Client_Server", "Dedicated_Sram_384KB"),
        Family.U85: ("Ethos_U85_SYS_DRAM_Mid", "Dedicated_Sram_384KB"),
    }[family]


def read_ini(path: Path) -> Ini:
    """Return the sections of a file; raises ValueError where it cannot be read."""
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]  # names of memories are in mixed case
    try:
        parser.read_string(path.read_text())
    except (OSError, ValueError, IniError) as error:
        raise ValueError(f"{path} cannot be read as vela.ini: {error}") from error
    return {name: dict(parser[name]) for name in parser.sections()}


def needed_sections(ini: Ini, system: str, mode: str) -> Ini:
    """Return the sections of a system configuration and a memory mode, and what those inherit.

    Raises:
        ValueError: one is missing.
    """
    wanted = (f"System_Config.{system}", f"Memory_Mode.{mode}")
    return {name: ini[name] for one in wanted for name in reversed(_line(ini, one))}


def _line(ini: Ini, name: str) -> list[str]:
    """Return a section and its ancestors; Vela reads these first."""
    found: list[str] = []
    while name not in found:
        if name not in ini:
            raise ValueError(f"it has no section [{name}], but {', '.join(sorted(ini)) or 'none'}")
        found.append(name)
        name = ini[name].get("inherit", name)
    return found
