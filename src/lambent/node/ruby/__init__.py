"""Ruby: the interpreters this host has, the runtimes prepared for them, and the runtime client (``client``, in
Ruby)."""
