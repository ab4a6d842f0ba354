"""`python -m edgeflow`: the command line, for this very interpreter."""

from edgeflow.entry import main

if __name__ == "__main__":
    main()
