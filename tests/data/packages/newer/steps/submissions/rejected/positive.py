number = int(input())
print(number ** 2 if number >= 0 else 0)
