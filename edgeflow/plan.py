"""Config to plan: what is built, from which slice of the configuration, by which code.

Pure functions for the rules, `edgeflow check` and the report. Each step gets only the slice
of the configuration that it may depend on, so that a change elsewhere cannot rerun it.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow import plugins
from edgeflow.config.dataset import WavFolderDataset
from edgeflow.config.deployment import Measure
from edgeflow.config.gates import Gates
from edgeflow.config.model import architecture_module
from edgeflow.config.modelfile import kind_of
from edgeflow.config.recipe import INTEGER
from edgeflow.config.root import Config
from edgeflow.config.target import target_class, target_kind, target_slice, toolchain_of
from edgeflow.toolchain.base import Host, Toolchain

IMPORTERS = {
    "keras": ("edgeflow.imported.from_keras", "edgeflow.imported.keras3_worker"),
    "saved_model": ("edgeflow.imported.from_saved_model",),
    "onnx": ("edgeflow.imported.from_onnx", "edgeflow.imported.onnx_worker"),
    "tflite": ("edgeflow.imported.from_tflite", "edgeflow.imported.tflite_worker"),
}
"""Modules that import a model, by the kind of its file; workers run in processes of their own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One row of the report: a model after a recipe, on one device."""

    device: str
    target: str
    model: str
    recipe: str
    gates: Gates
    measure: Measure


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What a step is asked to make: its slice of the configuration and its code.

    Attributes:
        slice: JSON-ready slice, all defaults filled in.
        modules: dotted modules whose import closure is the step's code.
        tools: distributions whose version the step's output depends on, beside those that the
            modules name as `TOOLS`.
    """

    slice: dict[str, Any]
    modules: tuple[str, ...]
    tools: tuple[str, ...] = ()

    def distributions(self) -> tuple[str, ...]:
        """Return all distributions whose version shapes the output.

        A user's own module is not imported here: it may import anything.
        """
        ours = [name for name in self.modules if name.startswith("edgeflow.")]
        named = [getattr(importlib.import_module(name), "TOOLS", ()) for name in ours]
        return tuple(sorted({*self.tools, *(tool for tools in named for tool in tools)}))


