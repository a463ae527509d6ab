package lambent.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayList;
import java.util.List;

/**
 * From {@code package.Class} or {@code package.Class::method} to a handler.
 *
 * <p>The texts, and which of several methods of a name is taken, are those of AWS's client (EventHandlerLoader): what cannot be
 * found is told to every invocation; what breaks while it is loaded ends the initialisation ({@link Fault#isFatal}).
 */
final class HandlerLoader {
    private HandlerLoader() {}

    /** Throws a fatal {@link Fault} where the class cannot be initialised, or its constructor fails. */
    static Handler load(String handler, ClassLoader loader) {
        int colons = handler.lastIndexOf("::");
        String className = colons < 0 ? handler : handler.substring(0, colons);
        String methodName = colons < 0 ? null : handler.substring(colons + 2);
        if (className.isEmpty() || (methodName != null && methodName.isEmpty())) {
            return new Handler.Faulty(Fault.of("Invalid handler: `" + handler + "'"));
        }
        Class<?> type;
        try {
            type = Class.forName(className, true, loader);
        } catch (ClassNotFoundException error) {
            return new Handler.Faulty(Fault.classNotFound(error, className));
        } catch (NoClassDefFoundError error) {
            return new Handler.Faulty(Fault.notLoaded(error, className, true));
        } catch (Throwable error) {
            throw Fault.notLoaded(error, className, true);
        }
        try {
            return methodName == null ? ofClass(type) : ofMethod(type, methodName);
        } catch (Fault fault) {
            if (fault.isFatal) {
                throw fault;
            }
            return new Handler.Faulty(fault);
        } catch (Throwable error) {
            return new Handler.Faulty(Fault.of(error, false));
        }
    }

    private static Handler ofClass(Class<?> type) throws Throwable {
        if (RequestStreamHandler.class.isAssignableFrom(type)) {
            return new Handler.OfStreams((RequestStreamHandler) instance(type));
        }
        if (!RequestHandler.class.isAssignableFrom(type)) {
            throw Fault.of("Class does not implement an appropriate handler interface: " + type.getName());
        }
        Type[] types = Types.argumentsOf(type, RequestHandler.class);
        String lacking = "Class " + type.getName() + " does not implement RequestHandler with concrete type parameters";
        if (types == null) {
            throw Fault.of(lacking);
        }
        for (Type argument : types) {
            if (argument instanceof TypeVariable && Types.bound((TypeVariable<?>) argument) == Object.class) {
                throw Fault.of(lacking + ": parameter " + argument + " has no upper bound.");
            }
        }
        return new Handler.OfRequests((RequestHandler<?, ?>) instance(type), types[0], answerType(types[1]));
    }

    private static Type answerType(Type type) {
        return type == void.class || type == Void.class ? null : type;
    }

    private static Object instance(Class<?> type) throws Throwable {
        Constructor<?> constructor;
        try {
            constructor = type.getConstructor();
        } catch (NoSuchMethodException error) {
            if (type.getEnclosingClass() != null && !Modifier.isStatic(type.getModifiers())) {
                throw new Exception(
                        "Class " + type.getName() + " cannot be instantiated because it is a non-static inner class");
            }
            throw new Exception("Class " + type.getName() + " has no public zero-argument constructor", error);
        }
        try {
            return constructor.newInstance();
        } catch (InvocationTargetException error) {
            throw Fault.of(error.getCause() == null ? error : error.getCause(), true);
        }
    }

    private static Handler ofMethod(Class<?> type, String name) throws Throwable {
        List<Method> named = new ArrayList<>();
        try {
            for (Method method : type.getMethods()) {
                if (method.getName().equals(name)) {
                    insert(named, method);
                }
            }
        } catch (NoClassDefFoundError error) {
            String message = "Error loading method " + name + " on class " + type.getName();
            throw new Fault(message, error.getClass().getName(), Fault.trace(error), false);
        }
        for (Method method : named) {
            Handler handler = ofMethod(type, method);
            if (handler != null) {
                return handler;
            }
        }
        throw Fault.of("No public method named " + name + " with appropriate method signature found on class "
                + type.getName());
    }

    /** Keeps the list in order: the one to try first is first. */
    private static void insert(List<Method> methods, Method method) {
        int at = 0;
        while (at < methods.size() && rank(methods.get(at)) >= rank(method)) {
            at++;
        }
        methods.add(at, method);
    }

    /** AWS: no bridges; long signatures; a context at the end counts twice. */
    private static int rank(Method method) {
        Class<?>[] types = method.getParameterTypes();
        int length = types.length > 0 && types[types.length - 1] == Context.class ? types.length + 1 : types.length;
        return method.isBridge() ? length : length + 1000;
    }

    /** Null where it cannot be a handler; AWS says so in the log and looks on. */
    private static Handler ofMethod(Class<?> type, Method method) throws Throwable {
        Class<?>[] types = method.getParameterTypes();
        if (!isCallable(types)) {
            System.err.println("Ignoring an overload of method " + method.getName()
                    + " because its parameters are not those of a handler");
            return null;
        }
        Object instance = Modifier.isStatic(method.getModifiers()) ? null : instance(type);
        method.setAccessible(true); // a public method of a class that is not
        if (takesStreams(types)) {
            if (method.getReturnType() != void.class) {
                System.err.println("Will ignore return type " + method.getReturnType() + " on byte stream handler");
            }
            return new Handler.OfStreamMethod(method, instance);
        }
        boolean takesContext = types.length > 0 && types[types.length - 1] == Context.class;
        boolean takesEvent = types.length > (takesContext ? 1 : 0);
        Type input = takesEvent ? method.getGenericParameterTypes()[0] : null;
        return new Handler.OfMethod(method, instance, input, answerType(method.getGenericReturnType()), takesContext);
    }

    private static boolean takesStreams(Class<?>[] types) {
        return types.length > 0 && (types[0] == InputStream.class || types[0] == OutputStream.class);
    }

    private static boolean isCallable(Class<?>[] types) {
        int length = types.length;
        if (length < 2) {
            return true;
        }
        boolean endsInContext = types[length - 1] == Context.class;
        if (length == 2) {
            boolean bothStreams = types[0] == InputStream.class && types[1] == OutputStream.class;
            return bothStreams || (endsInContext && types[0] != Context.class);
        }
        return length == 3 && types[0] == InputStream.class && types[1] == OutputStream.class && endsInContext;
    }
}
