package lambent.runtime;

import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZonedDateTime;
import java.util.Base64;
import java.util.Calendar;
import java.util.Date;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Objects to JSON, as AWS's runtime (Jackson) writes them: what is null is left out of objects, dates are numbers, bytes are
 * base64, anything that is not known is a bean.
 */
final class JsonWriter {
    private static final int MAX_DEPTH = 1000;
    private static final String HEX = "0123456789abcdef";

    private final StringBuilder out = new StringBuilder(256);
    private int depth;

    private JsonWriter() {}

    /** Throws {@link JsonException} where a getter fails, or an object contains itself. */
    static String write(Object value) {
        JsonWriter writer = new JsonWriter();
        writer.any(value);
        return writer.out.toString();
    }

    private void any(Object value) {
        if (value == null) {
            out.append("null");
        } else if (value instanceof CharSequence || value instanceof Character) {
            string(value.toString());
        } else if (value instanceof Number) {
            number((Number) value);
        } else if (value instanceof Boolean) {
            out.append(value);
        } else if (value instanceof Enum) {
            string(((Enum<?>) value).name());
        } else {
            if (++depth > MAX_DEPTH) {
                throw new JsonException("Document nesting depth exceeds " + MAX_DEPTH + ": does a "
                        + value.getClass().getName() + " contain itself?");
            }
            structure(value);
            depth--;
        }
    }

    private void structure(Object value) {
        if (value instanceof Map) {
            map((Map<?, ?>) value);
        } else if (value instanceof Iterable && !(value instanceof java.nio.file.Path)) {
            items(((Iterable<?>) value).iterator());
        } else if (value instanceof byte[]) {
            string(Base64.getEncoder().encodeToString((byte[]) value));
        } else if (value instanceof char[]) {
            string(new String((char[]) value));
        } else if (value.getClass().isArray()) {
            array(value);
        } else if (value.getClass().getName().startsWith("java.")) {
            ofPlatform(value);
        } else {
            bean(value);
        }
    }

    private void number(Number value) {
        if (value instanceof Double && (((Double) value).isNaN() || ((Double) value).isInfinite())
                || value instanceof Float && (((Float) value).isNaN() || ((Float) value).isInfinite())) {
            string(value.toString());
        } else if (value instanceof Integer || value instanceof Long || value.getClass().getName().startsWith("java.")
                || value instanceof JsonReader.Decimal) {
            out.append(value);
        } else {
            out.append(value.doubleValue());
        }
    }

    private void map(Map<?, ?> map) {
        out.append('{');
        boolean isFirst = true;
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            if (entry.getValue() != null) {
                if (entry.getKey() == null) {
                    throw new JsonException("Null key for a Map not allowed in JSON");
                }
                Object key = entry.getKey();
                isFirst = name(isFirst, key instanceof Enum ? ((Enum<?>) key).name() : key.toString());
                any(entry.getValue());
            }
        }
        out.append('}');
    }

    private boolean name(boolean isFirst, String name) {
        if (!isFirst) {
            out.append(',');
        }
        string(name);
        out.append(':');
        return false;
    }

    private void items(Iterator<?> items) {
        out.append('[');
        while (items.hasNext()) {
            any(items.next());
            if (items.hasNext()) {
                out.append(',');
            }
        }
        out.append(']');
    }

    private void array(Object array) {
        out.append('[');
        for (int i = 0; i < Array.getLength(array); i++) {
            if (i > 0) {
                out.append(',');
            }
            any(Array.get(array, i));
        }
        out.append(']');
    }

    private void bean(Object bean) {
        out.append('{');
        boolean isFirst = true;
        for (Bean.Property property : Bean.of(bean.getClass()).readable) {
            Object value = property.get(bean);
            if (value != null) {
                isFirst = name(isFirst, property.name);
                any(value);
            }
        }
        out.append('}');
    }

    /** What the Java platform brings: dates as numbers, optional values as what is in them, the rest as text. */
    private void ofPlatform(Object value) {
        if (value instanceof Date) {
            out.append(((Date) value).getTime());
        } else if (value instanceof Calendar) {
            out.append(((Calendar) value).getTimeInMillis());
        } else if (value instanceof Instant) {
            seconds(((Instant) value).getEpochSecond(), ((Instant) value).getNano());
        } else if (value instanceof OffsetDateTime) {
            any(((OffsetDateTime) value).toInstant());
        } else if (value instanceof ZonedDateTime) {
            any(((ZonedDateTime) value).toInstant());
        } else if (value instanceof Duration) {
            seconds(((Duration) value).getSeconds(), ((Duration) value).getNano());
        } else if (value instanceof LocalDate) {
            date((LocalDate) value);
            out.append(']');
        } else if (value instanceof LocalDateTime) {
            date(((LocalDateTime) value).toLocalDate());
            out.append(',');
            time(((LocalDateTime) value).toLocalTime());
        } else if (value instanceof LocalTime) {
            out.append('[');
            time((LocalTime) value);
        } else if (value instanceof Optional) {
            any(((Optional<?>) value).orElse(null));
        } else if (value instanceof OptionalInt) {
            any(((OptionalInt) value).isPresent() ? ((OptionalInt) value).getAsInt() : null);
        } else if (value instanceof OptionalLong) {
            any(((OptionalLong) value).isPresent() ? ((OptionalLong) value).getAsLong() : null);
        } else if (value instanceof OptionalDouble) {
            any(((OptionalDouble) value).isPresent() ? ((OptionalDouble) value).getAsDouble() : null);
        } else if (value instanceof ByteBuffer) {
            ByteBuffer left = ((ByteBuffer) value).duplicate();
            byte[] bytes = new byte[left.remaining()];
            left.get(bytes);
            any(bytes);
        } else if (value instanceof Class) {
            string(((Class<?>) value).getName());
        } else if (value instanceof Throwable) {
            bean(value);
        } else {
            string(value.toString());
        }
    }

    private void seconds(long seconds, int nanos) {
        String fraction = Integer.toString(1_000_000_000 + nanos).substring(1);
        out.append(seconds).append('.').append(fraction);
    }

    private void date(LocalDate date) {
        out.append('[').append(date.getYear()).append(',').append(date.getMonthValue()).append(',')
                .append(date.getDayOfMonth());
    }

    private void time(LocalTime time) {
        out.append(time.getHour()).append(',').append(time.getMinute());
        if (time.getSecond() > 0 || time.getNano() > 0) {
            out.append(',').append(time.getSecond());
            if (time.getNano() > 0) {
                out.append(',').append(time.getNano());
            }
        }
        out.append(']');
    }

    private void string(String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c >= ' ') {
                out.append(c);
            } else if (c == '\n') {
                out.append("\\n");
            } else if (c == '\r') {
                out.append("\\r");
            } else if (c == '\t') {
                out.append("\\t");
            } else {
                out.append("\\u00").append(HEX.charAt(c >> 4)).append(HEX.charAt(c & 15));
            }
        }
        out.append('"');
    }
}
