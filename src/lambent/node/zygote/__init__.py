"""The zygote: a process of the function's interpreter, warm with the runtime client, that is forked.

Loaded under any interpreter from Python 3.10 on, with nothing but the standard library beside it.
"""
