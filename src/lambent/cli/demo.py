"""``lambent demo``: a platform, a real application on it, and what it does with real input.

Everything shown comes from calls any AWS client can make; a step that does not come out as on AWS ends
the demo with exit code 1, so it is a smoke test too.
"""

import functools
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

import lambent
from lambent.cli import billing, client, console
from lambent.cli import logs as log_lines
from lambent.cli.demo_platform import Running, running_platform, stop
from lambent.cli.deploy import Wanted, apply, wait_until_active
from lambent.cli.failures import EXIT_USAGE, CliError
from lambent.cli.invoke import Answer, call, show_error
from lambent.cli.ls import size_text
from lambent.cli.up import isolation_text, known_sandbox

if TYPE_CHECKING:
    from rich.console import Console

NAME = "orders"
MEMORY_MIB = 256
SPLIT_CALLS = 20
SPLIT_WEIGHT = 0.25
LOG_TIMEOUT_S = 10.0
LOG_POLL_S = 0.05

T = TypeVar("T")


def demo(
    *,
    sandbox: Annotated[str, typer.Option(help="auto, namespaces or process.")] = "auto",
    example: Annotated[
        Path | None,
        typer.Option(help="The orders example; default: the one of this repository."),
    ] = None,
) -> None:
    """Start a platform, deploy the sample application, call it, and show what happens."""
    directory = example or Path(lambent.__file__).parents[2] / "examples" / NAME
    if not (directory / "events").is_dir():
        raise CliError(
            f"The example is not at {directory}.",
            "It is in Lambent's repository: lambent demo --example PATH/examples/orders",
            EXIT_USAGE,
        )
    screen = console.out()
    with (
        screen.status("Starting a platform…"),
        running_platform(known_sandbox(sandbox)) as platform,
        client.connected("lambda", platform.url) as functions,
        client.connected("logs", platform.url) as log_client,
    ):
        Demo(screen, platform, functions, log_client, directory).run()
        took_ms = stop(platform.process)
        ended = platform.process.returncode
    if ended != 0:
        raise CliError(f"The platform ended with exit code {ended}.")
    _say_goodbye(screen, took_ms)


