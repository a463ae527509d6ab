package lambent.runtime;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogFormat;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The function's log: one frame a call, to the pipe the platform reads.
 *
 * <p>A frame is its type (4 bytes: 0xA55A0000, level, 1 for text or 2 for JSON), length (4), time in microseconds (8) and the
 * message. Source: the frames of AWS's client.
 */
final class FunctionLogger implements LambdaLogger {
    private static final int FRAME = 0xA55A0000;
    private static final int HEADER_BYTES = 16;

    private final OutputStream sink;
    private final boolean isFramed;
    private final LogFormat format;
    private final LogLevel least;
    private volatile String requestId;

    FunctionLogger() {
        String descriptor = System.getenv("_LAMBDA_TELEMETRY_LOG_FD");
        OutputStream opened = descriptor == null ? null : open(descriptor);
        isFramed = opened != null;
        sink = isFramed ? opened : new FileOutputStream(FileDescriptor.out);
        String wanted = System.getenv("AWS_LAMBDA_LOG_FORMAT");
        format = "JSON".equalsIgnoreCase(wanted) ? LogFormat.JSON : LogFormat.TEXT;
        String level = System.getenv("AWS_LAMBDA_LOG_LEVEL");
        least = level == null ? LogLevel.UNDEFINED : LogLevel.fromString(level);
    }

    private static OutputStream open(String descriptor) {
        try {
            return new FileOutputStream("/proc/self/fd/" + Integer.parseInt(descriptor));
        } catch (IOException | NumberFormatException e) {
            return null;
        }
    }

    void begin(String id) {
        requestId = id;
    }

    /** What the runtime itself has to say of an error. */
    void error(String report) {
        log(report, format == LogFormat.JSON ? LogLevel.ERROR : LogLevel.UNDEFINED);
    }

    @Override
    public void log(String message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(String message, LogLevel level) {
        if (isLogged(level)) {
            write(Main.utf8(format == LogFormat.JSON ? json(message, level) : text(message, level)), level);
        }
    }

    @Override
    public void log(byte[] message, LogLevel level) {
        if (isLogged(level)) {
            write(message, level);
        }
    }

    private boolean isLogged(LogLevel level) {
        return level == LogLevel.UNDEFINED || level.ordinal() >= least.ordinal();
    }

    private static String text(String message, LogLevel level) {
        return level == LogLevel.UNDEFINED ? message : "[" + level + "] " + message;
    }

    private String json(String message, LogLevel level) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("timestamp", DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")
                .withZone(ZoneOffset.UTC).format(Instant.now()));
        document.put("message", message);
        document.put("level", level.toString());
        document.put("AWSRequestId", requestId);
        return JsonWriter.write(document) + "\n";
    }

    private synchronized void write(byte[] message, LogLevel level) {
        try {
            sink.write(isFramed ? frame(message, level) : message);
        } catch (IOException e) {
            e.printStackTrace();
        }
    }

    private byte[] frame(byte[] message, LogLevel level) {
        byte[] frame = new byte[HEADER_BYTES + message.length];
        put(frame, 0, FRAME | level.ordinal() << 2 | (format == LogFormat.JSON ? 2 : 1));
        put(frame, 4, message.length);
        Instant now = Instant.now();
        long micros = now.getEpochSecond() * 1_000_000 + now.getNano() / 1000;
        put(frame, 8, (int) (micros >>> 32));
        put(frame, 12, (int) micros);
        System.arraycopy(message, 0, frame, HEADER_BYTES, message.length);
        return frame;
    }

    private static void put(byte[] into, int at, int value) {
        for (int i = 0; i < 4; i++) {
            into[at + i] = (byte) (value >>> (24 - 8 * i));
        }
    }
}
