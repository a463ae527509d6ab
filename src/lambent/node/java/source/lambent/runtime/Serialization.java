package lambent.runtime;

import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import java.io.ByteArrayInputStream;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.ServiceLoader;

/** From bytes to objects and back: by the function's own library where it brings one, else by this runtime's. */
final class Serialization {
    private static ClassLoader function = Serialization.class.getClassLoader();
    private static boolean hasLooked;
    private static CustomPojoSerializer own;

    private Serialization() {}

    /** Whose library it is to be; what was found before, when nobody's function was there yet, is forgotten. */
    static void use(ClassLoader loader) {
        function = loader;
        hasLooked = false;
        own = null;
    }

    static Object read(byte[] event, Type type) {
        CustomPojoSerializer custom = find();
        if (custom != null) {
            return custom.<Object>fromJson(new ByteArrayInputStream(event), type);
        }
        return JsonMapper.read(JsonReader.read(new String(event, StandardCharsets.UTF_8)), type);
    }

    static void write(Object value, Type type, Bytes answer) {
        CustomPojoSerializer custom = find();
        if (custom != null) {
            custom.toJson(value, answer, type);
            return;
        }
        byte[] text = Main.utf8(JsonWriter.write(value));
        answer.write(text, 0, text.length);
    }

    private static CustomPojoSerializer find() {
        if (!hasLooked) {
            String service = "META-INF/services/" + CustomPojoSerializer.class.getName();
            if (function.getResource(service) != null) {
                Iterator<CustomPojoSerializer> found = ServiceLoader.load(CustomPojoSerializer.class, function).iterator();
                own = found.next();
                if (found.hasNext()) {
                    throw new IllegalStateException("Too many serializers provided inside the META-INF/services folder,"
                            + " only one is allowed");
                }
            }
            hasLooked = true;
        }
        return own;
    }
}
