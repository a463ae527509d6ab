"""Java: the JVMs this host has, the runtimes prepared for them, and the runtime client (``source``, in Java)."""
