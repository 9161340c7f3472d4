"""The command line: a module per command, arguments in, calls out."""
