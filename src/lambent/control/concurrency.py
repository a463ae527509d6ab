"""Reserved concurrency: a part of the account's concurrent executions that is one function's own.

It holds for the function as a whole, every version and alias together; 0 stops the function. The
invocation path hears of it by ``on_change`` and :func:`reserved_executions`. Source:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

import sqlite3

from lambent.control.locate import function_not_found, latest_of, whole_function_of
from lambent.control.plane import ControlPlane
from lambent.model import limits
from lambent.model.call import Call, Result
from lambent.model.errors import ClientFault, invalid_parameter
from lambent.model.function import LATEST
from lambent.model.function_name import FunctionName
from lambent.store import concurrency, functions, provisioned


def put_function_concurrency(plane: ControlPlane, call: Call) -> Result:
    """``PutFunctionConcurrency``: reserves executions, in place of what the function had."""
    function = whole_function_of(call)
    wanted: int = call.parameters["ReservedConcurrentExecutions"]
    with plane.database.transaction() as cx:
        if functions.get_version(cx, function, LATEST) is None:
            # AWS: this operation alone names the version. Source: recorded by LocalStack's tests.
            raise function_not_found(f"{function.function_arn}:{LATEST}")
        _check_provisioned(cx, function, wanted)
        _check_unreserved(plane, cx, function, wanted)
        concurrency.put_reservation(cx, function, wanted)
    plane.on_change(function.function_arn)
    return Result({"ReservedConcurrentExecutions": wanted})


def get_function_concurrency(plane: ControlPlane, call: Call) -> Result:
    """``GetFunctionConcurrency``: what is reserved, or nothing at all."""
    function = whole_function_of(call)
    cx = plane.database.connection
    latest_of(cx, function)
    reserved = concurrency.get_reservation(cx, function)
    return Result({} if reserved is None else {"ReservedConcurrentExecutions": reserved})


def delete_function_concurrency(plane: ControlPlane, call: Call) -> Result:
    """``DeleteFunctionConcurrency``: back to what all functions share; none is no error."""
    function = whole_function_of(call)
    with plane.database.transaction() as cx:
        latest_of(cx, function)
        concurrency.remove_reservation(cx, function)
    plane.on_change(function.function_arn)
    return Result(status=204)


def reserved_executions(cx: sqlite3.Connection, function_arn: str) -> int | None:
    """What is reserved for a function, by its unqualified ARN; None for one that is not there."""
    *_, region, account_id, _, name = function_arn.split(":")
    return concurrency.get_reservation(cx, FunctionName(account_id, region, name))


def _provisioned(cx: sqlite3.Connection, function: FunctionName) -> int:
    return sum(config.executions for config in provisioned.list_provisioned(cx, function))


def _check_provisioned(cx: sqlite3.Connection, function: FunctionName, wanted: int) -> None:
    """Raises when a reservation would be smaller than what is provisioned. Best known text."""
    present = _provisioned(cx, function)
    if wanted < present:
        raise invalid_parameter(
            f"ReservedConcurrentExecutions {wanted} should not be lower than function's total "
            f"provisioned concurrency [{present}]."
        )


def _check_unreserved(
    plane: ControlPlane, cx: sqlite3.Connection, function: FunctionName, wanted: int
) -> None:
    """Raises ``InvalidParameterValueException`` when too little would be left for the others."""
    reserved = concurrency.get_reservation(cx, function)
    present = _provisioned(cx, function) if reserved is None else reserved
    if wanted <= present:
        return  # nothing is taken from anyone, so that 0 stops a function whatever the account's limit
    place = (function.account_id, function.region)
    total = concurrency.total_reserved(cx, *place)
    total += provisioned.total_provisioned_unreserved(cx, *place)
    # AWS: accounts with a limit below 100 keep all of it; they are told so with their own number.
    least = min(limits.UNRESERVED_CONCURRENCY.value, plane.max_concurrency)
    if plane.max_concurrency - total + present - wanted < least:
        # AWS: this one error has no Type. Source: recorded by LocalStack's tests.
        raise ClientFault(
            "InvalidParameterValueException",
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{least}].",
        )
