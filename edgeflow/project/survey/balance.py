"""Classes with few samples, or with far fewer than others."""

from collections.abc import Iterator, Mapping

from edgeflow.project.survey.finding import Finding, counted

FEW = 50
"""Samples of a class below which figures of it are rough: one of ten in its test set is 10 %."""
UNLIKE = 5
"""How many times as many samples the largest class may have before it is named."""


def balance(counts: Mapping[str, int]) -> Iterator[Finding]:
    """Yield what is to be said of the samples of each class."""
    if len(counts) < 2:
        return
    few = {label: count for label, count in counts.items() if count < FEW}
    if few:
        shown = ", ".join(f"{label} {count}" for label, count in list(few.items())[:10])
        more = f" and {len(few) - 10} more" if len(few) > 10 else ""
        yield Finding(
            level="warning",
            message=f"{counted(len(few), 'class has', 'classes have')} fewer than {FEW} samples: "
            f"{shown}{more}",
            hint="collect more: with a test set of a few samples each figure is rough",
        )
    least, most = (pick(counts, key=lambda label: counts[label]) for pick in (min, max))
    if counts[most] >= UNLIKE * max(counts[least], 1):
        yield Finding(
            level="warning",
            message=f"classes are unbalanced: {most} has {counts[most]:,} samples, "
            f"{least} {counts[least]:,}",
            hint=f"collect more of {least}: accuracy says little of a rare class",
        )
