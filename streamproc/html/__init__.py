"""Self-contained HTML pages: text of strangers stays text, and a page fetches nothing."""
