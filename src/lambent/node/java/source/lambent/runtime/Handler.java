package lambent.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Type;

/** A function's handler, whatever its form: bytes in, bytes out. */
abstract class Handler {
    private static final byte[] NULL = {'n', 'u', 'l', 'l'};

    abstract void handle(byte[] event, Bytes answer, Context context) throws Throwable;

    /** Calls a method; what it throws is thrown. */
    static Object invoke(Method method, Object instance, Object... arguments) throws Throwable {
        try {
            return method.invoke(instance, arguments);
        } catch (InvocationTargetException error) {
            throw error.getCause() == null ? error : error.getCause();
        }
    }

    /** There is none: every event is answered with the reason. */
    static final class Faulty extends Handler {
        final Fault fault;

        Faulty(Fault fault) {
            this.fault = fault;
        }

        @Override
        void handle(byte[] event, Bytes answer, Context context) {
            throw fault;
        }
    }

    static final class OfStreams extends Handler {
        private final RequestStreamHandler handler;

        OfStreams(RequestStreamHandler handler) {
            this.handler = handler;
        }

        @Override
        void handle(byte[] event, Bytes answer, Context context) throws IOException {
            handler.handleRequest(new ByteArrayInputStream(event), answer, context);
        }
    }

    /** A method that takes streams. Whatever it returns is ignored. */
    static final class OfStreamMethod extends Handler {
        private final Method method;
        private final Object instance;

        OfStreamMethod(Method method, Object instance) {
            this.method = method;
            this.instance = instance;
        }

        @Override
        void handle(byte[] event, Bytes answer, Context context) throws Throwable {
            Class<?>[] types = method.getParameterTypes();
            Object[] arguments = new Object[types.length];
            boolean hasOutput = false;
            for (int i = 0; i < types.length; i++) {
                if (types[i] == InputStream.class) {
                    arguments[i] = new ByteArrayInputStream(event);
                } else if (types[i] == OutputStream.class) {
                    arguments[i] = answer;
                    hasOutput = true;
                } else {
                    arguments[i] = context;
                }
            }
            invoke(method, instance, arguments);
            if (!hasOutput) {
                answer.write(NULL);
            }
        }
    }

    /** Objects mapped from and to JSON. A null type: there is no event, or no answer. */
    abstract static class OfObjects extends Handler {
        private final Type inputType;
        private final Type outputType;

        OfObjects(Type inputType, Type outputType) {
            this.inputType = inputType;
            this.outputType = outputType;
        }

        abstract Object call(Object event, Context context) throws Throwable;

        @Override
        void handle(byte[] event, Bytes answer, Context context) throws Throwable {
            Object input;
            try {
                input = inputType == null ? null : Serialization.read(event, inputType);
            } catch (Throwable error) {
                throw new RuntimeException("An error occurred during JSON parsing", error);
            }
            Object output = call(input, context);
            if (outputType == null) {
                answer.write(NULL);
                return;
            }
            try {
                Serialization.write(output, outputType, answer);
            } catch (Throwable error) {
                throw new RuntimeException("An error occurred during JSON serialization of response", error);
            }
        }
    }

    static final class OfRequests extends OfObjects {
        private final RequestHandler<Object, Object> handler;

        @SuppressWarnings("unchecked")
        OfRequests(RequestHandler<?, ?> handler, Type inputType, Type outputType) {
            super(inputType, outputType);
            this.handler = (RequestHandler<Object, Object>) handler;
        }

        @Override
        Object call(Object event, Context context) {
            return handler.handleRequest(event, context);
        }
    }

    static final class OfMethod extends OfObjects {
        private final Method method;
        private final Object instance;
        private final boolean takesEvent;
        private final boolean takesContext;

        OfMethod(Method method, Object instance, Type inputType, Type outputType, boolean takesContext) {
            super(inputType, outputType);
            this.method = method;
            this.instance = instance;
            this.takesEvent = inputType != null;
            this.takesContext = takesContext;
        }

        @Override
        Object call(Object event, Context context) throws Throwable {
            if (takesEvent) {
                return takesContext ? invoke(method, instance, event, context) : invoke(method, instance, event);
            }
            return takesContext ? invoke(method, instance, context) : invoke(method, instance);
        }
    }
}
