"""Why a policy document is refused."""


class PolicyError(Exception):
    """A document that is no policy; ``reason`` is IAM's own wording where it is known.

    The consumer chooses the code: ``MalformedPolicyDocument`` (IAM), ``InvalidParameterValue`` (SQS),
    ``InvalidParameter`` (SNS), ``InvalidParameterValueException`` (Lambda).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
