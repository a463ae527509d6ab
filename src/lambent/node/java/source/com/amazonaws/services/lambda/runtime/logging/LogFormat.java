package com.amazonaws.services.lambda.runtime.logging;

/** How log events are written. */
public enum LogFormat {
    JSON,
    TEXT;

    public static LogFormat fromString(String logFormat) {
        try {
            return valueOf(logFormat.toUpperCase());
        } catch (RuntimeException e) {
            throw new IllegalArgumentException("Invalid log format: '" + logFormat + "' expected one of [TEXT, JSON]");
        }
    }
}
