package lambent.runtime;

import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A class's properties: getters, setters and public fields by the names of the JavaBeans conventions; a record's components.
 *
 * <p>Annotations say nothing here, as on AWS, whose own copy of Jackson does not see a function's.
 */
final class Bean {
    private static final Map<Class<?>, Bean> KNOWN = new ConcurrentHashMap<>();

    /** One property: what reads or sets it. */
    static final class Property {
        final String name;
        final Type type;
        private final Method method;
        private final Field field;

        Property(String name, Type type, Method method, Field field) {
            this.name = name;
            this.type = type;
            this.method = method;
            this.field = field;
        }

        Object get(Object bean) {
            try {
                return method == null ? field.get(bean) : method.invoke(bean);
            } catch (InvocationTargetException error) {
                throw failed(bean, error.getCause());
            } catch (ReflectiveOperationException error) {
                throw failed(bean, error);
            }
        }

        void set(Object bean, Object value) {
            try {
                if (method == null) {
                    field.set(bean, value);
                } else {
                    method.invoke(bean, value);
                }
            } catch (InvocationTargetException error) {
                throw failed(bean, error.getCause());
            } catch (ReflectiveOperationException error) {
                throw failed(bean, error);
            }
        }

        private JsonException failed(Object bean, Throwable cause) {
            return new JsonException(
                    "property \"" + name + "\" of " + bean.getClass().getName() + ": " + Fault.message(cause), cause);
        }
    }

    final List<Property> readable = new ArrayList<>();
    final Map<String, Property> writable = new HashMap<>();
    /** A record's, whose parameters are {@link #readable}; or without parameters; null where there is neither. */
    final Constructor<?> constructor;

    final boolean isRecord;

    static Bean of(Class<?> type) {
        Bean bean = KNOWN.get(type);
        if (bean == null) {
            bean = new Bean(type);
            KNOWN.put(type, bean);
        }
        return bean;
    }

    private Bean(Class<?> type) {
        Class<?> parent = type.getSuperclass();
        isRecord = parent != null && parent.getName().equals("java.lang.Record");
        Map<String, Property> found = new TreeMap<>();
        if (isRecord) {
            constructor = ofRecord(type);
            return;
        }
        for (Method method : type.getMethods()) {
            addMethod(method, found);
        }
        for (Field field : type.getFields()) {
            addField(field, found);
        }
        // As they were declared, not by name: that is how people read them.
        for (String name : declared(type)) {
            Property property = found.remove(name);
            if (property != null) {
                readable.add(property);
            }
        }
        readable.addAll(found.values());
        constructor = withoutParameters(type);
    }

    private static Constructor<?> withoutParameters(Class<?> type) {
        try {
            Constructor<?> constructor = type.getDeclaredConstructor();
            constructor.setAccessible(true);
            return constructor;
        } catch (NoSuchMethodException error) {
            return null;
        }
    }

    /** Its fields are its components, in order. (The methods that say so are newer than Java 11.) */
    private Constructor<?> ofRecord(Class<?> type) {
        List<Class<?>> types = new ArrayList<>();
        try {
            for (Field field : type.getDeclaredFields()) {
                if (!Modifier.isStatic(field.getModifiers())) {
                    Method accessor = type.getMethod(field.getName());
                    accessor.setAccessible(true);
                    readable.add(new Property(field.getName(), field.getGenericType(), accessor, null));
                    types.add(field.getType());
                }
            }
            Constructor<?> found = type.getDeclaredConstructor(types.toArray(new Class<?>[0]));
            found.setAccessible(true);
            return found;
        } catch (NoSuchMethodException error) {
            throw new JsonException("the record " + type.getName() + " has no canonical constructor", error);
        }
    }

    private void addMethod(Method method, Map<String, Property> found) {
        String name = method.getName();
        if (Modifier.isStatic(method.getModifiers()) || method.isBridge() || name.equals("getClass")) {
            return;
        }
        Class<?> result = method.getReturnType();
        int parameters = method.getParameterCount();
        if (parameters == 1 && name.length() > 3 && name.startsWith("set")) {
            method.setAccessible(true);
            String property = decapitalize(name.substring(3));
            writable.put(property, new Property(property, method.getGenericParameterTypes()[0], method, null));
        } else if (parameters == 0 && result != void.class) {
            boolean isFlag = name.startsWith("is") && name.length() > 2 && (result == boolean.class || result == Boolean.class);
            if (isFlag || name.startsWith("get") && name.length() > 3) {
                method.setAccessible(true);
                String property = decapitalize(name.substring(isFlag ? 2 : 3));
                found.put(property, new Property(property, method.getGenericReturnType(), method, null));
            }
        }
    }

    private void addField(Field field, Map<String, Property> found) {
        int modifiers = field.getModifiers();
        if (Modifier.isStatic(modifiers) || Modifier.isTransient(modifiers)) {
            return;
        }
        field.setAccessible(true);
        Property property = new Property(field.getName(), field.getGenericType(), null, field);
        if (!found.containsKey(property.name)) {
            found.put(property.name, property);
        }
        if (!Modifier.isFinal(modifiers) && !writable.containsKey(property.name)) {
            writable.put(property.name, property);
        }
    }

    private static List<String> declared(Class<?> type) {
        Map<String, Boolean> names = new LinkedHashMap<>();
        List<Class<?>> line = new ArrayList<>();
        for (Class<?> at = type; at != null && at != Object.class; at = at.getSuperclass()) {
            line.add(0, at);
        }
        for (Class<?> at : line) {
            for (Field field : at.getDeclaredFields()) {
                names.put(field.getName(), true);
            }
        }
        return new ArrayList<>(names.keySet());
    }

    /** JavaBeans: {@code Name} is name, but {@code URL} stays. */
    private static String decapitalize(String name) {
        if (name.length() > 1 && Character.isUpperCase(name.charAt(0)) && Character.isUpperCase(name.charAt(1))) {
            return name;
        }
        return Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }
}
