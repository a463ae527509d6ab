"""How many environments wait prepared, as the command line says it."""

from lambent.cli.failures import EXIT_USAGE, CliError

AUTO = "auto"
_MOST = 128


def known_number(option: str, text: str) -> int | None:
    """``auto`` as None, or the number. Raises CliError for anything else."""
    if text == AUTO:
        return None
    if len(text) <= len(str(_MOST)) and text.isascii() and text.isdecimal() and int(text) <= _MOST:
        return int(text)
    raise CliError(
        f"{option} {text} is no number of environments.", f"auto, or 0 to {_MOST}", EXIT_USAGE
    )
