package lambent.runtime;

import java.io.File;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The function's classes: its own directory, the jars in its {@code lib}, those of layers in {@code /opt/java/lib}.
 *
 * <p>AWS: the runtime's classes come first, also where the function brings {@code aws-lambda-java-core} along.
 */
final class FunctionClassLoader extends URLClassLoader {
    FunctionClassLoader(String taskRoot) throws IOException {
        super(places(taskRoot), ClassLoader.getSystemClassLoader());
    }

    private static URL[] places(String taskRoot) throws MalformedURLException {
        List<URL> places = new ArrayList<>();
        places.add(place(taskRoot + "/"));
        addJars(places, taskRoot + "/lib");
        String layers = System.getProperty("lambent.layers", "/opt/java/lib");
        addJars(places, layers);
        return places.toArray(new URL[0]);
    }

    private static void addJars(List<URL> places, String directory) throws MalformedURLException {
        String[] names = new File(directory).list();
        if (names == null) {
            return;
        }
        Arrays.sort(names);
        for (String name : names) {
            if (name.endsWith(".jar")) {
                places.add(place(directory + "/" + name));
            }
        }
    }

    private static URL place(String path) throws MalformedURLException {
        return new URL("file", null, -1, path);
    }
}
