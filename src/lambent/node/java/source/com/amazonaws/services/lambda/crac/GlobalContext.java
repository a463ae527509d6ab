package com.amazonaws.services.lambda.crac;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;

/** The one context: the last registered is told first of a snapshot, and last of being restored. All are told, whoever fails. */
final class GlobalContext extends Context<Resource> {
    private final Map<Resource, Long> order = new WeakHashMap<>();
    private long count;

    @Override
    public synchronized void register(Resource resource) {
        order.put(resource, count++);
    }

    @Override
    public synchronized void beforeCheckpoint(Context<? extends Resource> context) throws CheckpointException {
        CheckpointException failed = new CheckpointException();
        List<Resource> resources = registered();
        Collections.reverse(resources);
        for (Resource resource : resources) {
            try {
                resource.beforeCheckpoint(this);
            } catch (CheckpointException nested) {
                suppress(failed, nested.getSuppressed());
            } catch (Exception error) {
                failed.addSuppressed(error);
            }
        }
        if (failed.getSuppressed().length > 0) {
            throw failed;
        }
    }

    @Override
    public synchronized void afterRestore(Context<? extends Resource> context) throws RestoreException {
        RestoreException failed = new RestoreException();
        for (Resource resource : registered()) {
            try {
                resource.afterRestore(this);
            } catch (RestoreException nested) {
                suppress(failed, nested.getSuppressed());
            } catch (Exception error) {
                failed.addSuppressed(error);
            }
        }
        if (failed.getSuppressed().length > 0) {
            throw failed;
        }
    }

    private static void suppress(Exception failed, Throwable[] errors) {
        for (Throwable error : errors) {
            failed.addSuppressed(error);
        }
    }

    private List<Resource> registered() {
        List<Map.Entry<Resource, Long>> entries = new ArrayList<>(order.entrySet());
        entries.sort(Map.Entry.comparingByValue());
        List<Resource> resources = new ArrayList<>();
        for (Map.Entry<Resource, Long> entry : entries) {
            Resource resource = entry.getKey();
            if (resource != null) {
                resources.add(resource);
            }
        }
        return resources;
    }
}
