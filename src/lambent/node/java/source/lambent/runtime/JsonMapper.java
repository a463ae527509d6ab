package lambent.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * From what {@link JsonReader} read to the type a handler takes.
 *
 * <p>As AWS configures Jackson: properties that are not known are ignored, null is 0 for a primitive type, one value may stand
 * for a list of one and the other way round, an enum constant that is not known is null. What cannot be mapped is told with its
 * type and its place.
 */
final class JsonMapper {
    /** AWS: names in these classes are not those of the events, so it maps them by rules of its own. */
    private static final String EVENTS = "com.amazonaws.services.lambda.runtime.events.";

    private JsonMapper() {}

    static Object read(Object node, Type type) {
        return map(node, type, "$");
    }

    private static Object map(Object node, Type type, String path) {
        Class<?> raw = Types.raw(type);
        if (raw == null) {
            throw failed(type, node, path, "the type is not known");
        }
        if (node == null) {
            return nothing(raw);
        }
        if (raw == Object.class) {
            return plain(node);
        }
        if (Optional.class == raw) {
            return Optional.ofNullable(map(node, Types.argument(type, Optional.class, 0), path));
        }
        if (raw.isArray()) {
            return array(node, type, raw, path);
        }
        if (Collection.class.isAssignableFrom(raw) || raw == Iterable.class) {
            return collection(node, type, raw, path);
        }
        if (node instanceof List && ((List<?>) node).size() == 1) {
            return map(((List<?>) node).get(0), type, path);
        }
        if (Map.class.isAssignableFrom(raw)) {
            return object(node, type, raw, path);
        }
        if (node instanceof Map) {
            return bean((Map<?, ?>) node, type, raw, path);
        }
        return JsonScalars.map(node, raw, type, path);
    }

    static Object nothing(Class<?> raw) {
        if (raw.isPrimitive()) {
            return Array.get(Array.newInstance(raw, 1), 0);
        }
        if (raw == Optional.class) {
            return Optional.empty();
        }
        if (raw == OptionalInt.class) {
            return OptionalInt.empty();
        }
        if (raw == OptionalLong.class) {
            return OptionalLong.empty();
        }
        return raw == OptionalDouble.class ? OptionalDouble.empty() : null;
    }

    /** Without a type: maps, lists and numbers as they are. */
    private static Object plain(Object node) {
        if (node instanceof JsonReader.Decimal) {
            return ((JsonReader.Decimal) node).doubleValue();
        }
        if (node instanceof Map) {
            for (Map.Entry<String, Object> entry : JsonMapper.<Map<String, Object>>cast(node).entrySet()) {
                entry.setValue(plain(entry.getValue()));
            }
        } else if (node instanceof List) {
            List<Object> list = cast(node);
            for (int i = 0; i < list.size(); i++) {
                list.set(i, plain(list.get(i)));
            }
        }
        return node;
    }

    @SuppressWarnings("unchecked")
    private static <T> T cast(Object value) {
        return (T) value;
    }

    private static Object array(Object node, Type type, Class<?> raw, String path) {
        if (node instanceof String && raw == byte[].class) {
            return base64((String) node, type, path);
        }
        if (node instanceof String && raw == char[].class) {
            return ((String) node).toCharArray();
        }
        Type item = type instanceof GenericArrayType
                ? ((GenericArrayType) type).getGenericComponentType()
                : raw.getComponentType();
        List<?> items = items(node, type, path);
        if (items == null) {
            return null;
        }
        Object array = Array.newInstance(raw.getComponentType(), items.size());
        for (int i = 0; i < items.size(); i++) {
            Array.set(array, i, map(items.get(i), item, path + "[" + i + "]"));
        }
        return array;
    }

    static byte[] base64(String text, Type type, String path) {
        try {
            return Base64.getMimeDecoder().decode(text);
        } catch (IllegalArgumentException error) {
            throw failed(type, text, path, "it is not base64");
        }
    }

    /** AWS: one value may stand for a list of one, an empty text for no list at all. */
    private static List<?> items(Object node, Type type, String path) {
        if (node instanceof List) {
            return (List<?>) node;
        }
        return "".equals(node) ? null : Collections.singletonList(node);
    }

    private static Object collection(Object node, Type type, Class<?> raw, String path) {
        List<?> items = items(node, type, path);
        if (items == null) {
            return null;
        }
        Collection<Object> into = newCollection(raw, type, node, path);
        Type item = Types.argument(type, raw == Iterable.class ? Iterable.class : Collection.class, 0);
        for (int i = 0; i < items.size(); i++) {
            into.add(map(items.get(i), item, path + "[" + i + "]"));
        }
        return into;
    }

