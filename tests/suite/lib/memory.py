"""What a program has in its memory, for tests as root."""


def holds(pid, needles):
    """Is one of them in the memory of this process?"""
    with open(f"/proc/{pid}/maps") as f:
        maps = [line.split() for line in f]
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for where, rights, *_, in maps:
            if rights[0] != "r":
                continue
            first, last = (int(x, 16) for x in where.split("-"))
            if last - first > 1 << 30:
                continue    # a sanitizer's books, no memory of the program
            try:
                mem.seek(first)
                data = mem.read(last - first)
            except (OSError, ValueError, OverflowError):
                continue    # [vvar], [vsyscall]
            if any(n in data for n in needles):
                return True
    return False
