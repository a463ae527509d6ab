package lambent.runtime;

/** JSON that is none, or that cannot be mapped: the message names the type and the place. */
final class JsonException extends IllegalArgumentException {
    private static final long serialVersionUID = 1;

    JsonException(String message) {
        super(message);
    }

    JsonException(String message, Throwable cause) {
        super(message, cause);
    }
}
