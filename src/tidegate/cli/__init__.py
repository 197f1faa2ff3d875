"""The command line, one file per noun. Data on stdout, everything else on stderr."""
