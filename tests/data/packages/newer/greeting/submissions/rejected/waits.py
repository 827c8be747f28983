print("{{word}}")
while True:
    pass
