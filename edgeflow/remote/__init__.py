"""One SSH session: pinned keys, deadlines, quoting, transfer; for devices and compile hosts."""

import logging

# paramiko logs tracebacks of what its callers get as exceptions; edgeflow says it once, in words.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
