"""Where the command `edgeflow` begins: standard library only, for all that needs no more."""


def main() -> None:
    """Run the command line."""
    from edgeflow.cli.app import main as run

    run()
