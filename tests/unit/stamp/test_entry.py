"""`edgeflow run` on a project that is up to date imports next to nothing."""

import subprocess
import sys
from pathlib import Path

LOAD = """
import sys
from edgeflow.stamp import check
check.answer = lambda arguments: "nothing to do\\n" if arguments == ["--cores", "2"] else None
before = {*sys.modules}
from edgeflow.entry import main
sys.argv = ["edgeflow", "run", "--cores", "2"]
main()
print(*sorted({*sys.modules} - before))
"""


def test_nothing_is_imported_where_nothing_changed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOAD], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr == "nothing to do\n"
    assert done.stdout.split() == ["edgeflow.entry"]


def test_the_check_needs_little_of_the_standard_library() -> None:
    code = "import sys; before = {*sys.modules}; from edgeflow.stamp import check;"
    code += "check.facts({}); print(*sorted({*sys.modules} - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {"edgeflow", "edgeflow.stamp", "edgeflow.stamp.check", "edgeflow.stamp.look"}
    heavy = {"pathlib", "json", "re", "typing", "dataclasses", "inspect", "tempfile"}
    found = {*done.stdout.split()}
    assert ours <= found
    assert not found & heavy
