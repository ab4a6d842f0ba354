"""`edgeflow fleet`: look at fleets, and let stations serve for each other."""

import typer

from edgeflow.cli.fleet.failover import failover, watch
from edgeflow.cli.fleet.look import list_
from edgeflow.cli.fleet.status import status

app = typer.Typer()
app.command("list")(list_)
for command in (status, failover, watch):
    app.command()(command)
