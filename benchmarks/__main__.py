"""Runs the benchmarks and writes results.json and the table in docs/performance.md."""

import argparse
import json
import sys
from collections.abc import Callable

from benchmarks.case import Case
from benchmarks.cases import fresh_checkout, full_build, one_target_changed
from benchmarks.count import Count
from benchmarks.devices import many_devices
from benchmarks.fleet import rollouts
from benchmarks.many import at_any_size
from benchmarks.mcu import microcontrollers
from benchmarks.nothing import few, many, stamped
from benchmarks.project import ROOT, machine
from benchmarks.sources import many_source_images
from benchmarks.table import update
from benchmarks.training import training
from benchmarks.upload import throughput, transfers

CASES: dict[str, tuple[Callable[[int], Case | list[Case] | list[Count]], int]] = {
    "full": (full_build, 3),
    "few": (few, 5),
    "many": (many, 5),
    "run": (stamped, 5),
    "sources": (many_source_images, 5),
    "change": (one_target_changed, 3),
    "devices": (many_devices, 3),
    "size": (at_any_size, 3),
    "rollouts": (rollouts, 1),
    "warm": (fresh_checkout, 3),
    "transfers": (transfers, 7),
    "throughput": (throughput, 5),
    "training": (training, 5),
    "mcu": (microcontrollers, 1),
}


def main() -> int:
    """Run all cases, or those that are named; only a run of all of them writes the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"any of {', '.join(CASES)}")
    parser.add_argument("--repeats", type=int, help="repetitions of each; their median counts")
    arguments = parser.parse_args()
    here, records = machine(), []
    for name in arguments.cases or CASES:
        measure, repeats = CASES[name]
        measured = measure(arguments.repeats or repeats)
        for case in measured if isinstance(measured, list) else [measured]:
            records.append(case.record())
            print(json.dumps(records[-1], indent=2), file=sys.stderr, flush=True)
    result = {**here, "cases": records}
    (ROOT / "benchmarks" / "results.json").write_text(json.dumps(result, indent=2) + "\n")
    if not arguments.cases:
        update(result)
    return 0 if all(record["held"] for record in records) else 1


if __name__ == "__main__":
    sys.exit(main())
