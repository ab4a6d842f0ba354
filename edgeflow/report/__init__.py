"""The report: tables, plots and one HTML page."""
