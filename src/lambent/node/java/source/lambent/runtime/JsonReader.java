package lambent.runtime;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON (RFC 8259) to maps, lists, strings, numbers, booleans and null.
 *
 * <p>Whole numbers are Integer, Long or BigInteger; others stay {@link Decimal}s until it is known what they are wanted as.
 */
final class JsonReader {
    private static final int MAX_DEPTH = 1000;

    /** A number with a fraction or an exponent, as it was written. */
    static final class Decimal extends Number {
        private static final long serialVersionUID = 1;
        final String text;

        Decimal(String text) {
            this.text = text;
        }

        @Override
        public int intValue() {
            return (int) doubleValue();
        }

        @Override
        public long longValue() {
            return (long) doubleValue();
        }

        @Override
        public float floatValue() {
            return Float.parseFloat(text);
        }

        @Override
        public double doubleValue() {
            return Double.parseDouble(text);
        }

        @Override
        public String toString() {
            return text;
        }
    }

    private final String text;
    private int at;
    private int depth;

    private JsonReader(String text) {
        this.text = text;
    }

    /** Throws {@link JsonException} for what is no JSON, with the place. */
    static Object read(String text) {
        JsonReader reader = new JsonReader(text);
        Object value = reader.value();
        reader.skipSpace();
        if (reader.at < text.length()) {
            throw reader.unexpected("after the end of the document");
        }
        return value;
    }

    private Object value() {
        skipSpace();
        if (at >= text.length()) {
            throw unexpected("where a value was expected");
        }
        switch (text.charAt(at)) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object() {
        enter();
        Map<String, Object> object = new LinkedHashMap<>();
        skipSpace();
        if (peek() == '}') {
            at++;
            depth--;
            return object;
        }
        while (true) {
            skipSpace();
            if (peek() != '"') {
                throw unexpected("where a name was expected");
            }
            String name = string();
            skipSpace();
            expect(':');
            object.put(name, value());
            skipSpace();
            if (peek() == '}') {
                at++;
                depth--;
                return object;
            }
            expect(',');
        }
    }

    private List<Object> array() {
        enter();
        List<Object> array = new ArrayList<>();
        skipSpace();
        if (peek() == ']') {
            at++;
            depth--;
            return array;
        }
        while (true) {
            array.add(value());
            skipSpace();
            if (peek() == ']') {
                at++;
                depth--;
                return array;
            }
            expect(',');
        }
    }

    private void enter() {
        at++;
        if (++depth > MAX_DEPTH) {
            throw new JsonException("Document nesting depth exceeds " + MAX_DEPTH);
        }
    }

    private String string() {
        int from = ++at;
        int end = at;
        while (end < text.length() && text.charAt(end) != '"' && text.charAt(end) != '\\') {
            end++;
        }
        if (end < text.length() && text.charAt(end) == '"') {
            at = end + 1;
            return text.substring(from, end);
        }
        StringBuilder string = new StringBuilder(text.length() - from > 64 ? 64 : 16);
        string.append(text, from, end);
        at = end;
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (c == '"') {
                return string.toString();
            }
            string.append(c == '\\' ? escaped() : c);
        }
        throw unexpected("in a string");
    }

    private char escaped() {
        if (at >= text.length()) {
            throw unexpected("in a string");
        }
        char c = text.charAt(at++);
        switch (c) {
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u':
                return hexadecimal();
            case '"':
            case '\\':
            case '/':
                return c;
            default:
                throw unexpected("after a backslash");
        }
    }

    private char hexadecimal() {
        if (at + 4 > text.length()) {
            throw unexpected("in a string");
        }
        int code = 0;
        for (int i = 0; i < 4; i++) {
            int digit = Character.digit(text.charAt(at++), 16);
            if (digit < 0) {
                throw unexpected("in a string");
            }
            code = code << 4 | digit;
        }
        return (char) code;
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw unexpected("where a value was expected");
        }
        at += word.length();
        return value;
    }

    private Number number() {
        int from = at;
        boolean isWhole = true;
        if (peek() == '-') {
            at++;
        }
        digits();
        if (peek() == '.') {
            isWhole = false;
            at++;
            digits();
        }
        if (peek() == 'e' || peek() == 'E') {
            isWhole = false;
            at++;
            if (peek() == '+' || peek() == '-') {
                at++;
            }
            digits();
        }
        String found = text.substring(from, at);
        return isWhole ? whole(found) : new Decimal(found);
    }

    private static Number whole(String digits) {
        if (digits.length() > 18) {
            BigInteger large = new BigInteger(digits);
            return large.bitLength() < 64 ? (Number) large.longValue() : large;
        }
        long value = Long.parseLong(digits);
        // Apart, or both would become a Long.
        if (value == (int) value) {
            return (int) value;
        }
        return value;
    }

    private void digits() {
        int from = at;
        while (peek() >= '0' && peek() <= '9') {
            at++;
        }
        if (at == from) {
            throw unexpected("where a value was expected");
        }
    }

    private char peek() {
        return at < text.length() ? text.charAt(at) : '\0';
    }

    private void expect(char wanted) {
        if (peek() != wanted) {
            throw unexpected("where '" + wanted + "' was expected");
        }
        at++;
    }

    private void skipSpace() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private JsonException unexpected(String where) {
        String what = at < text.length() ? "Unexpected character ('" + text.charAt(at) + "')" : "Unexpected end-of-input";
        return new JsonException(what + " " + where + ", at offset " + at);
    }
}
