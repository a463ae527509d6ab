"""A function's name in every form AWS takes: a name, a partial or a whole ARN, with a qualifier.

Source: the shapes ``FunctionName`` and ``NamespacedFunctionName`` of botocore's ``lambda`` model.
"""

import re
from dataclasses import dataclass

from lambent.model.errors import ClientFault, invalid_parameter, not_found, not_yet

_PREFIX_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?"
)
PATTERN = _PREFIX_PATTERN + r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
"""What AWS's messages say a name looks like."""
UNQUALIFIED_PATTERN = _PREFIX_PATTERN + "([a-zA-Z0-9-_]+)"
"""What the name of a new function looks like."""
_FUNCTION_NAME = re.compile(
    r"(?:arn:(?:aws[a-zA-Z-]*)?:lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?:function:)?"
    r"(?P<name>[a-zA-Z0-9_.-]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+))?"
)


@dataclass(frozen=True, slots=True)
class FunctionName:
    """Where a function lives, what it is called, and the version or alias meant, if any."""

    account_id: str
    region: str
    name: str
    qualifier: str | None = None

    @property
    def function_arn(self) -> str:
        """The ARN without a qualifier."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.name}"

    @property
    def arn(self) -> str:
        """The ARN with the qualifier the caller used, if any: what messages and contexts show."""
        if self.qualifier is None:
            return self.function_arn
        return f"{self.function_arn}:{self.qualifier}"


def parse_function_name(
    text: str, *, account_id: str, region: str, qualifier: str | None = None
) -> FunctionName:
    """The function ``text`` means to a caller of ``account_id`` in ``region``.

    ``qualifier`` is the separate ``Qualifier`` parameter. Raises ``ValidationException`` for a text
    that is no name, ``InvalidParameterValueException`` when the two qualifiers differ,
    ``ResourceNotFoundException`` for another region, ``AccessDeniedException`` for another account.
    """
    match = _FUNCTION_NAME.fullmatch(text)
    if match is None:
        raise ClientFault(
            "ValidationException",
            f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy "
            f"constraint: Member must satisfy regular expression pattern: {PATTERN}",
        )
    if match["region"] not in {None, region}:
        raise not_found(
            f"Functions from '{match['region']}' are not reachable in this region ('{region}')"
        )
    if match["qualifier"] and qualifier and match["qualifier"] != qualifier:
        raise invalid_parameter(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    chosen = match["qualifier"] or qualifier or None
    if chosen == "$LATEST.PUBLISHED":
        raise not_yet("the qualifier $LATEST.PUBLISHED")
    name = FunctionName(match["account"] or account_id, region, match["name"], chosen)
    if name.account_id != account_id:
        raise _access_denied(account_id, name)
    return name


def account_in(text: str) -> str | None:
    """The account a function's name states; None where it states none, or is no name."""
    match = _FUNCTION_NAME.fullmatch(text)
    return match["account"] if match is not None else None


def is_version(qualifier: str) -> bool:
    """Whether a qualifier can only be a version, ``$LATEST`` or a number: no alias is numeric."""
    return qualifier == "$LATEST" or (qualifier.isascii() and qualifier.isdigit())


def _access_denied(account_id: str, name: FunctionName) -> ClientFault:
    """Best known: AWS's code and status; LocalStack's tests recorded no message at all."""
    return ClientFault(
        "AccessDeniedException",
        f"User: arn:aws:iam::{account_id}:root is not authorized to access resource: {name.arn} "
        "because no resource-based policy allows it",
        403,
    )
