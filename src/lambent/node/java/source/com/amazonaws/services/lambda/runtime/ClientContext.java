package com.amazonaws.services.lambda.runtime;

import java.util.Map;

/** What a caller sent as {@code ClientContext}. */
public interface ClientContext {
    Client getClient();

    Map<String, String> getCustom();

    Map<String, String> getEnvironment();
}
