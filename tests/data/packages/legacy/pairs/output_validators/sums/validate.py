import sys

with open(sys.argv[1]) as file:
    wanted = int(file.read())
try:
    first, second = map(int, sys.stdin.read().split())
except ValueError:
    sys.exit(43)
sys.exit(42 if first > 0 and second > 0 and first + second == wanted else 43)
