"""What other programs say, made safe for a terminal."""

import re

# Escape sequences first, then every other control character but newline and tab.
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """Return `text` without escape sequences and control characters."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def tail(text: str, limit: int = 1000) -> str:
    """Return the cleaned end of `text`, at most `limit` characters of whole lines."""
    cleaned = clean(text).strip()
    if len(cleaned) <= limit:
        return cleaned
    return "... " + cleaned[-limit:].partition("\n")[2]
