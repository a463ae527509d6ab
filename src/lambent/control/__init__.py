"""The control plane: functions, versions, aliases, policies, tags, layers and the account.

Each operation is ``name(plane, call) -> Result`` in the file of its resource;
``registry.OPERATIONS`` finds it by AWS's name. All run on one thread, so none needs a lock.
``directory`` alone serves another thread: it resolves names for the invocation path.
"""
