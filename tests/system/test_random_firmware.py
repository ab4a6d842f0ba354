"""Random networks give the oracle's bytes as firmware of each core too.

`EDGEFLOW_SWEEP=1` takes more of them, other ones each time.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, reject

from edgeflow.errors import CompileError
from edgeflow.ondevice.engine_mcu import Engine
from edgeflow.targets.mcu.generate import generate
from tests.system.test_firmware import need
from tests.unit.targets.mcu import tiny
from tests.unit.targets.mcu.identity import expected, random_samples
from tests.unit.targets.mcu.random_nets import Case, networks
from tests.unit.targets.mcu.test_random_nets import EXTREME, SWEEP, examples

CORES = ("cortex-m0", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "riscv-virt",
         "arduino-mega")  # fmt: skip
NETWORKS = 30 if SWEEP else 4


@pytest.mark.parametrize("name", CORES)
def test_random_networks_on_each_core(name: str) -> None:
    need(name)

    @examples(NETWORKS)
    @given(networks())
    def run(case: Case) -> None:
        with TemporaryDirectory() as folder:
            assert_identical(case, name, Path(folder))

    run()


def assert_identical(case: Case, name: str, folder: Path) -> None:
    """Compare the oracle's outputs with those of native code and firmware."""
    settings = replace(case.settings, simd=False) if "arduino" in name else case.settings
    try:
        sources = generate(case.model, settings)
    except CompileError as error:
        if not EXTREME.search(str(error)):
            raise
        reject()
    tensors = sources.graph.tensors
    io = {
        side: [tiny.tensor(f"t{place}", tensors[place].shape) for place in places]
        for side, places in (("inputs", sources.graph.inputs), ("outputs", sources.graph.outputs))
    }
    tiny.build(folder, name, sources.files, io=io, macs=sources.macs)
    engine = Engine(str(folder), {"model": "mcu.json", "emulated": 4})
    samples = random_samples(sources.graph, 4)
    found = engine.infer_many(*(np.concatenate(arrays) for arrays in zip(*samples, strict=True)))
    wanted = expected(case.model, case.settings.profile, samples)
    for place, arrays in enumerate(zip(*wanted, strict=True)):
        np.testing.assert_array_equal(found[place].ravel(), np.stack(arrays).ravel())  # some are ()
