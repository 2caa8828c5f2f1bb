"""Whether the worker is getting on, and saying so: watchdog, metrics, and the addresses that tell."""
