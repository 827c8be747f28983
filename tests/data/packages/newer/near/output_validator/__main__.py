import sys
from apart import apart

try:
    told = int(sys.stdin.read())
except ValueError:
    sys.exit(43)
with open(sys.argv[1]) as file:
    wanted = int(file.read())
sys.exit(42 if apart(told, wanted) <= int(sys.argv[4]) else 43)
