"""Draw docs/dag.svg: the jobs of config.yaml, from the data to the report."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from xml.sax.saxutils import escape

from edgeflow.config.load import load_file
from edgeflow.plan import Plan, Unit

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "dag.svg"
WIDTH, HEIGHT, STEP_X, STEP_Y, LEFT, TOP = 142, 34, 172, 52, 12, 74
STYLE = """
text { font: 13px system-ui, "Segoe UI", "Helvetica Neue", sans-serif; fill: #1f2933; }
.rule { font-weight: 600; }
.each { font-size: 11px; fill: #5a6875; }
rect { fill: #eef4fb; stroke: #3b74b4; }
path { fill: none; stroke: #8a98a6; stroke-width: 1.3; }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e9ee; }
  .each { fill: #9fadb9; }
  rect { fill: #1c2b3a; stroke: #6fa8e6; }
  path { stroke: #71808e; }
}
"""
Key = tuple[str, ...]
COLUMNS: Sequence[tuple[str, str, Callable[[Unit, Plan], Key]]] = (
    ("dataset", "once", lambda u, p: (p.config.models[u.model].dataset,)),
    ("train", "each model", lambda u, _: (u.model,)),
    ("compress", "each recipe", lambda u, _: (u.model, u.recipe)),
    ("compile, bundle", "each target", lambda u, _: (u.model, u.recipe, u.target)),
    ("deploy, validate, gate", "each device", lambda u, _: (u.target, u.device)),
    ("report", "once", lambda _u, _p: ("index.html",)),
)
"""Rule, what it runs once for, and the job that a unit goes through; a key's end is its label."""


def draw(plan: Plan) -> str:
    """Return the picture as SVG; it follows the reader's light or dark theme."""
    units = sorted(plan.units, key=lambda unit: (unit.recipe, unit.target))
    jobs = [[key(unit, plan) for unit in units] for _, _, key in COLUMNS]
    shapes = [_head(column, rule, each) for column, (rule, each, _) in enumerate(COLUMNS)]
    shapes += [_edges(column, jobs) for column in range(len(jobs) - 1)]
    shapes += [_boxes(column, keys) for column, keys in enumerate(jobs)]
    width = 2 * LEFT + STEP_X * (len(COLUMNS) - 1) + WIDTH
    height = TOP + STEP_Y * len(units)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="Jobs from the dataset to the report"><style>{STYLE}</style>\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )


def _x(column: int) -> int:
    return LEFT + STEP_X * column


def _y(key: Key, keys: Sequence[Key]) -> float:
    """Return the middle of a job's box: the mean of the rows that go through it."""
    rows = [row for row, other in enumerate(keys) if other == key]
    return TOP + STEP_Y * mean(rows) + HEIGHT / 2


def _head(column: int, rule: str, each: str) -> str:
    x = _x(column) + WIDTH / 2
    return (
        f'<text class="rule" x="{x}" y="26" text-anchor="middle">{escape(rule)}</text>'
        f'<text class="each" x="{x}" y="44" text-anchor="middle">{escape(each)}</text>'
    )


def _edges(column: int, jobs: Sequence[Sequence[Key]]) -> str:
    """Return curves from a column's jobs to those of the next."""
    left, right = _x(column) + WIDTH, _x(column + 1)
    bend, paths = (left + right) / 2, []
    for start, end in sorted(set(zip(jobs[column], jobs[column + 1], strict=True))):
        y, z = _y(start, jobs[column]), _y(end, jobs[column + 1])
        paths.append(f'<path d="M{left} {y:g}C{bend:g} {y:g} {bend:g} {z:g} {right} {z:g}"/>')
    return "\n".join(paths)


def _boxes(column: int, keys: Sequence[Key]) -> str:
    boxes = []
    for key in sorted(set(keys)):
        y, x = _y(key, keys), _x(column)
        boxes.append(
            f'<rect x="{x}" y="{y - HEIGHT / 2:g}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
            f'<text x="{x + WIDTH / 2:g}" y="{y + 4.5:g}" text-anchor="middle">'
            f"{escape(key[-1])}</text>"
        )
    return "\n".join(boxes)


if __name__ == "__main__":
    OUT.write_text(draw(Plan(load_file(ROOT / "config.yaml"))), encoding="utf-8")
