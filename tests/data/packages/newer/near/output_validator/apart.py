def apart(one, other):
    return abs(one - other)
