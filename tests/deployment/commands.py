"""The `classifyd ...` lines of a file, and what the command line itself would say to them."""

import re
import shlex

import typer

from classifyd.cli.app import app


def command_lines(text: str) -> list[list[str]]:
    """Every `classifyd COMMAND ...` of a file's text, as words."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    code = [line for line in lines if not line.lstrip().startswith("#")]
    calls = re.findall(r"(?<![\w./-])(?:/[\w/.-]+/)?classifyd ([a-z][^\n`'\"|;&)#]*)", "\n".join(code))
    return [shlex.split(call) for call in calls]


def code(markdown: str) -> str:
    """The code of a page: what is fenced, indented, or between backticks."""
    fenced = re.findall(r"^```.*?^```$", markdown, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}.*$", markdown, re.MULTILINE)
    inline = re.findall(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)", markdown)
    return "\n".join(fenced + indented + [span.replace("\n", " ") for span in inline])


def fault(words: list[str]) -> str | None:
    """What is wrong with the words after `classifyd`, or None: commands and options must be real ones."""
    command = typer.main.get_command(app)
    rest = list(words)
    while rest and hasattr(command, "commands"):
        if rest[0] not in command.commands:
            return f"no command {rest[0]!r}"
        command = command.commands[rest.pop(0)]
    if hasattr(command, "commands"):
        return f"{' '.join(words)!r} is not a whole command"
    known = {"-h", "--help"}
    known |= {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in rest if word.startswith("-") and word.split("=")[0] not in known]
    return f"no option {unknown[0]}" if unknown else None
