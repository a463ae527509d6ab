package com.amazonaws.services.lambda.crac;

/**
 * Where resources are registered. Functions do so through {@code org.crac}, which finds this package by the property
 * {@code org.crac.Core.Compat}; AWS's client has it by the same name.
 */
public final class Core {
    private static final Context<Resource> GLOBAL = new GlobalContext();

    private Core() {}

    public static Context<Resource> getGlobalContext() {
        return GLOBAL;
    }

    /** AWS: a function cannot ask for it. */
    public static void checkpointRestore() {
        throw new UnsupportedOperationException();
    }
}
