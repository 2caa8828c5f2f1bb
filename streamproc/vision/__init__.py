"""Looking at pictures: fetch, decode, extract, remember."""
