"""Programs of a release, run on its device."""

import posixpath
from collections.abc import Sequence

from edgeflow.deploy.device.link import Link
from edgeflow.deploy.runner import EXIT_MISSING, Missing
from edgeflow.errors import DeployError, MissingToolError
from edgeflow.remote.answer import A, parse
from edgeflow.remote.session import INTERPRETER
from edgeflow.text import last_words


class Programs(Link):
    """Runs the runner and the service of releases."""

    def run_release(self, model: str, sha: str, argv_tail: Sequence[str], timeout_s: float) -> str:
        """Run a release's runner in the model's folder and return what it printed.

        Raises:
            DeployError: it fails, does not end within `timeout_s`, or lacks hardware.
            MissingToolError: it lacks numpy or the engine.
        """
        folder = posixpath.join(self._agent.home, self.model_dir(model))
        runner = posixpath.join(folder, "releases", sha, "runner.py")
        # -B: a release is read-only, no compiled files beside its own.
        program = [INTERPRETER, "-B", runner, *self._about(), *argv_tail]
        done = self._session.run(program, timeout_s, folder)
        if done.exit_code == EXIT_MISSING:
            raise self._lacks(
                parse(Missing, done.stdout, device=self.endpoint.title, program=model)
            )
        if done.exit_code != 0:
            how = f"exit code {done.exit_code}"
            if done.exit_code < 0:
                how = f"killed by signal {-done.exit_code}; is its memory full?"
            raise DeployError(
                f"the runner of {model} failed on device {self.endpoint.name} ({how}):"
                f"{last_words(done.stderr, done.exit_code)}",
                hint=f"look at the device: {self.endpoint.shell_command()}",
            )
        return done.stdout

    def serve(self, kind: type[A], model: str, sha: str, action: str, timeout_s: float) -> A:
        """Start or stop the service of a model by a release's program, or ask how it is.

        Raises:
            DeployError: the program fails, or answers something else.
        """
        folder = self.model_dir(model)
        runner = posixpath.join(folder, "releases", sha, "runner.py")
        program = [INTERPRETER, "-B", runner, "serve", folder, action]
        done = self._session.run(program, timeout_s, folder)
        if done.exit_code != 0:
            raise DeployError(
                f"the service of {model} on device {self.endpoint.name} cannot {action}:"
                f"{last_words(done.stderr, done.exit_code)}",
                hint=f"look at the device: {self.endpoint.shell_command()}",
            )
        return parse(kind, done.stdout, device=self.endpoint.title, program="the service")

    def _about(self) -> list[str]:
        """Return what the runner is told of the device."""
        return [*self._unit(), *(["--emulated"] if self.endpoint.emulated else [])]

    def _lacks(self, answer: Missing) -> DeployError | MissingToolError:
        python, name = self._agent.python, self.endpoint.name
        if answer.hardware:
            return DeployError(
                f"device {name} lacks what the model runs on: {answer.missing}",
                hint="attach it, or install its driver there and let the account use it; or give "
                f"{name} a target that fits its hardware; look at it: "
                f"{self.endpoint.shell_command()}",
            )
        return MissingToolError(
            f"{python} on device {name} lacks what the model needs: {answer.missing}",
            hint=f"install it there: edgeflow device provision {self.endpoint.argument}; or set "
            "`python` of the device to an interpreter that has it",
        )
