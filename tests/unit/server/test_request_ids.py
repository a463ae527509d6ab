"""Request ids: well-formed, never twice, and none carried over into a forked process."""

import os
import uuid

from lambent.server.request_ids import RequestIds


def test_ids_are_random_uuids_of_version_4() -> None:
    """Every id, across several refills, is a UUID in its usual spelling, and no two are the same."""
    make = RequestIds()
    ids = [make() for _ in range(2000)]
    assert len(set(ids)) == len(ids)
    for text in ids:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)


def test_all_variants_come() -> None:
    """The two free bits of the variant digit are random as well."""
    make = RequestIds()
    assert {make()[19] for _ in range(1000)} == set("89ab")


def test_a_forked_process_uses_nothing_fetched_before() -> None:
    """Parent and child give different ids though the buffer was full when they parted."""
    make = RequestIds()
    make()
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(into, make().encode())
        os._exit(0)
    os.waitpid(pid, 0)
    theirs = os.read(out, 36).decode()
    os.close(out)
    os.close(into)
    assert theirs not in {make() for _ in range(300)}
