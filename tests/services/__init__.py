"""The real parts that tests run against: started here on free loopback ports, ended by their pid."""
