"""Devices are waited for at the same time, however few cores there are."""

import threading
from concurrent.futures import ThreadPoolExecutor

from edgeflow.config.load import parse
from edgeflow.connections import widen
from edgeflow.plan import Plan

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHGouOOZTwMVfqgCUXxxD/tfOWANN+G7diwlcDZU5hb3"
DEVICES = {
    "desk": {"target": "pi", "transport": "virtual"},
    "field": {
        "target": "pi",
        "transport": "ssh",
        "host": "field.local",
        "user": "pi",
        "host_key": KEY,
        "identity": "~/.ssh/id",
        "trust": "transport",
    },
}


class Executor:
    """As Snakemake's local executor on one core."""

    def __init__(self) -> None:
        self.__post_init__()

    def __post_init__(self) -> None:
        self.workers = 6
        self.pool = ThreadPoolExecutor(max_workers=self.workers)


def test_as_many_jobs_more_run_at_the_same_time() -> None:
    widen(Executor, 20)
    widen(Executor, 20)  # a second workflow in this process
    pool = Executor().pool
    meeting = threading.Barrier(26, timeout=60)
    with pool:
        assert sorted(pool.map(lambda _: meeting.wait(), range(26))) == list(range(26))


def test_a_device_elsewhere_takes_no_core_and_a_virtual_one_does() -> None:
    plan = Plan(
        parse(
            {
                "datasets": {"digits": {"source": "digits"}},
                "models": {"m": {"dataset": "digits", "architecture": {"name": "ds_cnn"}}},
                "recipes": {"fp32": {}},
                "targets": {"pi": {"kind": "litert"}},
                "devices": DEVICES,
                "deployments": [{"model": "m", "recipe": "fp32", "devices": list(DEVICES)}],
            }
        )
    )
    assert [plan.job("deploy", device=name).threads for name in DEVICES] == [1, 0]
