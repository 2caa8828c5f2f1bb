"""The server's side of Triton: what its models run (`model`), and running one here (`server`)."""
