import subprocess

import pytest

from tools import lint_workflow

HEAD = "Lints for rule train (line 4, rules/train.smk):\n"
CONDA = f"    * {lint_workflow.ACCEPTED}\n      This way, the used software is documented.\n"
LOG = "    * No log directive defined:\n      Without a log directive, output is mixed.\n"


@pytest.mark.parametrize(
    ("printed", "code", "said"),
    [
        (lint_workflow.CLEAN, 0, "nothing to say"),
        (HEAD + CONDA, 0, "nothing to say"),
        (
            HEAD + LOG + CONDA,
            1,
            "rule train (line 4, rules/train.smk): No log directive defined:\n",
        ),
        ("Traceback: no module snakemake", 1, "Traceback"),
    ],
    ids=["clean", "accepted", "a finding", "no linter"],
)
def test_what_is_not_accepted_is_printed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    printed: str,
    code: int,
    said: str,
) -> None:
    done = subprocess.CompletedProcess([], 1, stdout="", stderr=printed)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: done)
    assert lint_workflow.main() == code
    output = capsys.readouterr()
    assert said in output.out + output.err


def test_findings_name_their_place() -> None:
    other = "Lints for snakefile Snakefile:\n    * Mixed rules and functions:\n"
    assert lint_workflow.findings(other + HEAD + LOG + CONDA) == [
        "snakefile Snakefile: Mixed rules and functions:",
        "rule train (line 4, rules/train.smk): No log directive defined:",
    ]
