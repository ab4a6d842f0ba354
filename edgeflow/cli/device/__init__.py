"""`edgeflow device`: look at devices, go back to a release, remove a model."""

import typer

from edgeflow.cli.device.change import remove, rollback
from edgeflow.cli.device.collect import collect
from edgeflow.cli.device.discover import discover
from edgeflow.cli.device.doctor import doctor
from edgeflow.cli.device.logs import gc, history, logs
from edgeflow.cli.device.look import list_, models, ping
from edgeflow.cli.device.provision import provision
from edgeflow.cli.device.serve import serve
from edgeflow.cli.device.status import status
from edgeflow.cli.device.trust import trust

app = typer.Typer()
app.command("list")(list_)
for command in (
    discover,
    provision,
    doctor,
    ping,
    status,
    history,
    logs,
    gc,
    models,
    rollback,
    remove,
    serve,
    collect,
    trust,
):
    app.command()(command)
