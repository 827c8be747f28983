import sys
print("{{word}}", *sys.argv[1:], input())
