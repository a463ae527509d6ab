package lambent.runtime;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/**
 * The Runtime API's client: HTTP over one connection.
 *
 * <p>A result is sent together with the request for the next event, and what is said to it is read when that comes. An error
 * has been answered when it returns, because the process may end right after.
 */
final class RuntimeApi {
    private static final String ROOT = "/2018-06-01/runtime/";
    private static final int MAX_CAUSE_CHARS = 16 * 1024;
    private static final int LARGE_BYTES = 64 * 1024;

    /** One event with what came along. {@code clientContext}, {@code cognitoIdentity}, {@code traceId} may be null. */
    static final class Event {
        String requestId;
        String invokedFunctionArn;
        String traceId;
        String clientContext;
        String cognitoIdentity;
        long deadlineMs;
        byte[] body;

        private int status;

        private void take(String name, String value) {
            if (name.equalsIgnoreCase("lambda-runtime-aws-request-id")) {
                requestId = value;
            } else if (name.equalsIgnoreCase("lambda-runtime-deadline-ms")) {
                deadlineMs = Long.parseLong(value);
            } else if (name.equalsIgnoreCase("lambda-runtime-invoked-function-arn")) {
                invokedFunctionArn = value;
            } else if (name.equalsIgnoreCase("lambda-runtime-trace-id")) {
                traceId = value;
            } else if (name.equalsIgnoreCase("lambda-runtime-client-context")) {
                clientContext = value;
            } else if (name.equalsIgnoreCase("lambda-runtime-cognito-identity")) {
                cognitoIdentity = value;
            }
        }
    }

    private final String host;
    private final InputStream in;
    private final OutputStream out;
    private final byte[] nextRequest;
    private byte[] buffer = new byte[8192];
    private int start;
    private int end;
    private int unanswered;
    private boolean hasAskedNext;

    /** Connects. {@code address}: host and port. */
    RuntimeApi(String address) throws IOException {
        this(address, connect(address));
    }

    private RuntimeApi(String address, Socket socket) throws IOException {
        this(address, socket.getInputStream(), socket.getOutputStream());
    }

    RuntimeApi(String address, InputStream in, OutputStream out) {
        host = address;
        this.in = in;
        this.out = out;
        nextRequest = ascii("GET " + ROOT + "invocation/next HTTP/1.1\r\nhost: " + host + "\r\n\r\n");
    }

    private static Socket connect(String address) throws IOException {
        int colon = address.lastIndexOf(':');
        InetAddress host = InetAddress.getByName(address.substring(0, colon));
        Socket socket = new Socket(host, Integer.parseInt(address.substring(colon + 1)));
        socket.setTcpNoDelay(true);
        return socket;
    }

    /** Waits for an event. */
    Event next() throws IOException {
        if (!hasAskedNext) {
            out.write(nextRequest);
        }
        hasAskedNext = false;
        settle();
        Event event = read();
        if (event.status != 200) {
            throw new IOException("Failed to get next invocation, error " + event.status);
        }
        return event;
    }

    void respond(String requestId, Bytes answer) throws IOException {
        byte[] head = ascii("POST " + ROOT + "invocation/" + requestId + "/response HTTP/1.1\r\nhost: " + host
                + "\r\ncontent-type: application/json\r\ncontent-length: " + answer.size() + "\r\n\r\n");
        hasAskedNext = answer.size() < LARGE_BYTES;
        if (hasAskedNext) {
            Bytes all = new Bytes();
            all.write(head, 0, head.length);
            all.write(answer.array(), 0, answer.size());
            all.write(nextRequest, 0, nextRequest.length);
            out.write(all.array(), 0, all.size());
        } else {
            out.write(head);
            out.write(answer.array(), 0, answer.size());
        }
        unanswered++;
    }

    void initError(Fault fault) throws IOException {
        post("init/error", Errors.document(fault), "Runtime.BadFunctionCode", null);
    }

    void invocationError(String requestId, Fault fault) throws IOException {
        post("invocation/" + requestId + "/error", Errors.document(fault), "Runtime.BadFunctionCode", null);
    }

    void invocationError(String requestId, Throwable error) throws IOException {
        String path = "invocation/" + requestId + "/error";
        post(path, Errors.document(error), "Runtime.UserException", Errors.cause(error));
    }

    /** A hook of SnapStart's failed. */
    void failed(String path, Throwable error, String type) throws IOException {
        post(path, Errors.document(error), type, null);
    }

    /** The connection's end. */
    void close() throws IOException {
        in.close();
    }

    private void post(String path, String document, String type, String cause) throws IOException {
        byte[] body = Main.utf8(document);
        String head = "POST " + ROOT + path + " HTTP/1.1\r\nhost: " + host
                + "\r\ncontent-type: application/json\r\nLambda-Runtime-Function-Error-Type: " + type + "\r\n";
        if (cause != null && cause.length() < MAX_CAUSE_CHARS) {
            head += "Lambda-Runtime-Function-XRay-Error-Cause: " + cause + "\r\n";
        }
        out.write(ascii(head + "content-length: " + body.length + "\r\n\r\n"));
        out.write(body);
        unanswered++;
        settle();
    }

    /** Reads what is said to posts; whatever it is, there is nothing to be done about it. */
    private void settle() throws IOException {
        while (unanswered > 0) {
            read();
            unanswered--;
        }
    }

    private Event read() throws IOException {
        Event message = new Event();
        int length = 0;
        String line = line();
        message.status = Integer.parseInt(line.substring(9, 12));
        for (line = line(); !line.isEmpty(); line = line()) {
            int colon = line.indexOf(':');
            String name = line.substring(0, colon);
            String value = line.substring(colon + 1).trim();
            if (name.equalsIgnoreCase("content-length")) {
                length = Integer.parseInt(value);
            } else {
                message.take(name, value);
            }
        }
        message.body = new byte[length];
        int have = Math.min(length, end - start);
        System.arraycopy(buffer, start, message.body, 0, have);
        start += have;
        while (have < length) {
            int count = in.read(message.body, have, length - have);
            if (count < 0) {
                throw new EOFException("The Runtime API is gone");
            }
            have += count;
        }
        return message;
    }

    private String line() throws IOException {
        int at = start;
        while (true) {
            for (; at < end; at++) {
                if (buffer[at] == '\n') {
                    int last = at > start && buffer[at - 1] == '\r' ? at - 1 : at;
                    String line = new String(buffer, start, last - start, StandardCharsets.UTF_8);
                    start = at + 1;
                    return line;
                }
            }
            at -= start;
            fill();
        }
    }

    /** More bytes; what is unread lies at the beginning of the buffer then. */
    private void fill() throws IOException {
        int kept = end - start;
        byte[] larger = kept == buffer.length ? new byte[buffer.length * 2] : buffer;
        System.arraycopy(buffer, start, larger, 0, kept);
        buffer = larger;
        start = 0;
        end = kept;
        int count = in.read(buffer, end, buffer.length - end);
        if (count < 0) {
            throw new EOFException("The Runtime API is gone");
        }
        end += count;
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }
}
