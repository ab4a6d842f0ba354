"""`snakemake --lint` without the one finding that does not fit: rules without conda.

Every step runs in edgeflow's own locked environment. Snakemake 9.27 takes `--lint json` but prints
text all the same.
"""

import subprocess
import sys

ACCEPTED = "Specify a conda environment or container for each rule.:"
CLEAN = "Congratulations, your workflow is in a good condition!"


def findings(text: str) -> list[str]:
    """Return `place: title` of each finding in the linter's text that is not accepted."""
    found, place = [], ""
    for line in text.splitlines():
        if line.startswith("Lints for "):
            place = line.removeprefix("Lints for ").rstrip(":")
        elif line.startswith("    * ") and line.removeprefix("    * ") != ACCEPTED:
            found.append(f"{place}: {line.removeprefix('    * ')}")
    return found


def main() -> int:
    """Print what remains of the findings; return 1 if any does, or if the linter did not run."""
    command = [sys.executable, "-m", "snakemake", "--lint"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    text = result.stdout + result.stderr
    if ACCEPTED not in text and CLEAN not in text:
        print(text, file=sys.stderr)
        return 1
    remaining = findings(text)
    print("\n".join(remaining) or "snakemake --lint: nothing to say")
    return 1 if remaining else 0


if __name__ == "__main__":
    sys.exit(main())
