"""What every target must do, as tests that any package can run over its own targets.

Usage, in a test module beside a conftest.py that has `edgeflow.testing.trained.trained`::

    class TestMyTarget(TargetContract):
        kinds = ("my-target",)
"""

import ast
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import FrozenInstanceError, replace
from math import inf
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from edgeflow import plugins
from edgeflow.artifact.fingerprint import normalized_source
from edgeflow.artifact.manifest import describe_files
from edgeflow.compress.evaluate import details, quantized
from edgeflow.config.device import Unit
from edgeflow.config.fit import clashes
from edgeflow.config.recipe import INT8, Calibration, Hgq, Recipe
from edgeflow.config.target import capabilities_of, toolchain_of
from edgeflow.dataset.tensors import listed
from edgeflow.deploy.runner import Figures, Layers
from edgeflow.errors import CompileError, MissingToolError, UnreachableError
from edgeflow.figures.table import FIGURES
from edgeflow.targets import registry
from edgeflow.targets.base import (
    Fit,
    HostedOptions,
    Lint,
    Severity,
    Target,
    own_figures,
    parse_options,
)
from edgeflow.targets.host import floats
from edgeflow.targets.identity import identify
from edgeflow.targets.lint import lint, operators_of
from edgeflow.testing.subject import Subject, compile_input, foreign_imports, run_python
from edgeflow.testing.trained import QUANTIZE, RECIPES, Trained
from edgeflow.toolchain.base import Host
from edgeflow.toolchain.environment import find_python, is_built
from edgeflow.worker import source_of

AGREEMENT_MIN = 0.9
"""Share of test samples whose class a compiled model must share with the recipe's reference."""

_HEAVY = (
    *("numpy", "tensorflow", "tf_keras", "keras", "torch", "onnx", "onnxruntime", "openvino"),
    *("nncf", "ai_edge_litert", "sklearn", "matplotlib", "PIL", "fabric", "paramiko", "asyncssh"),
)
_HOST_ENGINE = "edgeflow.ondevice.engine_litert"


def accepted(options: Mapping[str, Any]) -> list[str]:
    """Return the names of the recipes that a target with these options says it takes."""
    target = registry.get(options["kind"])
    capabilities = capabilities_of(target, parse_options(target, options))
    recipes = {name: Recipe.model_validate(recipe) for name, recipe in RECIPES.items()}
    return [name for name, recipe in recipes.items() if not list(clashes(recipe, capabilities))]


def _values(section: type[BaseModel], key: str) -> set[str]:
    """Return what a key of the configuration may be."""
    return set(get_args(section.model_fields[key].annotation))