class Plan:
    """Everything a configuration asks for."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.units = [
            Unit(
                device=device,
                target=config.devices[device].target,
                model=deployment.model,
                recipe=deployment.recipe,
                gates=deployment.gates,
                measure=deployment.measure,
            )
            for deployment in config.deployments
            for device in deployment.devices
        ]
        self._by_device = {(unit.device, unit.model): unit for unit in self.units}

    def unit(self, device: str, model: str) -> Unit:
        """Return what device and model belong to; KeyError if the plan has no such pair."""
        return self._by_device[device, model]

    def dataset(self, dataset: str) -> Job:
        """Return the job that makes a dataset's arrays."""
        section = self.config.datasets[dataset]
        return Job(
            slice=section.model_dump(mode="json"),
            modules=("edgeflow.dataset.build", f"edgeflow.dataset.sources.{section.source}"),
        )

    def train(self, model: str) -> Job:
        """Return the job that trains a model."""
        section = self.config.models[model]
        if section.architecture is None:
            raise KeyError(f"{model} is imported, not trained")
        return Job(
            slice={
                "architecture": section.architecture.model_dump(mode="json"),
                "train": section.train.model_dump(mode="json", exclude={"cluster"}),
            },
            modules=("edgeflow.train.build", architecture_module(section.architecture.name)),
        )

    def import_model(self, model: str) -> Job:
        """Return the job that imports a model file; the file itself is no option, but an input."""
        section, kind = self.config.models[model], kind_of(self.source(model))
        return Job(
            slice={"kind": kind, **section.model_dump(mode="json", include={"input", "output"})},
            modules=("edgeflow.imported.build", *IMPORTERS[kind or "keras"]),
        )

    def source(self, model: str) -> Path:
        """Return the model file that a model comes from; KeyError if it is trained instead."""
        source = self.config.models[model].source
        if source is None:
            raise KeyError(f"{model} is trained, not imported")
        return Path(source).expanduser()

    def is_imported(self, model: str) -> bool:
        """Return whether a model comes from a file instead of a training."""
        return self.config.models[model].source is not None

    def compress(self, model: str, recipe: str) -> Job:
        """Return the job that applies a recipe to a trained model."""
        section = self.config.recipes[recipe]
        if section.auto is not None:
            return self._choose(model, recipe)
        technique = section.quantize.replace("-", "_")
        train = self.config.models[model].train if section.stages() else None
        return Job(
            slice={
                "recipe": section.model_dump(mode="json"),
                "train": train and train.model_dump(mode="json", exclude={"cluster"}),
            },
            modules=(
                "edgeflow.compress.build",
                "edgeflow.compress.pipeline",
                "edgeflow.compress.quantize.none",  # makes float.tflite, whatever the recipe
                f"edgeflow.compress.quantize.{technique}",
                *(("edgeflow.compress.ptq.build",) if section.from_float_tflite() else ()),
                *(f"edgeflow.compress.{stage}" for stage in section.stages()),
            ),
            tools=("tensorflow-model-optimization",) if section.stages() else (),
        )

    def candidates(self, recipe: str) -> list[str]:
        """Return the recipes that `auto` tries, in its order; none for another recipe."""
        auto = self.config.recipes[recipe].auto
        if auto is None:
            return []
        others = {name: r for name, r in self.config.recipes.items() if r.auto is None}
        return auto.recipes or sorted(others, key=lambda name: others[name].cost())

    def teachers(self, recipe: str) -> list[str]:
        """Return the models that a recipe, or one that it tries, learns from."""
        recipes = [self.config.recipes[name] for name in (recipe, *self.candidates(recipe))]
        return sorted({r.distill.teacher for r in recipes if r.distill})

    def trains(self, recipe: str) -> bool:
        """Return whether a recipe, or one that it tries, has a stage that trains."""
        return any(self.config.recipes[r].stages() for r in (recipe, *self.candidates(recipe)))

    def _choose(self, model: str, recipe: str) -> Job:
        jobs = {name: self.compress(model, name) for name in self.candidates(recipe)}
        section = self.config.recipes[recipe].model_dump(mode="json")
        section["auto"]["recipes"] = list(jobs)
        return Job(
            slice={
                "recipe": section,
                "candidates": {
                    name: {"slice": job.slice, "modules": list(job.modules)}
                    for name, job in jobs.items()
                },
            },
            modules=(
                "edgeflow.compress.build",
                "edgeflow.compress.choose",
                *sorted({module for job in jobs.values() for module in job.modules}),
            ),
            tools=tuple(sorted({tool for job in jobs.values() for tool in job.tools})),
        )

    def debug(self) -> Job:
        """Return the job that measures what quantization did to a model."""
        return Job(slice={}, modules=("edgeflow.compress.debug.build",))

    def debugged(self) -> list[tuple[str, str]]:
        """Return each model and recipe of the units whose layers may be integers."""
        pairs = {(unit.model, unit.recipe): None for unit in self.units}
        return [pair for pair in pairs if self._integer(pair[1])]

    def _integer(self, recipe: str) -> bool:
        recipes = (self.config.recipes[name] for name in (recipe, *self.candidates(recipe)))
        return any(r.quantize in INTEGER for r in recipes)

    def compile(self, target: str) -> Job:
        """Return the job that compiles a recipe's model for a target."""
        runtime = self._runtime(target)
        return Job(
            slice={"target": target_slice(self.config.targets[target])},
            modules=(
                "edgeflow.targets.build",
                self._target_module(target),
                runtime.reference_module,
                *filter(None, [self.toolchain(target).worker]),
            ),
            tools=runtime.reference_tools,
        )

    def toolchain(self, target: str) -> Toolchain:
        """Return what a target compiles with."""
        section = self.config.targets[target]
        return toolchain_of(target_class(target_kind(section)), section)

    def compiles_long(self, target: str) -> bool:
        """Return whether compiling for a target is a job for a cluster, as a training is."""
        return self.toolchain(target).runtime_min is not None and self.compile_host(target) is None

    def compile_host(self, target: str) -> Host:
        """Return where a target's toolchain is: no part of any slice."""
        name = getattr(self.config.targets[target], "compile_host", None)
        if name is None:
            return None
        return {"name": name, **self.config.compile_hosts[name].model_dump(mode="json")}

    def reads_network(self, target: str) -> bool:
        """Return whether a target's compiler reads the network itself, not the .tflite alone."""
        return target_class(target_kind(self.config.targets[target])).capabilities.network

    def bundle(self, target: str, model: str, recipe: str) -> Job:
        """Return the job that packs a compiled model with its runner."""
        section = self.config.targets[target]
        dataset = self.config.datasets[self.config.models[model].dataset]
        sound = isinstance(dataset, WavFolderDataset)
        return Job(
            slice={"model": model, "recipe": recipe, "target": target_slice(section)},
            modules=(
                "edgeflow.bundle.pack",
                "edgeflow.ondevice.runner",
                "edgeflow.ondevice.facts",
                "edgeflow.ondevice.energy",
                *(("edgeflow.ondevice.front_end",) if sound else ()),
                self._target_module(target),
                self._engine_module(target),
            ),
        )

    def deploy(self, device: str) -> Job:
        """Return the job that brings a bundle to a device."""
        return Job(
            slice={"name": device, **self._device(device)},
            modules=("edgeflow.deploy.deploy", "edgeflow.ondevice.agent"),
        )

    def validate(self, device: str, model: str) -> Job:
        """Return the job that measures a deployed bundle on its device."""
        unit = self.unit(device, model)
        return Job(
            slice={
                "device": self.deploy(device).slice,
                "measure": unit.measure.model_dump(mode="json"),
                "names": {
                    "device": device,
                    "target": unit.target,
                    "model": model,
                    "recipe": unit.recipe,
                },
            },
            modules=("edgeflow.validate.run",),
        )

    def gate(self, device: str, model: str) -> Job:
        """Return the job that holds a measurement against its gates."""
        gates = self.unit(device, model).gates
        return Job(
            slice={
                "device": self.deploy(device).slice,
                "gates": gates.model_dump(mode="json", exclude_none=True),
            },
            modules=("edgeflow.validate.confirm",),
        )

    def report(self) -> Job:
        """Return the job that writes the report over all units."""
        return Job(
            slice={
                "units": [
                    {
                        "device": unit.device,
                        "target": unit.target,
                        "model": unit.model,
                        "recipe": unit.recipe,
                        "gates": unit.gates.model_dump(mode="json", exclude_none=True),
                    }
                    for unit in self.units
                ]
            },
            modules=("edgeflow.report.build",),
        )

    def _device(self, device: str) -> dict[str, Any]:
        section = self.config.devices[device]
        return {"device": section.model_dump(mode="json", exclude={"target"})}

    def _runtime(self, target: str) -> Any:
        section = self.config.targets[target]
        return target_class(target_kind(section)).runtime(section)

    def _engine_module(self, target: str) -> str:
        return str(self._runtime(target).engine_module)

    def _target_module(self, target: str) -> str:
        return plugins.module_of(plugins.TARGETS, target_kind(self.config.targets[target]))
