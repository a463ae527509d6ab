package lambent.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.util.List;
import java.util.Map;

/**
 * A handler that does what most do. It runs once, when the runtime is prepared: the classes that are loaded then are those the
 * shared archive will have.
 */
public class Rehearsal {
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
        Object bean = JsonMapper.read(JsonReader.read("{\"name\": \"a\", \"more\": [1, 2.5, true]}"), Rehearsal.class);
        JsonWriter.write(new Object[] {bean, List.of(1L, 2.5, "\n"), Map.of("k", 1)});
        Errors.document(new IllegalStateException("rehearsed"));
        Errors.cause(new IllegalStateException("rehearsed"));
        try {
            Class.forName("not.There", false, Thread.currentThread().getContextClassLoader());
        } catch (ClassNotFoundException expected) {
            Fault.classNotFound(expected, "not.There").report();
        }
        return event;
    }
}
