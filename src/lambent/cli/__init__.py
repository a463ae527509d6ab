"""The command line: one file per command, and the only part of Lambent that speaks to people.

1. An expected failure is a :class:`lambent.cli.failures.CliError`: a sentence and a remedy,
   never a traceback.
2. Results go to standard output, everything said about them to standard error.
3. What is heavy (boto3, the platform) is imported inside the command that needs it.
"""
