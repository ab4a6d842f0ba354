"""`edgeflow check` names deployments whose recipe the network cannot go through."""

from pathlib import Path
from typing import Any

import pytest

from edgeflow.check.networks import check_builds

SOURCE = """\
def build(keras, input_shape, classes, *, both_ways=False, twice=False):
    layers = keras.layers
    inputs = keras.Input(input_shape)
    x = layers.Dense(8)(layers.Reshape((8, 8))(inputs))
    if both_ways:
        x = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both_ways")(x)
    if twice:
        shared = layers.Dense(8, name="shared")
        x = shared(shared(x))
    x = layers.Dense(8, name="hidden")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(classes)(x))
def subclass(keras, input_shape, classes):
    class Net(keras.Model):
        def call(self, x):
            return x[:, 0, :1, 0] * [[1.0] * classes]
    net = Net()
    net(keras.Input(input_shape))
    return net
def uncopied(keras, input_shape, classes):
    class Own(keras.layers.Layer):
        def __init__(self, units):
            super().__init__()
    inputs = keras.Input(input_shape)
    outputs = keras.layers.Dense(classes)(Own(3)(keras.layers.Flatten()(inputs)))
    return keras.Model(inputs, outputs)
"""
MODELS = {
    "plain": {"name": "suited_nets:build"},
    "both_ways": {"name": "suited_nets:build", "both_ways": True},
    "twice": {"name": "suited_nets:build", "twice": True},
    "subclass": {"name": "suited_nets:subclass"},
    "uncopied": {"name": "suited_nets:uncopied"},
}
RECIPES: dict[str, Any] = {
    "ptq": {"quantize": "ptq-int8"},
    "qat": {"quantize": "qat-int8"},
    "narrow": {"prune_channels": {"share": 0.5}},
    "any": {"auto": {"recipes": ["qat", "ptq"]}},
}
REFUSED = {
    ("both_ways", "qat"): "recipe 'qat': quantization-aware training does not know both_ways (Bid",
    ("twice", "narrow"): "its layer 'shared' is used more than once",
    ("uncopied", "narrow"): "layers of type Own keep all they touch",
}


def test_each_deployment_of_a_network_with_a_recipe_it_cannot_take_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "suited_nets.py").write_text(SOURCE)
    pairs = [(model, recipe) for model in (*MODELS, "twin") for recipe in RECIPES]
    odd = {"model": "plain", "recipe": ["qat"]}  # its section reports it
    named = {**MODELS, "twin": MODELS["both_ways"]}  # built once for both
    found = check_builds(
        {
            "datasets": {"digits": {"source": "digits"}},
            "models": {
                name: {"dataset": "digits", "architecture": architecture}
                for name, architecture in named.items()
            },
            "recipes": RECIPES,
            "deployments": [{"model": model, "recipe": recipe} for model, recipe in pairs] + [odd],
        }
    )
    told = {finding.keys: finding for finding in found}
    refused = {**REFUSED, ("twin", "qat"): REFUSED["both_ways", "qat"]}
    assert set(told) == {("deployments", pairs.index(pair), "recipe") for pair in refused}
    for pair, says in refused.items():
        finding = told["deployments", pairs.index(pair), "recipe"]
        assert says in finding.message
        assert finding.see == ("models", pair[0], "architecture")
