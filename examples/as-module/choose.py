"""Choose the smallest model whose accuracy on the device is high enough."""

import csv
import json
import sys
from pathlib import Path


def choose(metrics: Path, accuracy_min: float) -> dict[str, str]:
    """Return the row of metrics.csv to ship."""
    with metrics.open(newline="") as file:
        good = [row for row in csv.DictReader(file) if float(row["metric_device"]) >= accuracy_min]
    if not good:
        sys.exit(f"no model reaches an accuracy of {accuracy_min} on its device")
    return min(good, key=lambda row: int(row["model_bytes"]))


if __name__ == "__main__":
    metrics, accuracy_min, out = sys.argv[1:]
    choice = choose(Path(metrics), float(accuracy_min))
    Path(out).write_text(json.dumps(choice, indent=2) + "\n")
