# Python would also run an archive or bytecode, whatever its name; and a name that ends with .pyc would make it take source
# for bytecode. This module is imported at each start, before the program is looked at.
import os, sys

if sys.orig_argv[1:3] == ["-B", "-s"] and len(sys.orig_argv) > 3:
    name, *arguments = sys.orig_argv[3:]
    try:
        with open(name, "rb") as file:
            is_source = b"\0" not in file.read()
    except OSError:
        is_source = True  # Python itself says what is wrong.
    if not is_source:
        os.write(2, f"  File {name!r}\nSyntaxError: source code cannot contain null bytes\n".encode("utf-8", "replace"))
        os._exit(1)
    if name.endswith(".pyc"):
        run = "import sys; del sys.argv[0]; exec(compile(open(sys.argv[0], 'rb').read(), sys.argv[0], 'exec'))"
        os.execv(sys.executable, [sys.executable, "-B", "-s", "-c", run, name, *arguments])
