"""Asks the service of a model on this device about recorded arrays; run it on the device."""

import sys

import numpy as np

# A release holds exactly the files of its manifest; compiled ones beside them would damage it.
sys.dont_write_bytecode = True


def main(model: str, *files: str) -> None:
    """Print what the model says of each .npy file, such as a camera's frame."""
    sys.path.insert(0, f"{model}/current")
    from client import Client

    with Client(model) as client:
        for path in files:
            answer = client.infer(np.load(path), recorded=True)
            print(f"{path}: {answer['label']} (release {answer['release'][:12]})")


if __name__ == "__main__":
    main(*sys.argv[1:])
