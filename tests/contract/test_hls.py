"""The contract over the flow `hls` of the kind `fpga`; its flow `rtl` is tested as registered."""

from typing import Any

from edgeflow.testing.contract import TargetContract


class TestHLS(TargetContract):
    kinds = ("fpga",)
    # g++ takes minutes for a network of floats with 32 channels.
    recipes = ("hgq",)

    def options(self, kind: str) -> dict[str, Any]:
        # One multiplier for two products: g++ compiles loops, not an adder for each weight.
        return {"kind": kind, "flow": "hls", "reuse_factor": 2}
