# Finishes the image of Python's scientific libraries, inside its tree.
import os, pathlib, shutil

FONTS = pathlib.Path("/usr/lib/guichet/matplotlib")
LOADER = pathlib.Path("/usr/lib/python3/dist-packages/matplotlib/font_manager.py")
# What scipy's package brings for compiling code of one's own: half of the image.
UNUSED = ["/usr/include", "/usr/lib/gcc", "/usr/share/javascript", "/usr/share/unicode"]
UNUSED_BY_PATTERN = ["usr/lib/*/openblas-pthread", "usr/lib/*/*.a", "usr/bin/*-linux-gnu-*"]

# matplotlib's list of fonts is made once and read from there: in a container it would be looked for in /tmp, which is
# empty, and be made by each program, in a second.
FONTS.mkdir()
os.environ["MPLCONFIGDIR"] = str(FONTS)
import matplotlib.font_manager

assert list(FONTS.glob("fontlist-*.json")), os.listdir(FONTS)
loader = LOADER.read_text()
assert loader.count("mpl.get_cachedir()") == 1
LOADER.write_text(loader.replace("mpl.get_cachedir()", repr(str(FONTS))))

for unused in [*map(pathlib.Path, UNUSED), *(found for pattern in UNUSED_BY_PATTERN for found in pathlib.Path("/").glob(pattern))]:
    if unused.is_dir() and not unused.is_symlink():
        shutil.rmtree(unused)
    else:
        unused.unlink()