class TargetContract:
    """Tests of each of `kinds` with each of the recipes that it accepts."""

    kinds: ClassVar[Sequence[str]]
    recipes: ClassVar[Sequence[str]] = tuple(RECIPES)
    """Where each compilation takes long, those that take different ways through the compiler."""

    def options(self, kind: str) -> dict[str, Any]:
        """Return the options to test a kind with; override where some are required."""
        return {"kind": kind}

    def compile_host(self, kind: str) -> Host:  # noqa: ARG002  # for those who override it
        """Return section and ``name`` of the compile host of a kind; None for this machine.

        It must not depend on the working directory, as a virtual one does.
        """
        return None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give tests of a compiled model all pairs of kind and recipe, others all kinds."""
        if "recipe" in metafunc.fixturenames:
            pairs = [
                (kind, recipe)
                for kind in self.kinds
                for recipe in accepted(self.options(kind))
                if recipe in self.recipes
            ]
            metafunc.parametrize(("kind", "recipe"), pairs)
        elif "kind" in metafunc.fixturenames:
            metafunc.parametrize("kind", self.kinds)

    @pytest.fixture
    def target(self, kind: str) -> type[Target]:
        """The target's class; skips where this machine cannot compile for it."""
        target = registry.get(kind)
        options = parse_options(target, self.options(kind))
        missing = target.check(options)
        if missing:
            pytest.skip("; ".join(f"needs {item.what}: {item.install}" for item in missing))
        tools, host = toolchain_of(target, options), self.compile_host(kind)
        try:
            identify(tools, host)
            for where in (None if host else tools.environment, tools.host_environment):
                if where is not None and not is_built(where):
                    find_python(where.python)
        except (MissingToolError, UnreachableError) as error:
            pytest.skip(str(error))
        return target

    @pytest.fixture(scope="class")
    @classmethod
    def subjects(cls) -> dict[tuple[str, str], Subject]:
        """The compiled networks by kind and recipe: a compiler may take long, and none changes."""
        return {}

    @pytest.fixture
    def subject(
        self,
        target: type[Target],
        recipe: str,
        trained: Trained,
        subjects: dict[tuple[str, str], Subject],
        tmp_path_factory: pytest.TempPathFactory,
    ) -> Subject:
        """The tiny network, compiled."""
        key = (target.name, recipe)
        if key not in subjects:
            out = tmp_path_factory.mktemp("compiled") / "out"
            subjects[key] = self._compiled(target, recipe, trained, out)
        return subjects[key]

    def _compiled(self, target: type[Target], recipe: str, trained: Trained, out: Path) -> Subject:
        raw, host = self.options(target.name), self.compile_host(target.name)
        options = parse_options(target, raw)
        job = compile_input(target, trained, recipe, raw, host)
        out.mkdir()
        return Subject(
            recipe=recipe,
            trained=trained,
            options=raw,
            runtime=target.runtime(options),
            compiled=target.compile(job, options, out),
            out=out,
            host=host,
        )

    def test_its_name_is_that_of_its_entry_point(self, kind: str) -> None:
        """`kind` in config.yaml finds the class by this name."""
        assert registry.get(kind).name == kind

    def test_its_options_are_strict_and_survive_json(self, kind: str) -> None:
        """Unknown keys are errors, and what a rule passes on is what the user wrote."""
        target, raw = registry.get(kind), self.options(kind)
        assert get_args(target.Options.model_fields["kind"].annotation) == (kind,)
        options = parse_options(target, raw)
        assert parse_options(target, json.loads(options.model_dump_json())) == options
        with pytest.raises(ValidationError):
            parse_options(target, {**raw, "no_such_option": 1})

    def test_its_capabilities_are_a_value(self, kind: str) -> None:
        """They name recipes that exist, and nothing can change them."""
        target = registry.get(kind)
        capabilities = target.capabilities
        assert capabilities.quantize
        assert capabilities.bit_exact <= capabilities.quantize <= set(QUANTIZE)
        assert capabilities.io <= _values(Recipe, "io")
        assert capabilities.activations <= _values(Hgq, "activations")
        assert capabilities.calibration <= _values(Calibration, "method")
        TypeAdapter(Unit).validate_python(dict.fromkeys(capabilities.unit, 0))
        if not capabilities.quantize.isdisjoint(INT8):
            assert capabilities.io
        if "ptq-int8" in capabilities.quantize:
            assert capabilities.calibration
        else:
            assert not capabilities.keep_float
        narrowed = capabilities_of(target, parse_options(target, self.options(kind)))
        keys = ("quantize", "bit_exact", "io", "calibration", "activations", "quantized_source")
        for key in (*keys, "unit"):
            assert getattr(narrowed, key) <= getattr(capabilities, key)
        with pytest.raises(FrozenInstanceError):
            capabilities.quantize = frozenset()  # type: ignore[misc]

    def test_its_figures_have_names_and_gates_of_their_own(self, kind: str) -> None:
        """Each is a column of metrics.csv, and its gate a key of the configuration."""
        figures, table = own_figures(registry.get(kind)), {f.name: f for f in FIGURES}
        names = [figure.name for figure in figures]
        assert len(set(names)) == len(names)
        for figure in figures:
            assert re.fullmatch(r"[a-z][a-z0-9_]{0,63}", figure.name)
            assert figure.title
            assert figure.meaning
            assert figure.reader is None, "it stands in validation.json by its name"
            common = table.get(figure.name, figure)
            same = (common.unit, common.gate, common.kind)
            assert (figure.unit, figure.gate, figure.kind) == same, "one name is one figure"

    def test_its_module_imports_nothing_heavy(self, kind: str) -> None:
        """Every command imports all targets to read the configuration."""
        module = plugins.module_of(plugins.TARGETS, kind)
        program = f"import sys, {module}; print(*sys.modules)"
        loaded = run_python("-c", program).split()
        assert sorted(set(_HEAVY) & set(loaded)) == []

    def test_it_says_what_is_missing_and_how_to_install_it(self, kind: str) -> None:
        """A user without the compiler reads this instead of a traceback."""
        target = registry.get(kind)
        missing = target.check(parse_options(target, self.options(kind)))
        assert isinstance(missing, list)
        assert all(item.what and item.install for item in missing)

    def test_its_toolchain_is_a_value_whose_worker_may_go_elsewhere(self, kind: str) -> None:
        """Equal options name equal tools, and edgeflow is not installed where the worker runs."""
        target = registry.get(kind)
        options = parse_options(target, self.options(kind))
        toolchain = toolchain_of(target, options)
        assert hash(toolchain) == hash(toolchain_of(target, options))
        assert all(program.name and program.install for program in toolchain.programs)
        if toolchain.environment or issubclass(target.Options, HostedOptions):
            assert toolchain.worker
            source = source_of(toolchain.worker)
            for file in source.rglob("*.py") if source.is_dir() else [source]:
                assert "edgeflow" not in foreign_imports(ast.parse(file.read_bytes()))

    def test_its_engine_is_one_file_for_old_pythons(self, kind: str) -> None:
        """A device has the standard library from 3.7 on, numpy and one engine."""
        target = registry.get(kind)
        runtime = target.runtime(parse_options(target, self.options(kind)))
        tree = ast.parse(normalized_source(runtime.engine_module), feature_version=(3, 7))
        foreign = foreign_imports(tree)
        assert not foreign & {"edgeflow", "a relative import"}
        assert len(foreign) <= 1
        for engine_options in (runtime.engine_options, runtime.host_engine_options):
            assert json.loads(json.dumps(dict(engine_options))) == dict(engine_options)
        assert runtime.tolerance >= 0

    def test_it_compiles_to_the_same_bytes_in_another_process_and_folder(
        self, subject: Subject, tmp_path: Path
    ) -> None:
        """Unchanged inputs must give unchanged bundles, on every machine."""
        out = tmp_path / "elsewhere" / "out"
        out.mkdir(parents=True)
        inputs = describe_files(subject.trained.folder)
        assert subject.compile_elsewhere(out) == subject.facts()
        assert describe_files(out) == describe_files(subject.out)
        assert describe_files(subject.trained.folder) == inputs
        assert list(out.parent.iterdir()) == [out]

    def test_what_it_writes_names_no_folder_of_this_machine(self, subject: Subject) -> None:
        """The model file is there, and no file holds a path that differs between builds."""
        assert (subject.out / subject.compiled.model).stat().st_size > 0
        assert sum(subject.compiled.operators.values()) > 0
        assert all(tolerance >= 0 for tolerance in subject.compiled.tolerances or ())
        paths = (subject.out, subject.trained.folder)
        for file in (path for path in subject.out.rglob("*") if path.is_file()):
            content = file.read_bytes()
            assert [path for path in paths if str(path).encode() in content] == []

    def test_it_rejects_what_is_no_model(
        self, target: type[Target], recipe: str, trained: Trained, tmp_path: Path
    ) -> None:
        """Garbage raises CompileError with a hint."""
        garbage = tmp_path / "garbage.tflite"
        garbage.write_bytes(b"this is not a flatbuffer" * 64)
        raw = self.options(target.name)
        job = compile_input(target, trained, recipe, raw, self.compile_host(target.name))
        job = replace(job, model=garbage, float_model=garbage)
        if job.network:
            job = replace(job, network=garbage)
        out = tmp_path / "out"
        out.mkdir()
        with pytest.raises(CompileError) as caught:
            target.compile(job, parse_options(target, raw), out)
        assert caught.value.hint

    def test_what_it_says_of_a_model_before_compiling_is_of_the_model_alone(
        self, kind: str, recipe: str, trained: Trained, tmp_path: Path
    ) -> None:
        """Findings have a place and a message, the same for the same bytes, wherever these lie."""
        target = registry.get(kind)
        options, copy = parse_options(target, self.options(kind)), tmp_path / "copy.tflite"
        for name in ("float.tflite", "model.tflite"):
            model = trained.recipe(recipe) / name
            found = lint(target, model, options)
            shutil.copyfile(model, copy)
            assert lint(target, copy, options) == found
            assert copy.read_bytes() == model.read_bytes()
            for finding in found:
                assert isinstance(finding, Lint)
                assert finding.severity in get_args(Severity)
                assert finding.place
                assert finding.message
                assert {*finding.operators} <= {*range(len(operators_of(model)))}
            copy.unlink()

    def test_what_it_says_a_model_takes_is_a_size(
        self, target: type[Target], recipe: str, trained: Trained, tmp_path: Path
    ) -> None:
        """`edgeflow check` asks with and without the toolchain, before anything is trained."""
        fit = getattr(target, "fit", None)
        if fit is None:
            pytest.skip("it has no `fit`")
        raw = self.options(target.name)
        job = compile_input(target, trained, recipe, raw, self.compile_host(target.name))
        options = parse_options(target, raw)
        for worker in (job.worker, None):
            try:
                found = fit(job.model, options, worker)
            except MissingToolError:
                assert worker is None, "with its toolchain it can tell"
                continue
            assert isinstance(found, Fit)
            assert found.memories
            assert all(one.name and one.needed_bytes > 0 for one in found.memories)
            fits = all(one.needed_bytes <= (one.limit_bytes or inf) for one in found.memories)
            assert bool(found.problem) != fits
        garbage = tmp_path / "garbage.tflite"
        garbage.write_bytes(b"this is not a flatbuffer" * 64)
        with pytest.raises(CompileError):
            fit(garbage, options, None)

    def test_its_engine_describes_and_keeps_shapes(self, subject: Subject) -> None:
        """`io` says how to feed the model and how to read its answer."""
        import numpy as np

        engine, facts = subject.engine(), subject.trained.view().facts
        io = engine.io()
        assert [tensor["shape"] for tensor in io["inputs"]] == [[1, *facts.input_shape]]
        assert [tensor["shape"] for tensor in io["outputs"]] == [[1, len(facts.labels)]]
        assert json.loads(json.dumps(io)) == io
        sample = [np.zeros(tensor["shape"], tensor["dtype"]) for tensor in io["inputs"]]
        for array, tensor in zip(listed(engine.infer(*sample)), io["outputs"], strict=True):
            assert (list(array.shape), array.dtype) == (tensor["shape"], tensor["dtype"])
        assert engine.version()

    def test_its_engine_repeats_itself(self, subject: Subject) -> None:
        """The golden vectors of a bundle only mean something where equal inputs answer equally."""
        import numpy as np

        first, second = subject.engine(), subject.engine()
        outputs = subject.outputs(first).arrays
        for again in (subject.outputs(first), subject.outputs(second)):
            for name, array in again.arrays.items():
                np.testing.assert_array_equal(array, outputs[name])

    def test_its_engine_takes_many_samples_as_it_takes_one(self, subject: Subject) -> None:
        """Whole test sets are run by `infer_many`, where there is one."""
        import numpy as np

        engine = subject.engine()
        if not hasattr(engine, "infer_many"):
            pytest.skip("it has no `infer_many`")
        tensors = [details(tensor) for tensor in engine.io()["inputs"]]
        samples = [quantized(subject.trained.view().inputs("test")[:3], one) for one in tensors]
        many = listed(engine.infer_many(*samples))
        ones = [
            listed(engine.infer(*[array[row : row + 1] for array in samples])) for row in range(3)
        ]
        for array, *rows in zip(many, *ones, strict=True):
            np.testing.assert_array_equal(array, np.concatenate(rows))

    def test_its_compiler_and_engine_count_what_it_declares(self, subject: Subject) -> None:
        """Figures are finite plain numbers; the target and its engine agree on the clock."""
        assert subject.compiled.figures.keys() <= subject.declared
        engine = subject.engine()
        subject.outputs(engine)
        counted = subject.figures(engine)
        assert counted.keys() <= subject.declared
        assert TypeAdapter(Figures).validate_json(json.dumps(counted)) == counted
        assert getattr(engine, "clock", "device") == subject.runtime.clock

    def test_its_layers_have_names_and_times(self, subject: Subject) -> None:
        """`profile` says what the host takes from a device, of layers that it finds again."""
        import numpy as np

        engine = subject.engine()
        if not hasattr(engine, "profile"):
            pytest.skip("it has no `profile`")
        tensors = engine.io()["inputs"]
        inputs = [np.zeros((3, *one["shape"][1:]), one["dtype"]) for one in tensors]
        first, again = (engine.profile(*inputs) for _ in range(2))
        assert first
        assert TypeAdapter(Layers).validate_json(json.dumps(first))
        # Not each of them: a layer may be too fast for its counter.
        slowest = max(first, key=lambda layer: layer["time_us"])
        assert (slowest["name"], slowest["type"]) in {(one["name"], one["type"]) for one in again}

    def test_it_answers_like_the_recipe(self, subject: Subject) -> None:
        """Compiling may round, never change what the network does."""
        import numpy as np

        engine, reference = subject.engine(), subject.trained.logits(subject.recipe)
        answers = floats(subject.outputs(engine), engine.io()).first
        agreement = (answers.argmax(axis=1) == reference.argmax(axis=1)).mean()
        assert agreement >= AGREEMENT_MIN
        bit_exact = registry.get(subject.options["kind"]).capabilities.bit_exact
        if RECIPES[subject.recipe]["quantize"] not in bit_exact:
            return
        if subject.runtime.engine_module == _HOST_ENGINE:
            np.testing.assert_array_equal(answers, reference)
        if subject.runtime.oracle:
            oracle = floats(subject.outputs(subject.reference()), engine.io()).first
            np.testing.assert_array_equal(answers, oracle)
