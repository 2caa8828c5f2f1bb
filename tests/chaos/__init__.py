"""Chaos: workers as processes on a real Kafka while things break, and what became of every post."""
