package lambent.runtime;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.LambdaRuntime;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOError;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.security.Security;

/**
 * The Java runtime: loads the handler, then takes one event after the other from the Runtime API.
 *
 * <p>What it reports, logs and ends with follows AWS's own client (aws-lambda-java-runtime-interface-client). On its way to
 * the first event it uses no lambda expressions, streams or formats: each would cost a cold start milliseconds.
 */
public final class Main {
    private static final String NEGATIVE_TTL_S = "AWS_LAMBDA_JAVA_NETWORKADDRESS_CACHE_NEGATIVE_TTL";

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        RuntimeApi api = new RuntimeApi(System.getenv("AWS_LAMBDA_RUNTIME_API"));
        run(api);
    }

    /** Never returns: the process ends when there can be no further event. */
    static void run(RuntimeApi api) throws Exception {
        FunctionLogger logger = new FunctionLogger();
        prepare(logger);
        serve(api, logger, load(api, logger));
    }

    /** Never returns either. */
    static void serve(RuntimeApi api, FunctionLogger logger, Handler handler) throws IOException {
        boolean goesOn = true;
        while (goesOn) {
            goesOn = serveOne(api, logger, handler);
        }
        System.exit(0);
    }

    static void prepare(FunctionLogger logger) throws Exception {
        System.setOut(lines(FileDescriptor.out));
        System.setErr(lines(FileDescriptor.err));
        Field field = LambdaRuntime.class.getDeclaredField("logger");
        field.setAccessible(true);
        field.set(null, (LambdaLogger) logger);
        String negativeTtl = System.getenv(NEGATIVE_TTL_S);
        if (negativeTtl != null) {
            Security.setProperty("networkaddress.cache.negative.ttl", negativeTtl);
        }
    }

    /** One write a call, so that a line is whole in the log however many threads print. */
    private static PrintStream lines(FileDescriptor descriptor) throws IOException {
        return new PrintStream(new FileOutputStream(descriptor), false, "UTF-8");
    }

    static Handler load(RuntimeApi api, FunctionLogger logger) throws IOException {
        String name = System.getenv("_HANDLER");
        FunctionClassLoader loader = new FunctionClassLoader(System.getenv("LAMBDA_TASK_ROOT"));
        Thread.currentThread().setContextClassLoader(loader);
        Serialization.use(loader);
        try {
            return HandlerLoader.load(name == null ? "" : name, loader);
        } catch (Fault fault) {
            logger.error(fault.report());
            api.initError(fault);
            System.exit(1);
            throw fault;
        }
    }

    private static boolean serveOne(RuntimeApi api, FunctionLogger logger, Handler handler) throws IOException {
        RuntimeApi.Event event = api.next();
        if (event.traceId != null) {
            System.setProperty("com.amazonaws.xray.traceHeader", event.traceId);
        } else {
            System.clearProperty("com.amazonaws.xray.traceHeader");
        }
        InvocationContext context = null;
        try {
            context = new InvocationContext(event);
            logger.begin(context.getAwsRequestId());
            LogContext.begin(context.getAwsRequestId());
            Bytes answer = new Bytes();
            handler.handle(event.body, answer, context);
            api.respond(event.requestId, answer);
            Thread.interrupted(); // a function may have left it set
            return true;
        } catch (Fault fault) {
            logger.error(fault.report());
            api.invocationError(event.requestId, fault);
            return !fault.isFatal;
        } catch (Throwable error) {
            Fault.cutTraces(error);
            logger.error(Fault.of(error, false).report());
            api.invocationError(event.requestId, error);
            return !(error instanceof VirtualMachineError || error instanceof IOError);
        }
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
