"""Named recipes: every system of the five papers, as data over a plugin's configuration."""
