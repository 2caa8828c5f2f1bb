"""Small apps that tests run, in the test's own loop or as processes of their own."""
