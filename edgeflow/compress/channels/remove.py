"""Removes channels from trained networks."""

from typing import Any, NamedTuple

from edgeflow.compress.channels.groups import Layout, find_groups
from edgeflow.compress.channels.rebuild import mute, rebuild
from edgeflow.compress.channels.score import choose_kept, score_channels
from edgeflow.compress.form import Form, keras_form
from edgeflow.errors import CompileError


class Removal(NamedTuple):
    """A network without some of its channels.

    Attributes:
        model: the smaller network.
        muted: the whole network, in which no layer reads the channels that went: to compare the
            smaller one with. Its layers give the channels that are left.
    """

    model: Any
    muted: Form


def remove_channels(keras: Any, model: Any, share: float) -> Removal:
    """Return a new, smaller functional model without the least important channels.

    Names, inputs and outputs stay what they were. Layers of unknown type keep all that goes into
    them and comes out. Accuracy suffers until the new model is trained on.

    Args:
        keras: the Keras module that made the model.
        model: a functional or sequential model; it is left as it is.
        share: of the channels of each group that can be pruned, this part goes, 0..1. At least one
            channel stays; groups of 16 and more keep a multiple of 4.

    Raises:
        CompileError: the model is not functional, contains models, uses a layer twice, or has no
            channels that can be removed.
    """
    if not 0 <= share <= 1:
        raise CompileError(
            f"a share of {share} of the channels cannot be removed", hint="choose one in 0..1"
        )
    functional = _functional(keras, model)
    layout = find_groups(keras, functional)
    _require_groups(functional, layout)
    kept = choose_kept(layout, score_channels(functional, layout), share)
    muted = keras_form(mute(keras, functional, layout, kept))
    masks = {name: kept[channels] for name, channels in layout.outputs.items()}

    def narrowed(samples: Any) -> dict[str, Any]:
        outputs = muted.layers(samples).items()
        return {name: y[..., masks[name]] if name in masks else y for name, y in outputs}

    model = rebuild(keras, functional, layout, kept)
    return Removal(model=model, muted=Form(muted.outputs, narrowed))


def require_removable(keras: Any, model: Any) -> None:
    """Refuse a model from which no channels can be removed.

    Raises:
        CompileError: see `remove_channels`.
    """
    functional = _functional(keras, model)
    _require_groups(functional, find_groups(keras, functional))


def _functional(keras: Any, model: Any) -> Any:
    """Return the model as a functional one of plain layers, each used once."""
    if not getattr(model, "_is_graph_network", False):
        raise _refused(model, "it is not functional", "build it with keras.Model(inputs, outputs)")
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs, model.outputs, name=model.name)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            why = f"its layer {layer.name!r} is a model itself"
            raise _refused(model, why, "call that model's layers one by one")
        if len(layer.inbound_nodes) > 1:
            why = f"its layer {layer.name!r} is used more than once"
            raise _refused(model, why, "give each use a layer of its own")
    return model


def _require_groups(model: Any, layout: Layout) -> None:
    if not layout.groups:
        unknown = sorted(
            {type(layer).__name__ for layer in model.layers if layer.name not in layout.outputs}
            - {"InputLayer"}
        )
        because = f"; layers of type {', '.join(unknown)} keep all they touch" if unknown else ""
        why = f"no channels can go but those of its input and output{because}"
        raise _refused(model, why, "prune a network with convolutions or hidden dense layers")


def _refused(model: Any, why: str, hint: str) -> CompileError:
    return CompileError(f"no channels can be removed from {model.name}: {why}", hint=hint)
