"""The agent as one file: a zip that Python runs, of the modules in `edgeflow.ondevice.agent`."""

import io
import zipfile
from pathlib import Path

from edgeflow.ondevice import agent

SOURCES = Path(agent.__file__).parent
MAIN = f"import sys\n\nfrom {SOURCES.name} import main\n\nsys.exit(main())\n"


def agent_program() -> bytes:
    """Return the file's bytes, which depend on the sources alone.

    It is not compressed: a Python without zlib must be able to run it.
    """
    members = {f"{SOURCES.name}/{path.name}": path.read_bytes() for path in SOURCES.glob("*.py")}
    members["__main__.py"] = MAIN.encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, source in sorted(members.items()):
            info = zipfile.ZipInfo(name)  # of 1980-01-01
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, source)
    return buffer.getvalue()
