"""``lambent fidelity``, and the page that is made of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lambent.cli.fidelity import BEGIN, END, rewritten
from lambent.server.fidelity import fidelity

Run = Callable[..., Any]
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "fidelity.md"


def test_the_page_agrees_with_the_code() -> None:
    """The generated part of docs/reference/fidelity.md is what scripts/fidelity would write now."""
    text = PAGE.read_text()
    assert rewritten(text, fidelity()) == text, "stale: run scripts/fidelity"


def test_json_is_the_whole_document(run: Run) -> None:
    """``--json`` prints what the endpoint answers, and needs no platform."""
    assert json.loads(run("fidelity", "--json").stdout) == fidelity()


def test_shows_every_operation_and_setting(run: Run) -> None:
    """The tables have a line for each operation and each setting, with its status."""
    lines = [" ".join(line.split()) for line in run("fidelity").stdout.splitlines()]
    document = fidelity()
    for operations in document["services"].values():
        assert {f"{name} {status}" for name, status in operations.items()} <= set(lines)
    assert "S3ObjectStorageMode refused unless it is COPY" in lines
    assert "Handler obeyed" in lines


def test_one_service_alone(run: Run) -> None:
    """``--service`` leaves out the others, and another service's settings."""
    document = json.loads(run("fidelity", "--json", "--service", "sts").stdout)
    assert list(document["services"]) == ["sts"]
    assert document["settings"] == {}
    assert (
        "CreateFunction"
        in json.loads(run("fidelity", "--json", "--service", "lambda").stdout)["settings"]
    )


def test_a_service_that_is_not_hosted(run: Run) -> None:
    """An unknown service is a usage error that names the known ones."""
    done = run("fidelity", "--service", "ec2")
    assert (done.exit_code, done.stdout) == (2, "")
    assert all(service in done.stderr for service in ("lambda", "logs", "sns", "sqs", "sts"))


def test_rewrites_between_the_markers_only(run: Run, tmp_path: Path) -> None:
    """What people wrote around the generated part stays; a page without markers is refused."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert run("fidelity", "--page", str(page)).exit_code == 0
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| operations of")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    page.write_text("nothing")
    assert run("fidelity", "--page", str(page)).exit_code == 1
    assert page.read_text() == "nothing"
