"""SnapStart of an ordinary user's platform, in a cgroup that was delegated to it."""

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.e2e.conftest import ROLE, Platform, zip_of
from tests.e2e.outside import OUTSIDE, REACH
from tests.e2e.test_hostile_snap_start import LURKS, PROBES, TAMPER, TAMPERING
from tests.e2e.unprivileged import Laptop, delegated, make_laptop, visiting

SHOWS = """
    import os, secrets, time
    MADE_AT = time.time_ns()
    def handler(event, context):
        time.sleep(0.3)
        status = open("/proc/self/status").read().splitlines()
        return {
            "made_at": MADE_AT, "secret": secrets.token_hex(), "pid": os.getpid(), "uid": os.getuid(),
            "processes": sorted(int(p) for p in os.listdir("/proc") if p.isdigit()),
            "powers": [int(line.split()[1], 16) for line in status if line.startswith("Cap")],
        }
"""


@pytest.fixture(scope="module")
def laptop() -> Iterator[Laptop]:
    """See :func:`tests.e2e.unprivileged.make_laptop`."""
    with make_laptop() as made:
        yield made


@pytest.fixture(scope="module")
def there(laptop: Laptop) -> Iterator[Platform]:
    """A platform in a cgroup of its user's."""
    with delegated() as cgroup, visiting(laptop.namespace):
        if cgroup is None:
            pytest.skip("there is no cgroup of v2 here")
        one = laptop.start("slirp4netns", cgroup=cgroup)
        assert one.health["sandbox"]["isolation"]["user"] is True
        assert one.health["sandbox"]["snap_start_missing"] is None
        yield one
        one.stop()


Publish = Callable[[str], Callable[[Any], Any]]


@pytest.fixture
def publish(there: Platform, laptop: Laptop) -> Iterator[Publish]:
    """Deploys with SnapStart and publishes; invokes version 1."""
    client = there.client("lambda")

    def make(source: str) -> Callable[[Any], Any]:
        name = f"snap-{uuid.uuid4().hex[:8]}"
        client.create_function(
            FunctionName=name, Runtime="python3.12", Role=ROLE, Handler="app.handler", Timeout=20,
            Code={"ZipFile": zip_of({"app.py": source})}, SnapStart={"ApplyOn": "PublishedVersions"},
            Publish=True,
        )  # fmt: skip
        client.get_waiter("published_version_active").wait(
            FunctionName=name, Qualifier="1", WaiterConfig={"Delay": 0.1}
        )

        def invoke(event: Any) -> Any:
            answer = client.invoke(
                FunctionName=name, Qualifier="1", Payload=json.dumps(event), LogType="Tail"
            )
            payload = json.load(answer["Payload"])
            assert "FunctionError" not in answer, (payload, base64.b64decode(answer["LogResult"]))
            return payload

        return invoke

    with visiting(laptop.namespace):
        yield make


def _at_once(invoke: Callable[[Any], Any], laptop: Laptop, count: int) -> list[Any]:
    def one(_: int) -> Any:
        with visiting(laptop.namespace):  # threads have networks of their own
            return invoke({})

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_environments_start_from_one_initialisation(publish: Publish, laptop: Laptop) -> None:
    """Each is alone, without a capability, as user 1000, and has secrets of its own."""
    seen = _at_once(publish(SHOWS), laptop, 4)
    assert len({one["made_at"] for one in seen}) == 1
    assert len({one["secret"] for one in seen}) == 4
    for one in seen:
        assert one["processes"] == [1, one["pid"]]
        assert one["uid"] == 1000
        assert not any(one["powers"])


def test_a_fork_has_a_way_out_of_its_own(publish: Publish, laptop: Laptop, there: Platform) -> None:
    """The interface comes when it has been looked at."""
    if there.health["sandbox"]["network"]["mode"] != "outbound":
        pytest.skip("slirp4netns is not installed")
    reach = publish(REACH)
    assert reach({"interfaces": 1}) == ["lo", "eth0"]
    assert reach({"host": OUTSIDE, "port": laptop.world.port}) == "hello from outside"


def test_nothing_is_joined_or_made_without_an_order(publish: Publish) -> None:
    """Neither while it initialises nor in an environment does a function get a namespace or a capability."""
    for seen in publish(PROBES)({}):
        denied = ("join", "user", "unshare", "clone", "mount", "raw", "netfilter")
        assert {name: seen[name] for name in denied} == dict.fromkeys(denied, 1)


@pytest.mark.parametrize("tampering", ["it keeps its capabilities", "a thread keeps them"])
def test_a_fork_that_is_not_what_it_should_be_is_never_used(
    publish: Publish, tampering: str
) -> None:
    """The look finds a capability here as it does with root."""
    invoke = publish(TAMPER.format(tampering=TAMPERING[tampering]))
    with pytest.raises(ClientError) as refused:
        invoke({})
    assert "did not fork" in refused.value.response["Error"]["Message"]


def test_a_template_gets_at_nobody_who_is_not_filtered(publish: Publish, laptop: Laptop) -> None:
    """Whatever of the platform's is the same user as the template, in its pid namespace, is out of its reach."""
    invoke = publish(LURKS)
    for _ in range(6):
        for lurking, found in _at_once(invoke, laptop, 6):
            assert (lurking, found) == ("yes", [])
