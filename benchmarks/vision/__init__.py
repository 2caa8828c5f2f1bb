"""What the cache saves, what pictures cost a stream of posts, and what Triton's batches are worth."""
