"""Where Snakemake finds its plugin; on its path, not imported from here."""