@dataclass
class Demo:
    """The steps, in order; each says what it does and raises CliError when it goes wrong."""

    screen: "Console"
    platform: Running
    functions: Any
    log_client: Any
    directory: Path
    calls: int = field(default=0, init=False)
    began_ms: int = field(default_factory=lambda: int(time.time() * 1000), init=False)

    def run(self) -> None:
        """All steps."""
        self.show_platform()
        self.deploy()
        self.call_with_orders()
        self.call_and_fail()
        self.show_logs()
        self.split_traffic()
        self.show_cost()

    def show_platform(self) -> None:
        """What runs, and how well it isolates."""
        health = self.platform.health
        self._head(f"A platform at {self.platform.url}, ready in {self.platform.ready_ms:.0f} ms")
        kind = health["sandbox"]["kind"]
        self.screen.print(f"  sandbox {kind}: {isolation_text(health['sandbox']['isolation'])}")
        if kind == "process":
            self.screen.print("  [bold white on red] NO ISOLATION [/] see lambent doctor")

    def deploy(self) -> None:
        """The sample application."""
        self._head(f"Deploy examples/{NAME}")
        wanted = Wanted(NAME, memory_mib=MEMORY_MIB, timeout_s=5, environment={"LOG_LEVEL": "INFO"})
        deployed, took_ms = _timed(
            lambda: apply(self.functions, self.directory, wanted, self.platform.url)
        )
        made = deployed.configuration
        size = size_text(int(made["CodeSize"]))
        self.screen.print(
            f"  {made['FunctionArn']}\n  {made['Runtime']}, {made['Handler']}, {size}, "
            f"active after {took_ms:.0f} ms",
            markup=False,
        )

    def call_with_orders(self) -> None:
        """A cold call, a warm one with the same order, and a new order."""
        self._head("Call it: an order (cold), the same again (warm), a larger one")
        for name in ("order", "order", "large-order"):
            event = self._event(name)
            answer, took_ms = _timed(functools.partial(self._call, event))
            self.screen.print(f"  [dim]{took_ms:7.1f} ms[/]  {name:<12}", end=" ")
            self.screen.print(_succeeded(answer), markup=False)

    def call_and_fail(self) -> None:
        """An invalid order: the function raises, the caller sees why."""
        self._head("Call it with an invalid order")
        answer = self._call(self._event("invalid-order"))
        if answer.error != "Unhandled":
            raise CliError(f"The invalid order should have failed, but gave {answer.payload!r}")
        show_error(self.screen, answer, indent="  ")

    def show_logs(self) -> None:
        """What the calls so far wrote."""
        self._head("Its log")
        for message in self._log():
            log_lines.show(self.screen, message, indent="  ")

    def split_traffic(self) -> None:
        """Two versions behind one alias."""
        first = self._publish()
        self.functions.update_function_configuration(
            FunctionName=NAME,
            Environment={"Variables": {"LOG_LEVEL": "INFO", "DISCOUNT_PERCENT": "10"}},
        )
        wait_until_active(self.functions, NAME)
        second = self._publish()
        self.functions.create_alias(
            FunctionName=NAME,
            Name="live",
            FunctionVersion=first,
            RoutingConfig={"AdditionalVersionWeights": {second: SPLIT_WEIGHT}},
        )
        self._head(
            f"Alias live: {1 - SPLIT_WEIGHT:.0%} to version {first}, {SPLIT_WEIGHT:.0%} to version "
            f"{second} (10% discount); {SPLIT_CALLS} calls"
        )
        seen: Counter[str] = Counter()
        order = json.loads(self._event("order"))
        for number in range(SPLIT_CALLS):
            event = json.dumps(order | {"order_id": f"split-{number}"}).encode()
            answer = self._call(event, "live")
            total = json.loads(_succeeded(answer))["total_cents"]
            seen[f"version {answer.version}, {total} cents"] += 1
        for what, count in sorted(seen.items()):
            self.screen.print(f"  {what}  {'█' * count} {count}", markup=False)

    def show_cost(self) -> None:
        """What all calls would have cost on AWS."""
        lines = self._log()
        reports = [r for r in map(billing.parse_report, lines) if r is not None]
        bill = billing.add_up(reports)
        cold = [report.init_ms for report in reports if report.init_ms is not None]
        memory = max(report.max_memory_mib for report in reports)
        self._head("What that would cost on AWS")
        self.screen.print(
            f"  {bill.calls} calls, {len(cold)} of them cold, {bill.gb_seconds:.4f} GB-s, "
            f"at most {memory} of {MEMORY_MIB} MB used: ${bill.usd:.8f}\n"
            f"  a million such calls: ${bill.usd / bill.calls * 1_000_000:.2f}"
        )

    def _head(self, text: str) -> None:
        self.screen.print()
        self.screen.print(f"[bold cyan]●[/] [bold]{text}[/]")

    def _event(self, name: str) -> bytes:
        return (self.directory / "events" / f"{name}.json").read_bytes()

    def _call(self, event: bytes, qualifier: str | None = None) -> Answer:
        self.calls += 1
        return call(self.functions, NAME, event, qualifier)

    def _publish(self) -> str:
        version = str(self.functions.publish_version(FunctionName=NAME)["Version"])
        wait_until_active(self.functions, f"{NAME}:{version}")
        return version

    def _log(self) -> list[str]:
        """Every line since the start, once each call so far has its REPORT."""
        reader = log_lines.LogReader(self.log_client, f"/aws/lambda/{NAME}", self.began_ms)
        lines: list[str] = []
        deadline = time.monotonic() + LOG_TIMEOUT_S
        while sum(line.startswith("REPORT ") for line in lines) < self.calls:
            if time.monotonic() > deadline:
                raise CliError(
                    f"After {LOG_TIMEOUT_S:.0f} s the log has not all {self.calls} calls."
                )
            lines += [str(event["message"]).rstrip("\n") for event in reader.new_events()]
            time.sleep(LOG_POLL_S)
        return lines


def _timed(action: Callable[[], T]) -> tuple[T, float]:
    begun = time.perf_counter()
    result = action()
    return result, (time.perf_counter() - begun) * 1000


def _succeeded(answer: Answer) -> str:
    """The answer's text. Raises CliError when the function failed."""
    text = answer.payload.decode()
    if answer.error:
        raise CliError(f"The call failed ({answer.error}): {text}")
    return text


def _say_goodbye(screen: "Console", took_ms: float) -> None:
    screen.print()
    screen.print(f"[bold cyan]●[/] [bold]Stopped in {took_ms:.0f} ms.[/] Now by hand:")
    screen.print(
        "  lambent up                                   # in one terminal\n"
        "  lambent deploy examples/hello                # in another\n"
        """  lambent invoke hello --payload '{"name": "Ada"}'\n"""
        "  lambent logs hello --follow\n"
        "  AWS_ENDPOINT_URL=http://127.0.0.1:4566 aws lambda list-functions",
        markup=False,
    )
