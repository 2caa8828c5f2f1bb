"""One page that shows how a model came to its tags: `streamproc tag --explain`."""
