"""`classifyd config show`: what the daemon would run with."""

import typer

from classifyd.cli.options import ConfigFile

app = typer.Typer(help="Look at the configuration.", no_args_is_help=True)


@app.callback()
def config() -> None:
    """Look at the configuration."""


@app.command()
def show(config: ConfigFile = None) -> None:
    """Show the effective settings: defaults, file and environment together, secrets masked."""
    from classifyd.settings import load, to_toml

    typer.echo(to_toml(load(config, {})), nl=False)
