package com.amazonaws.services.lambda.runtime;

/** A handler of events that are mapped from JSON, and of answers that are mapped to it. */
public interface RequestHandler<I, O> {
    O handleRequest(I input, Context context);
}
