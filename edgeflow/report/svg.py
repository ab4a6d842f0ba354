"""SVG files as parts of the page: ids of their own, colours that follow the page's scheme."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from edgeflow.report.theme import TONES

_DROPPED = {"metadata", "style"}
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def inline_svg(path: Path, alt: str) -> str:
    """Return the `<svg>` element of a file for use inside an HTML page.

    Ids get the file's stem as prefix, since two plots may use the same ones.
    """
    root = ET.fromstring(path.read_bytes())
    for element in root.iter():
        element.tag = _local(element.tag)
        attributes = dict(element.attrib)
        element.attrib.clear()
        for name, value in attributes.items():
            element.set(_local(name), _value(_local(name), value, path.stem))
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in _DROPPED]:
            parent.remove(child)
    root.attrib.update({"role": "img", "aria-label": alt})
    return ET.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _value(name: str, value: str, stem: str) -> str:
    if name == "id":
        return f"{stem}-{value}"
    if name == "href":
        return f"#{stem}-{value.removeprefix('#')}"
    return _themed(_REFERENCE.sub(rf"url(#{stem}-\1)", value))


def _themed(style: str) -> str:
    for tone in TONES:
        style = style.replace(tone.light, f"var(--{tone.name})")
    return style
