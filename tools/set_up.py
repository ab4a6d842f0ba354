"""Set up .venv as uv.lock says: what `make env` runs, as often and as many at once as you like.

Usage: python3 -m tools.set_up FOLDER, in the project's folder; uv is kept in FOLDER. An environment
whose set-up was interrupted is made anew: uv would take a package that was half written for whole.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from tools.get_uv import get_uv, locked

ENVIRONMENT = Path(".venv")
READY = ENVIRONMENT / ".ready"
MADE_FROM = ("pyproject.toml", "uv.lock", "tools/get_uv.py", "tools/set_up.py")


def is_ready() -> bool:
    """Return whether the environment is complete and newer than all it is made from."""
    if not READY.exists():
        return False
    made = READY.stat().st_mtime_ns
    return all(Path(name).stat().st_mtime_ns <= made for name in MADE_FROM)


def main() -> None:
    """Set up the environment unless another process has done so meanwhile."""
    with locked(Path(".venv.lock")):
        if is_ready():
            return
        if READY.exists():
            READY.unlink()  # from here on, until all is there, it is not ready
        else:
            shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        uv = get_uv(Path(sys.argv[1]))
        options = ("--quiet", "--frozen", "--compile-bytecode", "--python", sys.executable)
        done = subprocess.run([uv, "sync", *options], check=False)
        if done.returncode != 0:
            sys.exit(done.returncode)
        READY.touch()


if __name__ == "__main__":
    main()
