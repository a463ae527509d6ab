"""Options and arguments that several commands share, so that they read the same everywhere."""

from typing import Annotated

import typer

DEFAULT_ENDPOINT = "http://127.0.0.1:4566"

EndpointOption = Annotated[
    str,
    typer.Option("--endpoint", envvar="AWS_ENDPOINT_URL", help="Where Lambent listens."),
]
FunctionArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The function's name or ARN.", show_default=False),
]
