"""What was found in sources is kept by their bytes, and believed only where it is whole."""

import sys
from pathlib import Path

import pytest

from edgeflow.artifact import code
from edgeflow.artifact.code import KEPT, Code, keep, read_code

SOURCE = b'"""What it does."""\nimport json\nfrom . import near\n\nTOOLS = ("numpy", "scipy")\n'


@pytest.fixture(autouse=True)
def parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Work in a project of its own; return the sources that are parsed there."""
    monkeypatch.chdir(tmp_path)
    KEPT.parent.mkdir()
    sources: list[bytes] = []
    parse = code._parse

    def counted(source: bytes, package: str) -> Code:
        sources.append(source)
        return parse(source, package)

    monkeypatch.setattr(code, "_parse", counted)
    forget()
    return sources


def forget() -> None:
    """Read what is kept anew, as another process would."""
    code._kept.cache_clear()
    code._reader.cache_clear()


def again(package: str = "shop") -> Code:
    """Return what another process finds in the source."""
    keep()
    forget()
    return read_code(SOURCE, package)


def test_imports_and_tools() -> None:
    found = read_code(SOURCE, "shop")
    assert found.imports == ("json", "shop", "shop.near")
    assert found.tools == ("numpy", "scipy")
    assert read_code(b"TOOLS: tuple[str, ...] = ()\n", "shop").tools == ()
    assert read_code(b"X = 1\n", "shop").tools == ()


def test_the_next_process_parses_nothing(parsed: list[bytes]) -> None:
    first = read_code(SOURCE, "shop")
    assert again() == first
    assert parsed == [SOURCE]


def test_other_bytes_and_another_package_are_parsed(parsed: list[bytes]) -> None:
    first = read_code(SOURCE, "shop")
    keep()
    forget()
    assert read_code(SOURCE, "shop.inner").imports == ("json", "shop.inner", "shop.inner.near")
    changed = SOURCE.replace(b"scipy", b"scipi")
    assert read_code(changed, "shop").digest != first.digest
    assert len(parsed) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-3],
        lambda text: text.replace("numpy", "numpi"),
        lambda text: text.partition("\n")[2],
        lambda text: "",
        lambda text: text.partition("\n")[0] + "\n[]",
    ],
)
def test_what_is_damaged_is_parsed_again(parsed: list[bytes], damage: object) -> None:
    first = read_code(SOURCE, "shop")
    keep()
    KEPT.write_text(damage(KEPT.read_text()))  # type: ignore[operator]
    assert again() == first
    assert parsed == [SOURCE, SOURCE]
    assert again() == first
    assert len(parsed) == 2  # and kept again


def test_another_python_parses_by_itself(
    parsed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_code(SOURCE, "shop")
    keep()
    monkeypatch.setattr(sys, "version", "4.0")
    again()
    assert len(parsed) == 2


def test_of_very_many_those_in_use_are_kept(
    parsed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "_MOST", 2)
    read_code(SOURCE, "old")
    again("shop")
    again("shop.inner")  # one too many
    again("shop.inner")
    assert len(parsed) == 3
    again("old")
    assert len(parsed) == 4


def test_outside_of_a_project_nothing_is_written(tmp_path: Path) -> None:
    KEPT.parent.rmdir()
    read_code(SOURCE, "shop")
    keep()
    assert [*tmp_path.iterdir()] == []
