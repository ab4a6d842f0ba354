"""What a machine is: this one, or a device over SSH."""

import inspect
import json

from edgeflow.errors import MissingToolError
from edgeflow.ondevice import facts
from edgeflow.remote.answer import Answer, Words, parse
from edgeflow.remote.inventory import Endpoint
from edgeflow.remote.session import Session
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


def of_this_machine() -> Facts:
    """Return the facts of the machine that builds."""
    return Facts.model_validate_json(json.dumps(facts.facts()))


def of_device(endpoint: Endpoint) -> Facts:
    """Return the facts of a device; nothing is left there.

    Raises:
        UnreachableError: it does not answer.
        DeployError: it refuses the login, or answers something else.
        MissingToolError: it has no usable Python.
    """
    with Session(endpoint) as session:
        program = [endpoint.python, "-c", inspect.getsource(facts)]
        done = session.run(program, endpoint.run_timeout_s)
    if done.exit_code != 0:
        raise MissingToolError(
            f"{endpoint.python} does not run on device {endpoint.name}: {tail(done.stderr)}",
            hint="install Python 3.7 or newer there, or set `python` of the device",
        )
    return parse(Facts, done.stdout, device=endpoint.title, program="Python")
