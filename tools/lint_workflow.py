"""`snakemake --lint` without the one finding that does not fit: rules without conda.

Every step runs in edgeflow's own locked environment; toolchains that cannot share it are built
from the locks in envs/.
"""

import json
import subprocess
import sys

ACCEPTED = "Specify a conda environment or container for each rule."


def main() -> int:
    """Print what remains of the findings and return how many there are."""
    command = [sys.executable, "-m", "snakemake", "--lint", "json"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report = json.loads(result.stdout[result.stdout.index("{") :])
    except ValueError:
        print(result.stdout, result.stderr, file=sys.stderr)
        return 1
    findings = [
        f"{rule.get('name', kind)}: {finding['title']} {finding['body']}"
        for kind in ("rules", "snakefiles")
        for rule in report.get(kind, [])
        for finding in rule["lints"]
        if finding["title"] != ACCEPTED
    ]
    print("\n".join(findings) or "snakemake --lint: nothing to say")
    return len(findings)


if __name__ == "__main__":
    sys.exit(main())
