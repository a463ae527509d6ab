package lambent.runtime;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/** What is wrong with a function's code before its handler runs, in the words of AWS's client. */
final class Fault extends RuntimeException {
    private static final long serialVersionUID = 1;
    private static final String OWN_PACKAGE = "lambent.runtime.";

    final String message;
    /** The class of what was thrown; null where the runtime itself found the fault. */
    final String type;
    final String trace;
    /** Whether there is no use in asking for events. */
    final boolean isFatal;

    Fault(String message, String type, String trace, boolean isFatal) {
        super(message, null, false, false);
        this.message = message;
        this.type = type;
        this.trace = trace;
        this.isFatal = isFatal;
    }

    static Fault of(String message) {
        return new Fault(message, null, null, false);
    }

    static Fault of(Throwable error, boolean isFatal) {
        return new Fault(message(error), error.getClass().getName(), trace(error), isFatal);
    }

    static Fault classNotFound(Throwable error, String name) {
        return new Fault("Class not found: " + name, error.getClass().getName(), trace(error), false);
    }

    static Fault notLoaded(Throwable error, String name, boolean isFatal) {
        String reason = error.getMessage() == null ? "" : ": " + error.getMessage();
        return new Fault("Error loading class " + name + reason, error.getClass().getName(), trace(error), isFatal);
    }

    static String message(Throwable error) {
        String message = error.getLocalizedMessage();
        return message == null ? error.getClass().getName() : message;
    }

    static String trace(Throwable error) {
        cutTraces(error);
        StringWriter text = new StringWriter();
        error.printStackTrace(new PrintWriter(text));
        return text.toString();
    }

    /** What the log shows. */
    String report() {
        if (type == null && trace == null) {
            return message + "\n";
        }
        return message + ": " + (type == null ? "" : type) + "\n" + (trace == null ? "" : trace) + "\n";
    }

    /** Takes the runtime, and what called it, out of the traces of an error and of all behind it. */
    static void cutTraces(Throwable error) {
        cut(error, Collections.newSetFromMap(new IdentityHashMap<Throwable, Boolean>()));
    }

    private static void cut(Throwable error, Set<Throwable> seen) {
        if (error == null || !seen.add(error)) {
            return;
        }
        StackTraceElement[] trace = error.getStackTrace();
        for (int i = 0; i < trace.length; i++) {
            if (trace[i].getClassName().startsWith(OWN_PACKAGE)) {
                StackTraceElement[] kept = new StackTraceElement[i];
                System.arraycopy(trace, 0, kept, 0, i);
                error.setStackTrace(kept);
                break;
            }
        }
        cut(error.getCause(), seen);
        for (Throwable suppressed : error.getSuppressed()) {
            cut(suppressed, seen);
        }
    }
}
