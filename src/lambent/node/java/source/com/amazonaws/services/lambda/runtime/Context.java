package com.amazonaws.services.lambda.runtime;

/** What a function can learn about the invocation it handles. */
public interface Context {
    String getAwsRequestId();

    String getLogGroupName();

    String getLogStreamName();

    String getFunctionName();

    String getFunctionVersion();

    String getInvokedFunctionArn();

    /** Null where nobody was identified. */
    CognitoIdentity getIdentity();

    /** Null where the caller sent none. */
    ClientContext getClientContext();

    int getRemainingTimeInMillis();

    int getMemoryLimitInMB();

    LambdaLogger getLogger();

    /** Null: there are no tenants here. */
    default String getTenantId() {
        return null;
    }

    /** The trace header of this invocation; null where it is not traced. */
    default String getXrayTraceId() {
        return null;
    }
}
