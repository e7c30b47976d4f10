"""The contract kit: for each port a class of tests that every adapter runs, and parts that make tests repeatable."""
