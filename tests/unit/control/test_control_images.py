"""Functions of container images: pending while they are unpacked, what serves meanwhile, what is let go."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.control import lifecycle
from lambent.control.directory import Directory
from lambent.model.errors import ClientFault
from lambent.model.image import ImageFailure
from lambent.model.invocation import EnvironmentSpec
from lambent.store.functions import code_in_use
from lambent.testing.fake_images import HOST, sha256_of
from lambent.testing.lambda_api import ACCOUNT, REGION, LambdaApi

FIRST, SECOND = sha256_of("app:v1"), sha256_of("app:v2")
URI = f"{HOST}/app:v1"
NEXT = {"FunctionName": "f", "ImageUri": f"{HOST}/app:v2"}
MAKE = {
    "FunctionName": "f",
    "Role": "arn:aws:iam::000000000000:role/r",
    "PackageType": "Image",
    "Code": {"ImageUri": URI},
}
DENIED = ImageFailure("ImageAccessDenied", "No permission.")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[LambdaApi]:
    """An empty account where images are unpacked when a test says so."""
    made = LambdaApi.on(tmp_path / "data")
    made.images.holds = True
    yield made
    made.close()


def shown(api: LambdaApi, name: str = "f") -> Any:
    """The configuration."""
    return api.must("GetFunctionConfiguration", {"FunctionName": name})


def spec(api: LambdaApi, qualifier: str | None = None) -> EnvironmentSpec:
    """What an invocation would run."""
    directory = Directory(api.plane.database, api.plane.code, images=api.images)
    return directory.resolve(ACCOUNT, REGION, "f", qualifier).primary


def test_a_function_is_pending_until_its_image_is_there(api: LambdaApi) -> None:
    """Neither invoked nor changed meanwhile; then Active, with the image's settings and its own."""
    api.must("CreateFunction", {**MAKE, "ImageConfig": {"Command": ["mine"]}})
    assert shown(api)["State"] == "Pending"
    with pytest.raises(ClientFault, match="Pending"):
        spec(api)
    assert api.call("UpdateFunctionCode", NEXT).status == 409
    api.images.finish()
    assert (shown(api)["State"], shown(api)["LastUpdateStatus"]) == ("Active", "Successful")
    image = spec(api).image
    assert image is not None
    assert (image.entry_point, image.command) == (("/entry",), ("mine",))
    assert spec(api).runtime == ""


def test_an_image_that_is_there_costs_no_wait(api: LambdaApi) -> None:
    """A second function of it is Active when the work its creation left is done."""
    api.must("CreateFunction", MAKE)
    api.images.finish()
    api.must("CreateFunction", {**MAKE, "FunctionName": "g"})
    assert shown(api, "g")["State"] == "Active"


def test_what_fails_says_why(api: LambdaApi) -> None:
    """Failed with the code of the reason, or of an architecture that is another's; updated, it is Active."""
    api.images.failures[FIRST] = DENIED
    api.must("CreateFunction", MAKE)
    api.images.finish()
    found = shown(api)
    assert (found["State"], found["StateReasonCode"]) == ("Failed", "ImageAccessDenied")
    assert found["StateReason"] == "No permission."
    api.images.architectures[SECOND] = "arm64"
    api.must("UpdateFunctionCode", NEXT)
    api.images.finish()
    found = shown(api)
    assert (found["State"], found["LastUpdateStatusReasonCode"]) == ("Failed", "InvalidImage")
    assert "arm64" in found["LastUpdateStatusReason"]
    api.must("UpdateFunctionCode", {**NEXT, "ImageUri": f"{HOST}/app:v3"})
    api.images.finish()
    assert shown(api)["State"] == "Active"


def test_the_old_image_serves_while_the_new_one_is_unpacked(api: LambdaApi) -> None:
    """The same environments go on; they are replaced when it is there, and the old image is let go."""
    api.must("CreateFunction", MAKE)
    api.images.finish()
    before = spec(api)
    assert api.must("UpdateFunctionCode", NEXT)["CodeSha256"] == SECOND
    assert spec(api) == before
    assert FIRST in code_in_use(api.plane.database.connection)
    assert FIRST not in api.images.released
    api.images.finish()
    after = spec(api)
    assert after.key != before.key
    assert after.image is not None
    assert after.image.root.name == SECOND
    assert api.images.released == {FIRST}


