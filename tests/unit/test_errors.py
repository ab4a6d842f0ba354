import inspect
import re
from pathlib import Path

import pytest

from edgeflow import errors
from edgeflow.errors import ConfigError, EdgeflowError, Problem

LEAVES: list[type[EdgeflowError]] = [
    item
    for _, item in inspect.getmembers(errors, inspect.isclass)
    if issubclass(item, EdgeflowError) and item is not EdgeflowError
]
ALL: list[type[EdgeflowError]] = [EdgeflowError, *LEAVES]


def test_exit_codes_are_those_of_the_documentation() -> None:
    documented = dict(re.findall(r"(\w+Error) \((\d+)\)", errors.__doc__ or ""))
    assert {leaf.__name__: str(leaf.exit_code) for leaf in ALL} == documented


@pytest.mark.parametrize("leaf", LEAVES)
def test_the_documentation_says_of_a_code_what_its_error_says(leaf: type[EdgeflowError]) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    [meaning] = re.findall(rf"^\| {leaf.exit_code} \| (.+) \|$", readme, re.MULTILINE)
    said = (leaf.__doc__ or "").partition(".")[0]
    assert meaning == said[0].lower() + said[1:]


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
