"""The tests: ``unit`` mirrors ``gateway``; each other folder is a suite of its own."""
