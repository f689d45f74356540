"""The command line. Importing this package costs nothing; `derivgen.cli.main` starts it."""
