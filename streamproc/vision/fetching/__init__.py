"""Fetching pictures of strangers from addresses of strangers."""
