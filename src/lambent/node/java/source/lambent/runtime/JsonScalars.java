package lambent.runtime;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** {@link JsonMapper}'s part for single values: texts, numbers, flags, constants, dates. */
final class JsonScalars {
    private JsonScalars() {}

    static Object map(Object node, Class<?> raw, Type type, String path) {
        if (raw == String.class || raw == CharSequence.class) {
            if (node instanceof List) {
                throw JsonMapper.failed(type, node, path, "");
            }
            return node.toString();
        }
        if (raw.isEnum()) {
            return constant(node, raw);
        }
        try {
            Object found = basic(node, raw);
            if (found == null && node instanceof String) {
                found = ((String) node).isEmpty() ? null : fromText((String) node, raw, type, path);
                if (found == null && !((String) node).isEmpty()) {
                    throw JsonMapper.failed(type, node, path, "it has no constructor or factory for a text");
                }
                return found;
            }
            if (found != null) {
                return found;
            }
        } catch (ArithmeticException | NumberFormatException error) {
            throw JsonMapper.failed(type, node, path, Fault.message(error));
        }
        throw JsonMapper.failed(type, node, path, "");
    }

    private static Object constant(Object node, Class<?> raw) {
        for (Object constant : raw.getEnumConstants()) {
            Enum<?> known = (Enum<?>) constant;
            if (known.name().equals(node) || node instanceof Integer && known.ordinal() == (Integer) node) {
                return known;
            }
        }
        return null;
    }

    /** Numbers, booleans and dates; null for any other type. */
    private static Object basic(Object node, Class<?> raw) {
        if (raw == boolean.class || raw == Boolean.class) {
            return node instanceof Boolean ? node : flag(node);
        }
        if (raw == char.class || raw == Character.class) {
            return node instanceof String && ((String) node).length() == 1 ? ((String) node).charAt(0) : null;
        }
        if (node instanceof Boolean) {
            return null;
        }
        if (Number.class.isAssignableFrom(raw) || raw.isPrimitive()) {
            return number(node, raw);
        }
        if (raw == OptionalInt.class) {
            return OptionalInt.of(new BigDecimal(node.toString()).intValue());
        }
        if (raw == OptionalLong.class) {
            return OptionalLong.of(new BigDecimal(node.toString()).longValue());
        }
        if (raw == OptionalDouble.class) {
            return OptionalDouble.of(Double.parseDouble(node.toString()));
        }
        if (node instanceof Number && raw == Date.class) {
            return new Date(new BigDecimal(node.toString()).longValue());
        }
        if (node instanceof Number && raw == Instant.class) {
            BigDecimal seconds = new BigDecimal(node.toString());
            long whole = seconds.longValue();
            return Instant.ofEpochSecond(whole, seconds.subtract(BigDecimal.valueOf(whole)).movePointRight(9).longValue());
        }
        return null;
    }

    private static Object flag(Object node) {
        if (node instanceof Number) {
            return ((Number) node).doubleValue() != 0;
        }
        return "true".equals(node) ? Boolean.TRUE : "false".equals(node) ? Boolean.FALSE : null;
    }

    private static Object number(Object node, Class<?> raw) {
        String text = node.toString().trim();
        if (text.isEmpty()) {
            return JsonMapper.nothing(raw);
        }
        if (raw == Number.class) {
            return node instanceof JsonReader.Decimal ? ((JsonReader.Decimal) node).doubleValue() : node;
        }
        if (raw == double.class || raw == Double.class) {
            return Double.valueOf(text);
        }
        if (raw == float.class || raw == Float.class) {
            return Float.valueOf(text);
        }
        BigDecimal value = new BigDecimal(text);
        if (raw == BigDecimal.class) {
            return value;
        }
        // Jackson cuts what follows the point, and refuses what is too large.
        BigInteger whole = value.toBigInteger();
        if (raw == BigInteger.class) {
            return whole;
        }
        if (raw == int.class || raw == Integer.class) {
            return whole.intValueExact();
        }
        if (raw == long.class || raw == Long.class) {
            return whole.longValueExact();
        }
        if (raw == short.class || raw == Short.class) {
            return whole.shortValueExact();
        }
        return raw == byte.class || raw == Byte.class ? (Object) whole.byteValueExact() : null;
    }

    /** Dates, identifiers, addresses: whatever has a public factory or constructor that takes a text. */
    private static Object fromText(String text, Class<?> raw, Type type, String path) {
        if (raw == ByteBuffer.class) {
            return ByteBuffer.wrap(JsonMapper.base64(text, type, path));
        }
        if (raw == Date.class) {
            return Date.from(java.time.OffsetDateTime.parse(text).toInstant());
        }
        try {
            for (String name : new String[] {"parse", "fromString", "of", "valueOf", "create"}) {
                for (Class<?> parameter : new Class<?>[] {CharSequence.class, String.class}) {
                    Method factory = factory(raw, name, parameter);
                    if (factory != null) {
                        return factory.invoke(null, text);
                    }
                }
            }
            return raw.getConstructor(String.class).newInstance(text);
        } catch (InvocationTargetException error) {
            throw JsonMapper.failed(type, text, path, Fault.message(error.getCause()));
        } catch (ReflectiveOperationException error) {
            return null;
        }
    }

    private static Method factory(Class<?> raw, String name, Class<?> parameter) {
        try {
            Method method = raw.getMethod(name, parameter);
            return Modifier.isStatic(method.getModifiers()) && raw.isAssignableFrom(method.getReturnType()) ? method : null;
        } catch (NoSuchMethodException error) {
            return null;
        }
    }
}
