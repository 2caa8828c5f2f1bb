"""Posts with pictures on real Kafka, Redis and Triton, also while these come and go."""
