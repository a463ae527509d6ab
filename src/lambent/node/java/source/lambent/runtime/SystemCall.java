package lambent.runtime;

import java.lang.reflect.Field;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What a JVM that becomes a function's asks of Linux, and Java has no way to: a directory, and another standard input. */
final class SystemCall {
    private static final boolean IS_ARM = System.getProperty("os.arch").equals("aarch64");
    private static final long CLOSE = IS_ARM ? 57 : 3;
    private static final long CHDIR = IS_ARM ? 49 : 80;
    private static final long OPENAT = IS_ARM ? 56 : 257;
    private static final long DUP3 = IS_ARM ? 24 : 292;
    private static final long READ = IS_ARM ? 63 : 0;
    private static final long FCNTL = IS_ARM ? 25 : 72;
    private static final long SETSID = IS_ARM ? 157 : 112;
    private static final long F_DUPFD_CLOEXEC = 1030;
    private static final long EINTR = 4;
    /** Above what a function opens at first. */
    private static final long KEPT = 200;
    private static final int PART_BYTES = 64 * 1024;
    private static final long AT_FDCWD = -100;

    private SystemCall() {}

    /** The C library's variables, which child processes get: they are where they are for as long as the process lives. */
    private static ByteBuffer environ;

    static native long call(long number, long a, long b, long c);

    static native void setEnviron(long array);

    static void load(String directory) {
        System.load(directory + "/lib/liblambent.so");
    }

    static void replaceEnviron(Map<String, String> variables) throws ReflectiveOperationException {
        List<byte[]> texts = new ArrayList<>();
        int size = (variables.size() + 1) * Long.BYTES;
        for (Map.Entry<String, String> variable : variables.entrySet()) {
            byte[] text = Main.utf8(variable.getKey() + "=" + variable.getValue());
            texts.add(text);
            size += text.length + 1;
        }
        ByteBuffer block = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
        long at = address(block) + (texts.size() + 1) * Long.BYTES;
        for (byte[] text : texts) {
            block.putLong(at);
            at += text.length + 1;
        }
        block.putLong(0);
        for (byte[] text : texts) {
            block.put(text).put((byte) 0);
        }
        setEnviron(address(block));
        environ = block;
    }

    static void changeDirectory(String path) throws ReflectiveOperationException {
        ByteBuffer text = text(path);
        check(call(CHDIR, address(text), 0, 0), path);
        text.clear(); // it is needed until here
    }

    /** Standard input is at its end from now on. */
    static void closeInput() throws ReflectiveOperationException {
        ByteBuffer text = text("/dev/null");
        long file = call(OPENAT, AT_FDCWD, address(text), 0);
        text.clear();
        check(file, "/dev/null");
        check(call(DUP3, file, 0, 0), "/dev/null");
        call(CLOSE, file, 0, 0);
    }

    /** Standard input is at its end from now on; what it was has the number that is returned. */
    static int keepInput() throws ReflectiveOperationException {
        long kept = call(FCNTL, 0, F_DUPFD_CLOEXEC, KEPT);
        check(kept, "standard input");
        closeInput();
        return (int) kept;
    }

    /** A session of its own: one whose leader is elsewhere cannot be restored. */
    static void lead() {
        check(call(SETSID, 0, 0, 0), "setsid");
    }

    /** What comes until the end of a pipe; closes it. Being written down and restored meanwhile interrupts it at most. */
    static String readAll(int file) throws ReflectiveOperationException {
        ByteBuffer part = ByteBuffer.allocateDirect(PART_BYTES);
        Bytes all = new Bytes();
        byte[] bytes = new byte[PART_BYTES];
        long count = 1;
        while (count != 0) {
            count = call(READ, file, address(part), PART_BYTES);
            if (count > 0) {
                part.clear();
                part.get(bytes, 0, (int) count);
                all.write(bytes, 0, (int) count);
            } else if (count != -EINTR) {
                check(count, "orders");
            }
        }
        call(CLOSE, file, 0, 0);
        return new String(all.array(), 0, all.size(), java.nio.charset.StandardCharsets.UTF_8);
    }

    private static void check(long result, String path) {
        if (result < 0) {
            throw new IllegalStateException(path + ": error " + -result);
        }
    }

    private static ByteBuffer text(String path) {
        byte[] bytes = Main.utf8(path);
        ByteBuffer text = ByteBuffer.allocateDirect(bytes.length + 1);
        text.put(bytes).put((byte) 0);
        return text;
    }

    private static long address(ByteBuffer text) throws ReflectiveOperationException {
        Field field = Buffer.class.getDeclaredField("address");
        field.setAccessible(true);
        return field.getLong(text);
    }
}
