package lambent.runtime;

import com.amazonaws.services.lambda.crac.Core;
import java.io.IOException;
import java.util.Map;

/**
 * A JVM whose function is initialised, and that is then written down, to be restored in each environment of its version (ADR 39).
 *
 * <p>While that happens it holds no connection and waits in one read, of a descriptor that no function sees: what comes there,
 * after spaces, are the variables that an environment has of its own. The same errors and exit status as AWS's client.
 */
final class SnapStart {
    static final String TYPE = "snap-start";
    private static final String COMPAT = "org.crac.Core.Compat";
    private static final int HOOK_FAILED = 64;
    /** NativePRNG hands out what it once read from the kernel for up to 100 ms: older than that it is read anew. */
    private static final long STALE_MS = 150;

    private SnapStart() {}

    static void main(Map<String, String> environ) throws Exception {
        int orders = SystemCall.keepInput();
        SystemCall.lead();
        System.setProperty(COMPAT, Core.class.getPackage().getName());
        RuntimeApi api = api();
        FunctionLogger logger = new FunctionLogger();
        Main.prepare(logger);
        Handler handler = Main.load(api, logger);
        beforeCheckpoint(api, logger);
        api.close();
        System.gc();
        long writtenMs = System.currentTimeMillis();
        String said = SystemCall.readAll(orders).trim();
        if (said.isEmpty()) {
            System.exit(0);
        }
        Waiting.put(environ, said);
        SystemCall.replaceEnviron(environ);
        Thread.sleep(Math.max(0, Math.min(STALE_MS, writtenMs + STALE_MS - System.currentTimeMillis())));
        api = api();
        afterRestore(api, logger);
        Main.serve(api, logger, handler);
    }

    private static RuntimeApi api() throws IOException {
        return new RuntimeApi(System.getenv("AWS_LAMBDA_RUNTIME_API"));
    }

    private static void beforeCheckpoint(RuntimeApi api, FunctionLogger logger) throws IOException {
        try {
            Core.getGlobalContext().beforeCheckpoint(null);
        } catch (Throwable error) {
            logger.error(Fault.of(error, true).report());
            api.failed("init/error", error, "Runtime.BeforeCheckpointError");
            System.exit(HOOK_FAILED);
        }
    }

    private static void afterRestore(RuntimeApi api, FunctionLogger logger) throws IOException {
        try {
            Core.getGlobalContext().afterRestore(null);
        } catch (Throwable error) {
            logger.error(Fault.of(error, true).report());
            api.failed("restore/error", error, "Runtime.AfterRestoreError");
            System.exit(HOOK_FAILED);
        }
    }
}