def test_after_an_update_that_failed_the_old_image_serves_on(api: LambdaApi) -> None:
    """Its settings can be changed, and count; a version published of it is of the new image, and waits."""
    api.must("CreateFunction", MAKE)
    api.images.finish()
    before = spec(api)
    api.images.failures[SECOND] = DENIED
    api.must("UpdateFunctionCode", NEXT)
    api.images.finish()
    assert shown(api)["LastUpdateStatusReasonCode"] == "ImageAccessDenied"
    assert spec(api) == before
    api.must(
        "UpdateFunctionConfiguration", {"FunctionName": "f", "ImageConfig": {"Command": ["x"]}}
    )
    changed = spec(api)
    assert changed.key != before.key
    assert changed.image is not None
    assert (changed.image.root.name, changed.image.command) == (FIRST, ("x",))
    api.images.finish()  # tried once more, since all of it was to be taken over
    assert shown(api)["LastUpdateStatus"] == "Failed"
    assert spec(api) == changed
    api.images.failures.clear()
    published = api.must("PublishVersion", {"FunctionName": "f"})
    assert (published["State"], published["CodeSha256"]) == ("Pending", SECOND)
    api.images.finish()
    other = spec(api, published["Version"]).image
    assert other is not None
    assert other.root.name == SECOND


def test_versions_keep_their_image(api: LambdaApi) -> None:
    """Until the last one that has it is deleted."""
    api.images.holds = False
    api.must("CreateFunction", {**MAKE, "Publish": True})
    api.must("UpdateFunctionCode", NEXT)
    assert not api.images.released
    first = spec(api, "1").image
    assert first is not None
    assert first.root.name == FIRST
    api.must("DeleteFunction", {"FunctionName": "f", "Qualifier": "1"})
    assert api.images.released == {FIRST}
    api.must("DeleteFunction", {"FunctionName": "f"})
    assert api.images.released == {FIRST, SECOND}


def test_publishing_the_same_image_is_the_same_version(api: LambdaApi) -> None:
    """What is run of it is part of that."""
    api.images.holds = False
    api.must("CreateFunction", MAKE)
    assert api.must("PublishVersion", {"FunctionName": "f"})["Version"] == "1"
    api.must("UpdateFunctionCode", {"FunctionName": "f", "ImageUri": URI})
    assert api.must("PublishVersion", {"FunctionName": "f"})["Version"] == "1"
    api.must(
        "UpdateFunctionConfiguration", {"FunctionName": "f", "ImageConfig": {"Command": ["x"]}}
    )
    assert api.must("PublishVersion", {"FunctionName": "f"})["Version"] == "2"


def test_a_function_that_went_while_its_image_came(api: LambdaApi) -> None:
    """Nothing is brought back, and nobody is told of anything."""
    api.must("CreateFunction", MAKE)
    api.must("DeleteFunction", {"FunctionName": "f"})
    api.images.finish()
    assert api.call("GetFunction", {"FunctionName": "f"}).status == 404
    api.must("CreateFunction", {**MAKE, "Code": {"ImageUri": f"{HOST}/app:v2"}})
    assert shown(api)["State"] == "Pending", "another function, of another image"


def test_a_restart_finishes_what_was_pending(api: LambdaApi, tmp_path: Path) -> None:
    """Images nobody has are removed, those in use stay, that which serves among them."""
    api.must("CreateFunction", MAKE)
    api.images.finish()
    api.must("UpdateFunctionCode", NEXT)
    again = LambdaApi.on(tmp_path / "data")
    again.images.ready = {FIRST, "0" * 64}
    again.images.holds = True
    lifecycle.recover(again.plane)
    assert again.images.ready == {FIRST}
    assert spec(again).task_dir.name == FIRST
    again.images.finish()
    assert shown(again)["LastUpdateStatus"] == "Successful"
    again.close()


def test_images_that_were_lost_are_fetched_again(api: LambdaApi, tmp_path: Path) -> None:
    """At start, without a change of any function; those of functions that failed are not."""
    api.images.holds = False
    api.must("CreateFunction", MAKE)
    api.images.failures[SECOND] = DENIED
    api.must("UpdateFunctionCode", NEXT)
    api.must(
        "CreateFunction", {**MAKE, "FunctionName": "g", "Code": {"ImageUri": NEXT["ImageUri"]}}
    )
    before = shown(api)
    again = LambdaApi.on(tmp_path / "data")
    lifecycle.recover(again.plane)
    assert again.images.ready == {FIRST}
    assert shown(again) == before
    again.close()


def test_a_dry_run_unpacks_nothing(api: LambdaApi) -> None:
    """It answers what would be."""
    api.images.holds = False
    api.must("CreateFunction", MAKE)
    answer = api.must("UpdateFunctionCode", {**NEXT, "DryRun": True})
    assert answer["CodeSha256"] == SECOND
    assert not api.images.is_ready(SECOND)
    assert shown(api)["CodeSha256"] == FIRST
