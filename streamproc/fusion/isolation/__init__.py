"""Plugins in processes of their own: what they do to their process costs the post that they did it on."""
