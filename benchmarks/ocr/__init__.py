"""What reading the writing in pictures costs, and how much of it is read."""
