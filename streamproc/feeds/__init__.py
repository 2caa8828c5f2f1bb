"""Where posts come from: files, live networks, and what installed packages add."""
