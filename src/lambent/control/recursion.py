"""Recursion config: whether a function that keeps invoking itself is stopped.

It holds for the function as a whole. The invocation path reads it as ``Target.recursive_loop``.
Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
"""

import sqlite3

from lambent.control.locate import latest_of, whole_function_of
from lambent.control.plane import ControlPlane
from lambent.model.call import Call, Result
from lambent.model.function_name import FunctionName
from lambent.store import recursion

DEFAULT = "Terminate"


def put_function_recursion_config(plane: ControlPlane, call: Call) -> Result:
    """``PutFunctionRecursionConfig``: ``Allow`` or ``Terminate``, from the next invocation on."""
    function = whole_function_of(call)
    mode: str = call.parameters["RecursiveLoop"]
    with plane.database.transaction() as cx:
        latest_of(cx, function)
        recursion.put_recursive_loop(cx, function, mode)
    plane.on_change(function.function_arn)
    return Result({"RecursiveLoop": mode})


def get_function_recursion_config(plane: ControlPlane, call: Call) -> Result:
    """``GetFunctionRecursionConfig``: what was set, else ``Terminate``."""
    function = whole_function_of(call)
    cx = plane.database.connection
    latest_of(cx, function)
    return Result({"RecursiveLoop": recursive_loop_mode(cx, function)})


def recursive_loop_mode(cx: sqlite3.Connection, function: FunctionName) -> str:
    """``Allow`` or ``Terminate`` for a function; its qualifier does not matter."""
    return recursion.get_recursive_loop(cx, function) or DEFAULT
