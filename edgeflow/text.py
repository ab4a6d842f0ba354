"""What other programs say, made safe for a terminal."""

import re

# Escape sequences first, then every other control character but newline and tab; what turns the
# direction of writing around or ends a line unseen; and halves of characters.
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def clean(text: str) -> str:
    """Return `text` without escape sequences and control characters."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def tail(text: str, limit: int = 1000) -> str:
    """Return the cleaned end of `text`, at most `limit` characters of whole lines."""
    cleaned = clean(text).strip()
    if len(cleaned) <= limit:
        return cleaned
    end = cleaned[-limit:]
    return "... " + (end.partition("\n")[2] or end)


def excerpt(text: str, limit: int = 200) -> str:
    """Return the cleaned start of `text` in one line, at most `limit` characters."""
    line = " ".join(clean(text[: 4 * limit]).split())
    return line if len(line) <= limit else line[:limit] + " ..."
