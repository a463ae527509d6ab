package com.amazonaws.services.lambda.runtime;

/** The logger, for code that is given no {@link Context}. */
public final class LambdaRuntime {
    // The runtime puts its own here. Log libraries ask for it in static initialisers.
    private static volatile LambdaLogger logger = new LambdaLogger() {
        @Override
        public void log(String message) {
            System.out.print(message);
        }

        @Override
        public void log(byte[] message) {
            System.out.write(message, 0, message.length);
        }
    };

    private LambdaRuntime() {}

    public static LambdaLogger getLogger() {
        return logger;
    }
}
