"""HTTP → event → HTTP: requests that reach functions without AWS's API, and their answers."""
