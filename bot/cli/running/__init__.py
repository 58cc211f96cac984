"""Running: a program with secrets in its memory only, and everything taken back when it ends."""
