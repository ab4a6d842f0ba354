import inspect
import re
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from edgeflow import errors
from edgeflow.cli.app import app
from edgeflow.cli.help import entry, page
from edgeflow.errors import (
    ConfigError,
    EdgeflowError,
    Problem,
    UnreachableError,
    leaves,
    shown,
)

LEAVES: list[type[EdgeflowError]] = [
    item
    for _, item in inspect.getmembers(errors, inspect.isclass)
    if issubclass(item, EdgeflowError) and item is not EdgeflowError
]
ALL: list[type[EdgeflowError]] = [EdgeflowError, *LEAVES]


def test_exit_codes_are_those_of_the_documentation() -> None:
    documented = dict(re.findall(r"(\w+Error) \((\d+)\)", errors.__doc__ or ""))
    assert {leaf.__name__: str(leaf.exit_code) for leaf in ALL} == documented


@pytest.mark.parametrize("kind", ALL)
def test_each_failure_has_its_entry(kind: type[EdgeflowError]) -> None:
    said = entry(kind.anchor)
    [code, meaning] = re.findall(r"^Exit code (\d+): (.+)\.$", said, re.MULTILINE)[0]
    assert code == str(kind.exit_code)
    if kind is not EdgeflowError:
        first = (kind.__doc__ or "").partition(".")[0]
        assert meaning == first[0].lower() + first[1:]
    assert "Usual causes:\n\n- " in said
    assert "\nWhat to do: " in said


def test_the_page_has_no_entry_of_no_failure() -> None:
    assert len(re.findall("^## ", page("errors.md"), re.MULTILINE)) == len(ALL)
    assert leaves() == sorted(LEAVES, key=lambda leaf: leaf.exit_code)


def test_commands_and_options_of_the_page_exist() -> None:
    root = typer.main.get_command(app)
    for line in re.findall(r"`edgeflow ([a-z -]+?)(?: [A-Z]+)?`", page("errors.md")):
        command: Any = root
        for word in line.split():
            if word == "--" or not hasattr(command, "commands"):
                break
            command = command.get_command(None, word)
            assert command is not None, line


@pytest.mark.parametrize(
    ("topic", "begins"),
    [
        ("", "# Errors"),
        ("4", "## Unreachable"),
        ("missing-tool", "## Missing tool"),
        ("run", "Usage: edgeflow run"),
        ("docs/devices.md#asking-the-model", "# Devices"),
        ("targets/mcu.md", "# Microcontrollers"),
    ],
)
def test_help_prints_the_page_an_entry_or_a_command(topic: str, begins: str) -> None:
    done = CliRunner().invoke(app, ["help", *([topic] if topic else [])], prog_name="edgeflow")
    assert done.exit_code == 0
    assert done.stdout.strip().startswith(begins)


def test_what_ends_a_command_names_its_entry() -> None:
    error = UnreachableError("it is off", hint="switch it on")
    assert shown(error).splitlines() == [
        "error: it is off",
        "  hint: switch it on",
        "  see: edgeflow help unreachable",
    ]
    assert CliRunner().invoke(app, ["help", "nonsense"]).exit_code == 2


def test_no_two_errors_share_an_exit_code() -> None:
    codes = [leaf.exit_code for leaf in ALL]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if leaf is not ConfigError])
def test_an_error_says_what_failed_and_what_to_do(leaf: type[EdgeflowError]) -> None:
    assert str(leaf("it broke")) == "it broke"
    assert str(leaf("it broke", hint="mend it")) == "it broke\n  hint: mend it"


def test_a_problem_says_where_what_and_how() -> None:
    assert str(Problem(path="a.b", message="bad")) == "a.b: bad"
    problem = Problem(path="a.b", message="bad", hint="did you mean 'c'?", line=3)
    assert str(problem) == "line 3: a.b: bad (did you mean 'c'?)"


def test_a_configuration_error_lists_all_problems() -> None:
    error = ConfigError(
        [Problem(path="a", message="one"), Problem(path="b", message="two")], source="c.yaml"
    )
    assert str(error).splitlines()[:3] == ["2 problems in c.yaml", "  - a: one", "  - b: two"]
    assert "edgeflow check" in error.hint
    assert str(ConfigError(error.problems[:1])).startswith("1 problem in config\n")
