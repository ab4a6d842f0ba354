"""What a survey of a dataset finds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edgeflow.project.survey.finding import Finding
from edgeflow.project.survey.pictures import Picture

Advance = Callable[[], None]
"""Call after each sample."""


@dataclass(kw_only=True, slots=True)
class Survey:
    """What there is to say of a dataset.

    Attributes:
        name: of the dataset, or of the folder.
        source: of its samples, as in a configuration.
        path: where they lie; empty where edgeflow brings them.
        counts: number of samples of each class, by the part that the source gives.
        facts: what to show of them.
        findings: what to say, the gravest first.
        pictures: some samples of each class.
        shown: pictures of the files that a finding is about, by its message.
    """

    name: str
    source: str
    path: str = ""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    pictures: dict[str, list[Picture]] = field(default_factory=dict)
    shown: dict[str, list[Picture]] = field(default_factory=dict)

    def sort(self) -> None:
        """Bring the gravest findings to the front."""
        order = ("error", "warning", "note")
        self.findings.sort(key=lambda finding: order.index(finding.level))

    def json(self) -> Mapping[str, object]:
        """Return all of it but the pictures, for programs."""
        return {
            "name": self.name,
            "source": self.source,
            "path": self.path,
            "counts": self.counts,
            "facts": self.facts,
            "findings": [
                {
                    "level": finding.level,
                    "message": finding.message,
                    "hint": finding.hint,
                    "files": list(finding.files),
                }
                for finding in self.findings
            ],
        }
