package lambent.runtime;

import java.io.ByteArrayOutputStream;

/** Bytes that grow, and can be sent without a copy. */
final class Bytes extends ByteArrayOutputStream {
    Bytes() {
        super(1024);
    }

    byte[] array() {
        return buf;
    }
}
