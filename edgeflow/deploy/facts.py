"""What a machine is: this one, or a device over SSH."""

import inspect
import json

from pydantic import Field

from edgeflow.errors import MissingToolError
from edgeflow.ondevice import energy, facts
from edgeflow.remote.answer import Answer, Words, parse
from edgeflow.remote.inventory import Endpoint
from edgeflow.remote.session import INTERPRETER, Session
from edgeflow.text import tail


class Facts(Answer):
    """What `edgeflow.ondevice.facts` prints."""

    cpu: Words
    machine: Words
    instruction_sets: list[Words]
    kernel: Words
    python: Words
    packages: dict[Words, Words]
    unrelated_pycoral: bool
    energy_sensors: list[Words] = Field(default_factory=list)


class Sensors(Answer):
    """The names of the energy sensors of a machine that the account may read."""

    energy_sensors: list[Words]


FACTS = inspect.getsource(facts)
ENERGY = f"""{inspect.getsource(energy)}
import json
print(json.dumps({{"energy_sensors": [sensor.name for sensor in sensors()]}}))
"""
"""Programs that print it on a device."""


def of_this_machine() -> Facts:
    """Return the facts of the machine that builds."""
    found = Facts.model_validate_json(json.dumps(facts.facts()))
    names = [sensor.name for sensor in energy.sensors()]
    return found.model_copy(update={"energy_sensors": names})


def of_device(endpoint: Endpoint) -> Facts:
    """Return the facts of a device; nothing is left there.

    Raises:
        UnreachableError: it does not answer.
        DeployError: it refuses the login, or answers something else.
        MissingToolError: it has no usable Python.
    """
    with Session(endpoint) as session:
        return facts_over(session)


def facts_over(session: Session) -> Facts:
    """Return the facts of the device at the other end, as `of_device`."""
    endpoint = session.endpoint
    done = session.run([INTERPRETER, "-c", FACTS], endpoint.run_timeout_s)
    seen = session.run([INTERPRETER, "-c", ENERGY], endpoint.run_timeout_s)
    if done.exit_code != 0:
        raise MissingToolError(
            f"Python does not run on device {endpoint.name}: {tail(done.stderr)}",
            hint="install Python 3.7 or newer there, or set `python` of the device",
        )
    found = parse(Facts, done.stdout, device=endpoint.title, program="Python")
    if seen.exit_code != 0:
        return found
    energies = parse(Sensors, seen.stdout, device=endpoint.title, program="Python")
    return found.model_copy(update=energies.model_dump())
