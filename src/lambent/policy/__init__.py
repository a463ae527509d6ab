"""Policies in AWS's language: resource policies, and IAM's, parsed and evaluated.

Pure: documents and requests in, a decision out, no I/O, standard library only.

>>> policy = parse_policy(text)
>>> evaluate([policy], Request(Principal.service("sns.amazonaws.com"), "lambda:InvokeFunction", arn)).allowed
"""

from lambent.policy.document import Effect, Policy, Statement, parse_policy
from lambent.policy.errors import PolicyError
from lambent.policy.evaluation import Decision, evaluate
from lambent.policy.principals import ANONYMOUS, Principal
from lambent.policy.requests import Request

__all__ = [
    "ANONYMOUS",
    "Decision",
    "Effect",
    "Policy",
    "PolicyError",
    "Principal",
    "Request",
    "Statement",
    "evaluate",
    "parse_policy",
]
