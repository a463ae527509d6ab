package lambent.runtime;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * A JVM that has loaded the runtime, and waits on standard input to hear whose it is (ADR 27).
 *
 * <p>It is started as {@code java -jar}: the jar's manifest opens the classes whose insides it changes.
 */
public final class Waiting {
    private static final int REHEARSALS = 50;

    private Waiting() {}

    public static void main(String[] arguments) throws Throwable {
        String runtimeDirectory = System.getenv("LAMBDA_RUNTIME_DIR");
        SystemCall.load(runtimeDirectory);
        Map<String, String> environ = environ();
        if (SnapStart.TYPE.equals(environ.get("AWS_LAMBDA_INITIALIZATION_TYPE"))) {
            SnapStart.main(environ);
            return;
        }
        RuntimeApi api = new RuntimeApi(System.getenv("AWS_LAMBDA_RUNTIME_API"));
        for (int i = 0; i < REHEARSALS; i++) {
            Rehearsal.invoke(runtimeDirectory);
        }
        SystemCall.changeDirectory(".");
        FileInputStream in = new FileInputStream(FileDescriptor.in);
        String said = read(in).trim();
        if (said.isEmpty()) {
            System.exit(0);
        }
        environ.clear();
        put(environ, said);
        SystemCall.replaceEnviron(environ);
        SystemCall.closeInput();
        SystemCall.changeDirectory(System.getenv("LAMBDA_TASK_ROOT"));
        Main.run(api);
    }

    /** Takes over the variables of a message. */
    static void put(Map<String, String> environ, String said) {
        Map<?, ?> message = (Map<?, ?>) JsonReader.read(said);
        for (Map.Entry<?, ?> variable : ((Map<?, ?>) message.get("environ")).entrySet()) {
            environ.put((String) variable.getKey(), (String) variable.getValue());
        }
    }

    private static String read(FileInputStream in) throws IOException {
        Bytes all = new Bytes();
        byte[] part = new byte[8192];
        for (int count = in.read(part); count >= 0; count = in.read(part)) {
            all.write(part, 0, count);
        }
        return new String(all.array(), 0, all.size(), StandardCharsets.UTF_8);
    }

    /** The map behind {@link System#getenv}, which can be written to. */
    @SuppressWarnings("unchecked")
    private static Map<String, String> environ() throws ReflectiveOperationException {
        Object unmodifiable = field(Class.forName("java.lang.ProcessEnvironment"), "theUnmodifiableEnvironment", null);
        return (Map<String, String>) field(unmodifiable.getClass(), "m", unmodifiable);
    }

    private static Object field(Class<?> type, String name, Object of) throws ReflectiveOperationException {
        Field field = type.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(of);
    }
}
