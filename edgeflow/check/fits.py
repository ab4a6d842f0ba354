"""Whether networks fit their targets, told before they are trained."""

from collections.abc import Iterator, Mapping
from typing import Any

from edgeflow.check.nearest import hint_for
from edgeflow.check.verdicts import Case, Verdict, cases_of, verdicts
from edgeflow.config.finding import Finding
from edgeflow.config.raw import Raw
from edgeflow.config.root import Config
from edgeflow.targets.base import Fit


def check_fits(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the deployments of networks that do not fit a target, with what would."""
    for keys, cases in cases_of(raw):
        found = [(case, verdict) for case in cases if (verdict := verdicts(raw).get(case))]
        wrong = {case: text for case, verdict in found if (text := _problem(verdict))}
        if wrong:
            hints = [hint_for(raw, case, verdict) for case, verdict in found if case in wrong]
            yield Finding(
                keys=(*keys, "model"),
                message="; ".join(f"{case.title}: {text}" for case, text in wrong.items()),
                hint="; ".join(dict.fromkeys(hints)),
            )


def _problem(verdict: Verdict) -> str:
    return verdict.problem if isinstance(verdict, Fit) else verdict.message


def fits_of(config: Config) -> dict[Case, Fit]:
    """Return what the networks of a configuration take that are known before a build.

    What `check_fits` found out in the same process is not found out again.
    """
    found = verdicts(Raw(config.model_dump(mode="json")))
    return {case: verdict for case, verdict in found.items() if isinstance(verdict, Fit)}
