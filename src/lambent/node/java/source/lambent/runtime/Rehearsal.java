package lambent.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.ByteArrayInputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.List;
import java.util.Map;

/**
 * A handler that does what most do. It runs when the runtime is prepared: the classes that are loaded then are those the shared
 * archive will have. A JVM that waits does part of it again, so that what is compiled is compiled by then.
 */
public class Rehearsal {
    private static final String ANSWERS = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n"
            + "Lambda-Runtime-Aws-Request-Id: 0\r\nLambda-Runtime-Deadline-Ms: 0\r\nLambda-Runtime-Trace-Id: 0\r\n\r\n"
            + "{\"a\": [1.5]}" + "HTTP/1.1 202 OK\r\n\r\nHTTP/1.1 202 OK\r\n\r\n";

    private String name;

    public String getName() {
        return name;
    }

    public void setName(String name) {
        this.name = name;
    }

    public static Map<String, Object> handle(Map<String, Object> event, Context context) {
        System.out.println(event + " " + System.getenv("_HANDLER"));
        context.getLogger().log("rehearsed\n");
        context.getLogger().log("rehearsed", LogLevel.INFO);
        context.getRemainingTimeInMillis();
        rehearse();
        return event;
    }

    /** A whole invocation, without a trace outside of this process: nothing is sent, nothing of a function is there. */
    static void invoke(String runtimeDirectory) throws Throwable {
        String jar = runtimeDirectory + "/lib/lambent-runtime.jar";
        URL[] places = {new URL("file", null, -1, runtimeDirectory + "/"), new URL("file", null, -1, jar)};
        try (URLClassLoader loader = new URLClassLoader(places, ClassLoader.getPlatformClassLoader())) {
            Class.forName("lambent.runtime.JsonException", true, loader);
        }
        Bytes written = new Bytes();
        RuntimeApi api = new RuntimeApi("127.0.0.1:0", new ByteArrayInputStream(Main.utf8(ANSWERS)), written);
        Handler handler = HandlerLoader.load(Rehearsal.class.getName() + "$Echo", Rehearsal.class.getClassLoader());
        Bytes answer = new Bytes();
        RuntimeApi.Event event = api.next();
        handler.handle(event.body, answer, new InvocationContext(event));
        api.respond(event.requestId, answer);
        api.invocationError(event.requestId, new IllegalStateException("rehearsed"));
        rehearse();
    }

    /** Its handler. */
    public static final class Echo implements RequestHandler<Map<String, Object>, Object> {
        @Override
        public Object handleRequest(Map<String, Object> event, Context context) {
            return context.getRemainingTimeInMillis() >= 0 ? event : null;
        }
    }

    static void rehearse() {
        Object bean = JsonMapper.read(JsonReader.read("{\"name\": \"a\", \"more\": [1, 2.5, true]}"), Rehearsal.class);
        JsonWriter.write(new Object[] {bean, List.of(1L, 2.5, "\n"), Map.of("k", 1)});
        Errors.document(new IllegalStateException("rehearsed"));
        Errors.cause(new IllegalStateException("rehearsed"));
        try {
            Class.forName("not.There", false, Thread.currentThread().getContextClassLoader());
        } catch (ClassNotFoundException expected) {
            Fault.classNotFound(expected, "not.There").report();
        }
    }
}
