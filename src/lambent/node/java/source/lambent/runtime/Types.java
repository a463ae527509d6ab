package lambent.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.util.HashMap;
import java.util.Map;

/** Generic types: what a variable stands for. */
final class Types {
    private Types() {}

    /** What the type parameters of {@code wanted} are in {@code type}; null where nothing is said of them. */
    static Type[] argumentsOf(Type type, Class<?> wanted) {
        return argumentsOf(type, wanted, new HashMap<TypeVariable<?>, Type>());
    }

    private static Type[] argumentsOf(Type type, Class<?> wanted, Map<TypeVariable<?>, Type> known) {
        Class<?> raw = raw(type);
        if (raw == null || !wanted.isAssignableFrom(raw)) {
            return null;
        }
        if (type instanceof ParameterizedType) {
            Type[] arguments = ((ParameterizedType) type).getActualTypeArguments().clone();
            TypeVariable<?>[] variables = raw.getTypeParameters();
            for (int i = 0; i < arguments.length; i++) {
                arguments[i] = resolve(arguments[i], known);
                known.put(variables[i], arguments[i]);
            }
            if (raw == wanted) {
                return arguments;
            }
        } else if (raw == wanted) {
            return null;
        }
        for (Type next : raw.getGenericInterfaces()) {
            Type[] found = argumentsOf(next, wanted, known);
            if (found != null) {
                return found;
            }
        }
        return raw.getGenericSuperclass() == null ? null : argumentsOf(raw.getGenericSuperclass(), wanted, known);
    }

    /** What the type variables of a bean's or record's class are where it is used as {@code type}. */
    static Map<TypeVariable<?>, Type> variablesOf(Type type) {
        Map<TypeVariable<?>, Type> known = new HashMap<>();
        for (Type at = type; at != null && raw(at) != null; at = raw(at).getGenericSuperclass()) {
            if (at instanceof ParameterizedType) {
                TypeVariable<?>[] variables = raw(at).getTypeParameters();
                Type[] arguments = ((ParameterizedType) at).getActualTypeArguments();
                for (int i = 0; i < variables.length; i++) {
                    known.put(variables[i], resolve(arguments[i], known));
                }
            }
        }
        return known;
    }

    /** {@code type} with what is known of the variables in it. */
    static Type resolve(Type type, Map<TypeVariable<?>, Type> known) {
        if (type instanceof TypeVariable) {
            Type found = known.get(type);
            return found == null ? type : found;
        }
        if (type instanceof ParameterizedType) {
            return new Parameterized((ParameterizedType) type, known);
        }
        return type;
    }

    static Type bound(TypeVariable<?> variable) {
        Type[] bounds = variable.getBounds();
        return bounds.length == 0 ? Object.class : bounds[0];
    }

    /** The class behind a type; null where there is none. */
    static Class<?> raw(Type type) {
        if (type instanceof Class) {
            return (Class<?>) type;
        }
        if (type instanceof ParameterizedType) {
            return (Class<?>) ((ParameterizedType) type).getRawType();
        }
        if (type instanceof TypeVariable) {
            return raw(bound((TypeVariable<?>) type));
        }
        if (type instanceof WildcardType) {
            return raw(((WildcardType) type).getUpperBounds()[0]);
        }
        if (type instanceof GenericArrayType) {
            return Array.newInstance(raw(((GenericArrayType) type).getGenericComponentType()), 0).getClass();
        }
        return null;
    }

    /** The argument of a collection or a map; {@code Object} where nothing is said. */
    static Type argument(Type type, Class<?> wanted, int index) {
        Type[] arguments = type instanceof WildcardType || type instanceof TypeVariable
                ? argumentsOf(raw(type), wanted)
                : argumentsOf(type, wanted);
        return arguments == null ? Object.class : arguments[index];
    }

    private static final class Parameterized implements ParameterizedType {
        private final ParameterizedType type;
        private final Type[] arguments;

        Parameterized(ParameterizedType type, Map<TypeVariable<?>, Type> known) {
            this.type = type;
            arguments = type.getActualTypeArguments().clone();
            for (int i = 0; i < arguments.length; i++) {
                arguments[i] = resolve(arguments[i], known);
            }
        }

        @Override
        public Type[] getActualTypeArguments() {
            return arguments.clone();
        }

        @Override
        public Type getRawType() {
            return type.getRawType();
        }

        @Override
        public Type getOwnerType() {
            return type.getOwnerType();
        }
    }
}
