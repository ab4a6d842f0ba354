"""Everything that `edgeflow check` looks at, in the order of what it costs."""

from pathlib import Path

from edgeflow.check.files import check_files
from edgeflow.check.fits import check_fits
from edgeflow.check.fleets import check_fleets
from edgeflow.check.models import check_keras, check_models
from edgeflow.check.networks import check_builds
from edgeflow.config.load import Look, load_file
from edgeflow.config.root import Config

QUICK: tuple[Look, ...] = (check_files, check_fleets, check_models)
SLOW: tuple[Look, ...] = (check_builds, check_keras, check_fits)
"""What imports TensorFlow."""


def check_project(config: Path, *, fast: bool) -> Config:
    """Return a configuration, all of which can be used as far as is known before a build.

    Args:
        config: the file.
        fast: whether to leave out what takes seconds.

    Raises:
        ConfigError: with every problem found, in the order of the file.
    """
    return load_file(config, QUICK if fast else (*QUICK, *SLOW))
