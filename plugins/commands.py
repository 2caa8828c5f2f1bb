"""Commands of streamproc as tests run them, in their own process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from streamproc.cli.failing import exit_code, one_line
from streamproc.cli.main import cli


def run(*arguments: str | Path) -> Result:
    """What a command came to: `run("evaluate", MODEL, "--data", file)`."""
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def told(*arguments: str | Path) -> Any:
    """What a command that succeeds says with `--json`."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout)


def refused(*arguments: str | Path) -> tuple[int, str]:
    """The exit code and the line that a failing command gives."""
    error = run(*arguments).exception
    assert error is not None
    line = one_line(error)
    assert "\n" not in line
    return exit_code(error), line
