"""`streamproc`: finds the command, runs it, and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from streamproc import __version__

COMMAND_GROUP: Final = "streamproc.commands"

BUILT_IN: Final = {
    "demo": "Tag sample posts through an embedded broker and watch it live.",
    "worker": "Tag the posts of a Kafka topic.",
    "ingest": "Bring posts from a feed into Kafka.",
    "tag": "Tag the posts of a file, without a broker.",
    "topics": "Create and check the topics.",
    "lag": "How far the workers are behind, by partition.",
    "deadletters": "Show what could not be tagged and why, and send it round again.",
    "plugins": "List and check the installed plugins, make new ones.",
    "extract": "Look at all pictures of a folder, once, for training.",
    "triton": "Run a Triton server that looks at pictures.",
    "schema": "Print the JSON Schemas of what comes in and goes out.",
    "doctor": "What is installed and reachable, and what to do about the rest.",
}
"""Command → what it does in a line: `--help` imports none of them."""


class Commands(click.Group):
    """Commands by name: built-in ones, then those of installed packages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*BUILT_IN, *sorted(set(_installed()) - set(BUILT_IN))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in BUILT_IN:
            module = import_module(f"streamproc.cli.{cmd_name}")
            command: click.Command = module.command
            return command
        entry = _installed().get(cmd_name)
        if entry is None:
            return None
        loaded: click.Command = entry.load()
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(BUILT_IN.items()))
        others = [(name, _summary(entry)) for name, entry in _installed().items()]
        if others:
            with formatter.section("Commands of installed packages"):
                formatter.write_dl(sorted(others))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from difflib import get_close_matches

            close = get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f"did you mean {close[0]}?" if close else "see streamproc --help"
            raise click.UsageError(f"no command named {args[0]!r}: {hint}", ctx) from None


def _installed() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=COMMAND_GROUP)}


def _summary(entry: Any) -> str:
    """What a package's command does, from its docstring; the module is read, not imported."""
    import ast
    from importlib.util import find_spec
    from pathlib import Path

    package, *inner = entry.module.split(".")
    spec = find_spec(package)  # a name without a dot: nothing is imported
    folders = (spec and spec.submodule_search_locations) or ()
    for source in (Path(folder, *inner).with_suffix(".py") for folder in folders):
        try:
            tree = ast.parse(source.read_bytes())
        except (OSError, SyntaxError):
            continue  # using the command will say what is wrong with it
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == entry.attr:
                first = (ast.get_docstring(node) or "").partition("\n")[0]
                return first or f"from {entry.module}"
    return f"from {entry.module}"


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="streamproc")
@click.option("--debug", is_flag=True, help="Show tracebacks and debug logs.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Live social posts in, tagged named entities out."""
    ctx.obj = debug


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 fine, 1 the work failed, 2 bad usage or settings."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    try:
        cli.main(args=arguments, prog_name="streamproc", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        _leave(130)
    except BrokenPipeError:
        _hang_up()
    except Exception as error:
        from streamproc.cli.failing import exit_code, one_line, root_of

        if isinstance(root_of(error), BrokenPipeError):
            _hang_up()
        if debug:
            raise
        click.echo(one_line(error), err=True)
        sys.exit(exit_code(error))


def _leave(code: int) -> NoReturn:
    """End now. A model's native threads may still be at work, and abort a process that tidies up."""
    with suppress(OSError, ValueError, AttributeError):  # a stream that is closed, or none
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _hang_up() -> NoReturn:
    """The reader of our output went away (`| head`): end, and do not try to flush what is left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(1)
