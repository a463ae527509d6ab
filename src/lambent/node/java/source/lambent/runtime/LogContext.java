package lambent.runtime;

import com.amazonaws.services.lambda.runtime.LambdaRuntimeInternal;

/** The request id in the context of log4j, where AWS's appender for it has asked for that. */
final class LogContext {
    private LogContext() {}

    static void begin(String requestId) {
        if (LambdaRuntimeInternal.getUseLog4jAppender()) {
            put("org.apache.log4j.MDC", Object.class, requestId);
            put("org.apache.logging.log4j.ThreadContext", String.class, requestId);
        }
    }

    private static void put(String name, Class<?> valueType, String requestId) {
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        try {
            Class<?> context = Class.forName(name, true, loader);
            context.getMethod("put", String.class, valueType).invoke(null, "AWSRequestId", requestId);
        } catch (ReflectiveOperationException | LinkageError absent) {
            return; // it has the other one, or none that works: its log goes on without
        }
    }
}
