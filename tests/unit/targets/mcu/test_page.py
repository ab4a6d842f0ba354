"""The page of the documentation tells of what there is."""

import re
from pathlib import Path

from edgeflow.targets.mcu.board import boards
from edgeflow.targets.mcu.layers import OPERATORS
from edgeflow.targets.mcu.options import McuOptions

PAGE = (Path(__file__).parents[4] / "docs" / "targets" / "mcu.md").read_text()


def test_the_page_lists_all_boards() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| .* \| ([\d,.]+) \| ([\d,.]+) \|", PAGE, re.MULTILINE)
    assert rows == [
        (name, f"{board.flash.bytes / 1024:,.4g}", f"{board.ram.bytes / 1024:,.4g}")
        for name, board in boards().items()
    ]


def test_the_page_lists_all_operators() -> None:
    section = PAGE.partition("## Operators")[2].partition("\n## ")[0]
    assert {*re.findall(r"`([A-Z][A-Z_0-9]+)`", section)} == {*OPERATORS, "DEQUANTIZE"}


def test_the_example_of_a_board_is_one(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "boards.toml").write_text(example)
    options = {"kind": "mcu", "board": "bluepill", "boards": str(tmp_path / "boards.toml")}
    assert McuOptions.model_validate(options).hardware.wait_states == 2
