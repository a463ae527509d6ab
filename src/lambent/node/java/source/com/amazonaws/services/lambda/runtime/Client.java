package com.amazonaws.services.lambda.runtime;

/** The application that invoked, as AWS's Mobile SDK describes it. */
public interface Client {
    String getAppTitle();

    String getAppVersionName();

    String getAppVersionCode();

    String getAppPackageName();
}
