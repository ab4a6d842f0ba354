"""Whether a network fits a board, told before it is trained."""

import tempfile
from contextlib import suppress
from pathlib import Path

from edgeflow.targets.base import Fit, Memory
from edgeflow.targets.mcu.budget import Needs, advice, estimate, lacks, removable_share
from edgeflow.targets.mcu.compilation import first_that_fits
from edgeflow.targets.mcu.options import McuOptions
from edgeflow.targets.mcu.variants import generated
from edgeflow.targets.worker import Worker


def fit(model: Path, options: McuOptions, worker: Worker | None) -> Fit:
    """Return what a network takes of a board; see `Mcu.fit`."""
    _require_reference(model, options)
    tried = _estimated(model, options) if worker is None else _built(model, options, worker)
    fitting = [needs for needs in tried if needs.fits(options)]
    told = (fitting or tried)[0]
    return Fit(
        memories=(
            Memory(name="flash", needed_bytes=told.flash_bytes, limit_bytes=options.flash_bytes),
            Memory(name="RAM", needed_bytes=told.all_ram_bytes, limit_bytes=options.ram_bytes),
        ),
        macs=told.sources.macs,
        exact=told.exact,
        problem="" if fitting else "; ".join(lacks(options, tried)),
        hint="" if fitting else "; or ".join(advice(options, tried)),
        share=1.0 if fitting else _left(tried, options),
    )


def _require_reference(model: Path, options: McuOptions) -> None:
    """Let the reference kernels refuse what they lack before the training, not after it.

    Raises:
        CompileError: they lack an operator.
    """
    from edgeflow.targets.mcu.oracle import Engine

    with suppress(ModuleNotFoundError):  # `Mcu.check` says so
        Engine.from_bytes(model.read_bytes(), options.profile)


def _estimated(model: Path, options: McuOptions) -> list[Needs]:
    return [estimate(variant, sources) for variant, sources in generated(model, options)]


def _built(model: Path, options: McuOptions, worker: Worker) -> list[Needs]:
    with tempfile.TemporaryDirectory() as scratch:
        return first_that_fits(model, options, worker, Path(scratch))[1]


def _left(tried: list[Needs], options: McuOptions) -> float | None:
    share = removable_share(min(tried, key=lambda needs: needs.flash_bytes), options)
    return None if share is None else 1 - share
