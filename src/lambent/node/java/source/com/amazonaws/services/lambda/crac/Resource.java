package com.amazonaws.services.lambda.crac;

/** Who is told before the snapshot of its JVM is made, and after it was restored. */
public interface Resource {
    void beforeCheckpoint(Context<? extends Resource> context) throws Exception;

    void afterRestore(Context<? extends Resource> context) throws Exception;
}
