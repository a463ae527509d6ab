"""AWS's wire protocols without I/O: bytes → ``Call``, ``Result | AwsError`` → bytes.

The flow: ``router.identify`` says which operation a request asks for, ``codec.decode`` reads and
validates its parameters, ``codec.encode_result`` and ``codec.encode_error`` write the answer in the
caller's protocol. One file per protocol (``aws_json``, ``rest_json``, ``query``, ``rest_xml``,
``rpc_v2_cbor``). The shapes are botocore's own service models, read when a service is first named;
nothing is generated.
"""
