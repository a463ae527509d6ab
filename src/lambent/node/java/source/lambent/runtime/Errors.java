package lambent.runtime;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** The documents that tell of an error. */
final class Errors {
    private Errors() {}

    /** AWS: a fault has no trace; what it does not have is left out. */
    static String document(Fault fault) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("errorMessage", fault.message);
        document.put("errorType", fault.type);
        return JsonWriter.write(document);
    }

    static String document(Throwable error) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("errorMessage", Fault.message(error));
        document.put("errorType", error.getClass().getName());
        List<String> lines = new ArrayList<>();
        for (StackTraceElement element : error.getStackTrace()) {
            lines.add(element.toString());
        }
        document.put("stackTrace", lines);
        return JsonWriter.write(document);
    }

    /** What X-Ray shows of it: a header's value. */
    static String cause(Throwable error) {
        List<Map<String, Object>> stack = new ArrayList<>();
        LinkedHashSet<String> paths = new LinkedHashSet<>();
        for (StackTraceElement element : error.getStackTrace()) {
            Map<String, Object> place = new LinkedHashMap<>();
            place.put("label", element.getMethodName());
            place.put("path", file(element));
            place.put("line", element.getLineNumber());
            stack.add(place);
            paths.add(file(element));
        }
        Map<String, Object> exception = new LinkedHashMap<>();
        exception.put("message", error.getMessage());
        exception.put("type", error.getClass().getName());
        exception.put("stack", stack);
        Map<String, Object> cause = new LinkedHashMap<>();
        cause.put("working_directory", System.getProperty("user.dir"));
        cause.put("exceptions", Collections.singletonList(exception));
        cause.put("paths", paths);
        return ascii(JsonWriter.write(cause));
    }

    private static String file(StackTraceElement element) {
        if (element.getFileName() != null) {
            return element.getFileName();
        }
        String name = element.getClassName();
        return name.substring(name.lastIndexOf('.') + 1) + ".java";
    }

    private static String ascii(String json) {
        StringBuilder text = new StringBuilder(json.length());
        for (int i = 0; i < json.length(); i++) {
            char c = json.charAt(i);
            if (c < 127) {
                text.append(c);
            } else {
                text.append("\\u").append(Integer.toHexString(0x10000 | c), 1, 5);
            }
        }
        return text.toString();
    }
}
