package com.amazonaws.services.lambda.crac;

/** What resources failed with is in what it suppressed. */
public class CheckpointException extends Exception {
    private static final long serialVersionUID = 1;
}
