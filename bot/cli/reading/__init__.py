"""Reading: values as people bring them, from a terminal, a pipe, or files of several forms. No error repeats a value."""
