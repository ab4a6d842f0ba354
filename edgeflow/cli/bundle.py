"""`edgeflow bundle`: the step that packs, and what looks at bundles and signs them."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from edgeflow.cli.project import CONFIG, ConfigFile, Json, print_json
from edgeflow.cli.steps import bundle as step


class _StepOrCommand(TyperGroup):
    """The step, which takes options alone; or a command, behind its name."""

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> Any:
        """Return the context of the step, or of the command that the first argument names."""
        command = self.commands.get(args[0]) if args else None
        if command is None:
            return super().make_context(info_name, args, *more, **extra)
        return command.make_context(f"{info_name} {args[0]}", args[1:], *more, **extra)


app = typer.Typer(cls=_StepOrCommand, invoke_without_command=True, rich_help_panel="Steps")
app.callback()(step)

Bundle = Annotated[Path, typer.Argument(help="The bundle.tar.", exists=True, dir_okay=False)]


@app.command()
def sign(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Bundles, or manifests that a build has left to be signed.",
            exists=True,
            dir_okay=False,
        ),
    ],
    key: Annotated[
        Path, typer.Option(help="Private key that signs; or its public half, if an agent has it.")
    ],
    to: Annotated[
        Path | None, typer.Option(help="Folder for the signatures; by default beside each file.")
    ] = None,
) -> None:
    """Sign manifests where the key lies; a build takes the signatures from `signing.signatures`."""
    from edgeflow.artifact.atomic import write_bytes
    from edgeflow.bundle.look import manifest_in
    from edgeflow.bundle.signer import sign_with
    from edgeflow.bundle.signing import signature_name

    for file in files:
        manifest = manifest_in(file)
        path = (to or file.parent) / signature_name(manifest)
        write_bytes(path, sign_with(manifest, key.expanduser()))
        print(path)


@app.command()
def show(bundle: Bundle, as_json: Json = False) -> None:
    """Say what is in a bundle, what it was made from, and who signed it."""
    from edgeflow.bundle.look import facts_of, lines_of

    facts = facts_of(bundle)
    if as_json:
        print_json(facts)
        return
    for line in lines_of(facts):
        print(line)


@app.command()
def verify(
    bundle: Bundle,
    key: Annotated[
        Path | None,
        typer.Option(help="Key that must have signed it; by default that of the configuration."),
    ] = None,
    config: ConfigFile = CONFIG,
) -> None:
    """Check every byte of a bundle, and that a key has signed it."""
    from edgeflow.bundle.look import verify_bundle
    from edgeflow.cli.project import load_plan
    from edgeflow.config.publickey import public_half

    if key is None:
        section = load_plan(config).config.signing
        key = Path(section.key) if section else None
    public = public_half(key.expanduser()) if key else None
    if key is not None and public is None:
        raise typer.BadParameter(f"{key} is no key whose public half can be read")
    print(f"{bundle}: {verify_bundle(bundle, public)}")
