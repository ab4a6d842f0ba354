"""What other programs and users say, made safe to show."""

import re
from collections.abc import Sequence

# Escape sequences first, then every other control character but newline and tab; what turns the
# direction of writing around or ends a line unseen; and halves of characters.
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def clean(text: str) -> str:
    """Return `text` without escape sequences and control characters."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>\S*@)?(?P<rest>[^\s?#]*)[?#]?\S*", re.IGNORECASE
)


def without_secrets(text: str) -> str:
    """Return `text` without what may be a password in its URLs: user information and queries.

    A user's name alone stays in sftp:// and ssh://, where a key logs in.
    """

    def shown(match: re.Match[str]) -> str:
        user, whole = match["user"] or "", match[0]
        keeps = match["scheme"].lower() in ("sftp://", "ssh://") and not set(":?#") & set(user)
        cut = "" if whole == match["scheme"] + user + match["rest"] else "?…"
        return match["scheme"] + (user if keeps or not user else "…@") + match["rest"] + cut

    return _URL.sub(shown, text)


def tail(text: str, limit: int = 1000) -> str:
    """Return the cleaned end of `text`, at most `limit` characters of whole lines."""
    cleaned = clean(text).strip()
    if len(cleaned) <= limit:
        return cleaned
    end = cleaned[-limit:]
    return "... " + (end.partition("\n")[2] or end)


def last_words(said: str, code: int) -> str:
    """Return what a failed program said, to stand behind a colon: the reason before the details.

    Args:
        said: what it printed.
        code: its exit code; negative where a signal ended it.
    """
    words = tail(said)
    *before, last = words.splitlines() or [""]
    # What an exception says stands last; where a signal ended it, that is the place in the code.
    reason = f" {last.strip()}" if code > 0 or not before else ""
    return f"{reason}\n{words}" if before else reason


def excerpt(text: str, limit: int = 200) -> str:
    """Return the cleaned start of `text` in one line, at most `limit` characters."""
    line = " ".join(clean(text[: 4 * limit]).split())
    return line if len(line) <= limit else line[:limit] + " ..."


def some(names: Sequence[str], most: int = 5) -> str:
    """Return the first names in a line, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def plain(value: float) -> str:
    """Return a number as people write it: a whole one in full, others with up to six digits."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.6g}"


def reason(message: str) -> str:
    """Return a message of pydantic's without its name for what edgeflow itself found wrong."""
    return message.removeprefix("Value error, ")
