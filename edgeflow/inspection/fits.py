"""Which recipes a model file can go through, and which targets take what they make."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from edgeflow.config.fit import clashes
from edgeflow.config.modelfile import kind_of, misfit, quantization
from edgeflow.config.recipe import INT8, Quantize, Recipe
from edgeflow.config.root import Config
from edgeflow.config.target import capabilities_of, target_class, target_kind
from edgeflow.config.tflitefile import computes_in, read_tflite
from edgeflow.errors import EdgeflowError
from edgeflow.targets import registry
from edgeflow.targets.base import Capabilities, Lint, Target
from edgeflow.targets.lint import lint


@dataclass(frozen=True, kw_only=True, slots=True)
class RecipeFit:
    """Whether a recipe can be applied; `reason` says why not, and is empty if it can."""

    recipe: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetFit:
    """Which recipes' models a target takes.

    Attributes:
        target: name in the configuration, or kind.
        kind: of the target.
        takes: names of recipes.
        refuses: why not the others, by name.
        findings: what the target says of the operators, as far as they are known.
        needs: what the target says of the memory that it takes, if anything.
    """

    target: str
    kind: str
    takes: tuple[str, ...]
    refuses: Mapping[str, str]
    findings: tuple[str, ...]
    needs: str

    def record(self) -> dict[str, Any]:
        """Return it in JSON form."""
        return asdict(self)


def known_recipes(config: Config | None) -> dict[str, Recipe]:
    """Return the recipes of a configuration; without one, a recipe for each `quantize`."""
    if config is not None:
        return {name: one for name, one in config.recipes.items() if one.auto is None}
    return {quantize: Recipe(quantize=quantize) for quantize in get_args(Quantize)}


def recipe_fits(
    source: Path, recipes: Mapping[str, Recipe], refusals: Mapping[str, str]
) -> list[RecipeFit]:
    """Return for each recipe whether a model file can go through it.

    Args:
        source: the file.
        recipes: by name.
        refusals: why stages of some cannot take the network.
    """
    return [
        RecipeFit(recipe=name, reason=misfit(source, recipe) or refusals.get(name, ""))
        for name, recipe in recipes.items()
    ]


def target_fits(
    source: Path, tflite: Path | None, config: Config | None, recipes: Mapping[str, Recipe]
) -> Iterator[TargetFit]:
    """Yield for each target what it takes.

    Args:
        source: the model file.
        tflite: the same as .tflite, whose operators targets look at; None where there is none.
        config: whose targets they are; without one, those of all kinds with default options.
        recipes: that the file can go through.
    """
    for name, target, options in _targets(config):
        taken = capabilities_of(target, options)
        refused = {
            one: reason
            for one, recipe in recipes.items()
            if (reason := refusal(source, recipe, taken))
        }
        found = lint(target, tflite, options) if tflite and options else []
        yield TargetFit(
            target=name,
            kind=target.name,
            takes=tuple(one for one in recipes if one not in refused),
            refuses=refused,
            findings=tuple(map(str, found)),
            needs=_needs(target, tflite),
        )


def _needs(target: type[Target], tflite: Path | None) -> str:
    declared = getattr(target, "needs", None)
    return str(declared(tflite)) if declared and tflite else ""


def refusal(source: Path, recipe: Recipe, capabilities: Capabilities) -> str:
    """Return why a target cannot take a file after a recipe; empty if it can."""
    given = quantization(source) if kind_of(source) == "tflite" else {}
    if given:
        quantize = given["quantize"]
        if quantize in capabilities.quantized_source:
            return ""
        return f"takes no .tflite that is {quantize} already: bring the float model"
    return "; ".join(f"{asked} ({there})" for asked, there in clashes(recipe, capabilities))


def whole_file(model: Path, capabilities: Capabilities, *, made: bool) -> Lint | None:
    """Return a warning where a target refuses a .tflite as it is, whatever its operators.

    Args:
        model: the file.
        capabilities: what it takes.
        made: whether a recipe of this project made it, and the float network is there too.
    """
    quantize = quantization(model).get("quantize", "none")
    taken = ", ".join(sorted(capabilities.quantize)) or "nothing"
    reason = "" if made else refusal(model, Recipe(quantize="none"), capabilities)
    if made and quantize not in _results(capabilities):
        reason = f"takes no result that is {quantize}: compress it by a recipe, `quantize`: {taken}"
    if not reason:
        return None
    if quantize == "none":
        reason = f"takes no float model: compress it by a recipe, `quantize`: {taken}"
    refused = tuple(_refused(model, quantize, capabilities))
    return Lint(severity="warning", place="the file", message=reason, operators=refused)


def _results(capabilities: Capabilities) -> frozenset[str]:
    """Return how files may be quantized that recipes make; both ways to int8 look alike."""
    taken = capabilities.quantize | capabilities.quantized_source
    return taken if taken.isdisjoint(INT8) else taken | {"ptq-int8"}


def _refused(model: Path, quantize: str, capabilities: Capabilities) -> Iterator[int]:
    """Yield the operators of a refused file: all, or those in float where the others are taken."""
    found = read_tflite(model)
    operators = found.operators if found else ()
    mixed = quantize == "dynamic" and any(computes_in(one, "int8", "uint8") for one in operators)
    only_float = mixed and "ptq-int8" in capabilities.quantized_source
    for one in operators:
        if one.place is not None and (not only_float or "float32" in one.dtypes):
            yield one.place


def _targets(config: Config | None) -> Iterator[tuple[str, type[Target], BaseModel | None]]:
    """Yield names, classes and options; None for options that have no defaults."""
    if config is not None:
        for name, options in config.targets.items():
            yield name, target_class(target_kind(options)), options
        return
    for kind in registry.names():
        try:
            target = registry.get(kind)
            yield kind, target, target.Options.model_validate({"kind": kind})
        except ValidationError:
            yield kind, registry.get(kind), None
        except EdgeflowError:
            continue  # it cannot be loaded here: `edgeflow target list` says so
