"""An account with something of everything the control API knows, for whoever asks about all of it.

``f`` has two versions, the aliases ``live`` (1), ``split`` (1, a quarter to 2) and ``warm`` (2, provisioned), a
policy, a URL, an event invoke config, a reservation, a code signing configuration, tags and a mapping.
``bare`` has nothing, ``pending`` is being created, ``signed`` takes signed code only. Layer
``l`` has two versions, the first a policy.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from lambent.control.event_source_states import settle
from lambent.model.event_source_mapping import MappingEvent
from lambent.store import event_source_mappings
from lambent.testing.lambda_api import LambdaApi, zip_of

ROLE: Final = "arn:aws:iam::000000000000:role/r"
FUNCTION: Final = "arn:aws:lambda:us-east-1:000000000000:function:"
LAYER: Final = "arn:aws:lambda:us-east-1:000000000000:layer:l"
QUEUE: Final = "arn:aws:sqs:us-east-1:000000000000:q"
NO_CONFIG: Final = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0"
PROFILE: Final = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/abcdefghij"
ZIP: Final = zip_of({"app.py": "def handler(event, context): return event"})
OTHER_ZIP: Final = zip_of({"app.py": "def handler(event, context): return 2"})
SHA: Final = base64.b64encode(hashlib.sha256(ZIP).digest()).decode()
OTHER_SHA: Final = base64.b64encode(hashlib.sha256(OTHER_ZIP).digest()).decode()
BARE: Final[Mapping[str, Any]] = {
    "Role": ROLE,
    "Runtime": "python3.12",
    "Handler": "app.handler",
    "Code": {"ZipFile": ZIP},
}


def populate(api: LambdaApi) -> None:
    """Makes all of it, and notes the ids nobody can foretell in ``api.ids``."""
    _layers(api)
    _functions(api)
    _signing(api)
    _settings(api)
    _mapping(api)
    for name in ("f", "bare"):
        found = api.must("GetFunctionConfiguration", {"FunctionName": name})
        api.ids[f"{name}_revision"] = found["RevisionId"]
    api.must("CreateFunction", {**BARE, "FunctionName": "pending"}, drain=False)
    api.plane.pending_work.clear()


def _layers(api: LambdaApi) -> None:
    for description in ("one", "two"):
        layer = {"LayerName": "l", "Description": description, "Content": {"ZipFile": ZIP}}
        api.must("PublishLayerVersion", layer)
    statement = {"StatementId": "s1", "Action": "lambda:GetLayerVersion", "Principal": "*"}
    added = api.must(
        "AddLayerVersionPermission", {"LayerName": "l", "VersionNumber": 1, **statement}
    )
    api.ids["layer_revision"] = added["RevisionId"]


def _functions(api: LambdaApi) -> None:
    for name in ("f", "bare", "signed"):
        api.must("CreateFunction", {**BARE, "FunctionName": name})
    function = {"FunctionName": "f"}
    api.must("PublishVersion", function)
    api.must("UpdateFunctionConfiguration", {**function, "Description": "second"})
    api.must("PublishVersion", function)
    api.must("CreateAlias", {**function, "Name": "live", "FunctionVersion": "1"})
    weights = {"AdditionalVersionWeights": {"2": 0.25}}
    split = {"Name": "split", "FunctionVersion": "1", "RoutingConfig": weights}
    api.must("CreateAlias", {**function, **split})
    alias = api.must("CreateAlias", {**function, "Name": "warm", "FunctionVersion": "2"})
    api.ids["warm_revision"] = alias["RevisionId"]
    api.must("TagResource", {"Resource": f"{FUNCTION}f", "Tags": {"team": "blue"}})


def _signing(api: LambdaApi) -> None:
    publishers = {"AllowedPublishers": {"SigningProfileVersionArns": [PROFILE]}}
    for name, function, mode in (("csc", "f", "Warn"), ("enforced", "signed", "Enforce")):
        policies = {"CodeSigningPolicies": {"UntrustedArtifactOnDeployment": mode}}
        made = api.must("CreateCodeSigningConfig", {**publishers, **policies})
        config = made["CodeSigningConfig"]
        api.ids |= {
            name: config["CodeSigningConfigArn"],
            f"{name}_id": config["CodeSigningConfigId"],
        }
        api.must(
            "PutFunctionCodeSigningConfig",
            {"FunctionName": function, "CodeSigningConfigArn": config["CodeSigningConfigArn"]},
        )
    unused = api.must("CreateCodeSigningConfig", publishers)["CodeSigningConfig"]
    api.ids["unused"] = unused["CodeSigningConfigArn"]


def _settings(api: LambdaApi) -> None:
    function = {"FunctionName": "f"}
    statement = {"StatementId": "s1", "Action": "lambda:InvokeFunction"}
    api.must("AddPermission", {**function, **statement, "Principal": "s3.amazonaws.com"})
    url = api.must("CreateFunctionUrlConfig", {**function, "AuthType": "NONE"})
    api.ids["url"] = url["FunctionUrl"]
    api.must("PutFunctionEventInvokeConfig", {**function, "MaximumRetryAttempts": 1})
    api.must("PutFunctionConcurrency", {**function, "ReservedConcurrentExecutions": 10})
    provisioned = {"Qualifier": "warm", "ProvisionedConcurrentExecutions": 3}
    api.must("PutProvisionedConcurrencyConfig", {**function, **provisioned})


def _mapping(api: LambdaApi) -> None:
    made = api.must("CreateEventSourceMapping", {"FunctionName": "f", "EventSourceArn": QUEUE})
    api.ids["mapping"] = made["UUID"]
    seen = event_source_mappings.get_mapping(api.plane.database.connection, made["UUID"])
    if seen is not None:
        settle(api.plane, made["UUID"], MappingEvent.POLLER_STARTED, seen)
