"""The stamp of a project that is up to date: `edgeflow run` then says so without Snakemake.

Snakemake takes seconds to find that nothing changed. After a run that succeeded, `keep.py` writes
down the status of everything that Snakemake's answer depended on, and `check.py` compares it with
what is there now. Equal means that Snakemake would answer the same; all else is left to Snakemake.

Only the standard library is imported here, and little of it.
"""
