"""Runtime versions: which build of a runtime a function runs under, as an ARN."""


def runtime_version_arn(region: str, build: str) -> str:
    """``arn:aws:lambda:REGION::runtime:BUILD``; ``build`` is 64 hex digits, as in AWS's own.

    Source: the shape ``RuntimeVersionArn`` of botocore's ``lambda`` model.
    """
    return f"arn:aws:lambda:{region}::runtime:{build}"