    private static Collection<Object> newCollection(Class<?> raw, Type type, Object node, String path) {
        if (raw.isAssignableFrom(ArrayList.class)) {
            return new ArrayList<>();
        }
        if (raw.isAssignableFrom(LinkedHashSet.class)) {
            return new LinkedHashSet<>();
        }
        if (raw.isAssignableFrom(TreeSet.class)) {
            return new TreeSet<>();
        }
        if (raw.isAssignableFrom(ArrayDeque.class)) {
            return new ArrayDeque<>();
        }
        return cast(newInstance(raw, type, node, path));
    }

    private static Object object(Object node, Type type, Class<?> raw, String path) {
        if (!(node instanceof Map)) {
            if ("".equals(node) || node instanceof List && ((List<?>) node).isEmpty()) {
                return null;
            }
            throw failed(type, node, path, "");
        }
        Map<Object, Object> into;
        if (raw.isAssignableFrom(LinkedHashMap.class)) {
            into = new LinkedHashMap<>();
        } else if (raw.isAssignableFrom(TreeMap.class)) {
            into = new TreeMap<>();
        } else if (raw.isAssignableFrom(java.util.concurrent.ConcurrentHashMap.class)) {
            into = new java.util.concurrent.ConcurrentHashMap<>();
        } else {
            into = cast(newInstance(raw, type, node, path));
        }
        Type key = Types.argument(type, Map.class, 0);
        Type value = Types.argument(type, Map.class, 1);
        for (Map.Entry<?, ?> entry : ((Map<?, ?>) node).entrySet()) {
            String place = path + "." + entry.getKey();
            into.put(map(entry.getKey(), key, place), map(entry.getValue(), value, place));
        }
        return into;
    }

    private static Object bean(Map<?, ?> node, Type type, Class<?> raw, String path) {
        if (raw == String.class || raw.isPrimitive() || raw.isEnum() || raw.getName().startsWith("java.")) {
            throw failed(type, node, path, "");
        }
        Bean bean = Bean.of(raw);
        Map<TypeVariable<?>, Type> variables = Types.variablesOf(type);
        if (bean.isRecord) {
            return ofRecord(bean, node, variables, path);
        }
        Object made = newInstance(raw, type, node, path);
        Map<String, Bean.Property> lenient = raw.getName().startsWith(EVENTS) ? lenient(bean) : null;
        for (Map.Entry<?, ?> entry : node.entrySet()) {
            Bean.Property property = bean.writable.get(entry.getKey());
            if (property == null && lenient != null) {
                property = lenient.get(entry.getKey());
            }
            if (property != null) {
                Type wanted = Types.resolve(property.type, variables);
                property.set(made, map(entry.getValue(), wanted, path + "." + entry.getKey()));
            }
        }
        return made;
    }

    private static Map<String, Bean.Property> lenient(Bean bean) {
        Map<String, Bean.Property> lenient = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        lenient.putAll(bean.writable);
        return lenient;
    }

    private static Object ofRecord(Bean bean, Map<?, ?> node, Map<TypeVariable<?>, Type> variables, String path) {
        Object[] components = new Object[bean.readable.size()];
        for (int i = 0; i < components.length; i++) {
            Bean.Property property = bean.readable.get(i);
            Type wanted = Types.resolve(property.type, variables);
            components[i] = map(node.get(property.name), wanted, path + "." + property.name);
        }
        return construct(bean.constructor, path, components);
    }

    private static Object newInstance(Class<?> raw, Type type, Object node, String path) {
        if (raw.isInterface() || Modifier.isAbstract(raw.getModifiers())) {
            throw failed(type, node, path, "abstract types can not be instantiated");
        }
        Constructor<?> constructor = Bean.of(raw).constructor;
        if (constructor == null) {
            throw failed(type, node, path, "it has no constructor without parameters");
        }
        return construct(constructor, path);
    }

    private static Object construct(Constructor<?> constructor, String path, Object... arguments) {
        Throwable cause;
        try {
            return constructor.newInstance(arguments);
        } catch (InvocationTargetException error) {
            cause = error.getCause();
        } catch (ReflectiveOperationException error) {
            cause = error;
        }
        String name = constructor.getDeclaringClass().getName();
        throw new JsonException("Cannot construct instance of `" + name + "` at " + path + ": " + Fault.message(cause), cause);
    }

    /** The words are near Jackson's. */
    static JsonException failed(Type type, Object node, String path, String reason) {
        String form = node instanceof Map ? "Object value"
                : node instanceof List ? "Array value"
                : node instanceof String ? "String value"
                : node instanceof Boolean ? "Boolean value"
                : "Number value";
        return new JsonException("Cannot deserialize value of type `" + type.getTypeName() + "` from " + form + " at " + path
                + (reason.isEmpty() ? "" : ": " + reason));
    }
}
