import sys
print("{{word}}".upper(), *sys.argv[1:], input())
