"""How many environments wait, as the command line says it."""

import pytest

from lambent.cli.failures import EXIT_USAGE, CliError
from lambent.cli.stem_cells import known_number


@pytest.mark.parametrize(("text", "number"), [("auto", None), ("0", 0), ("7", 7), ("128", 128)])
def test_a_number_or_none(text: str, number: int | None) -> None:
    """``auto`` is no number of its own."""
    assert known_number("--stem-cells", text) == number


@pytest.mark.parametrize("text", ["", "-1", "129", "1.5", "many", "٣", "9" * 5000, "0000000999"])
def test_anything_else_is_refused(text: str) -> None:
    """With the option's name, what may be said, and the exit status of wrong usage."""
    with pytest.raises(CliError, match="--stem-cells") as caught:
        known_number("--stem-cells", text)
    assert caught.value.exit_code == EXIT_USAGE
