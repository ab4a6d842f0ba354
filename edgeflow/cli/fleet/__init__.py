"""`edgeflow fleet`: look at fleets, and let stations serve for each other."""

import typer

from edgeflow.cli.fleet.look import list_
from edgeflow.cli.fleet.status import status

app = typer.Typer(help="Look at the devices of inventories.", no_args_is_help=True)
app.command("list")(list_)
app.command()(status)
