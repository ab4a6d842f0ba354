"""How many samples of each class a stratified draw takes."""


def quotas(available: list[int], count: int, *, least: int, leave: int) -> list[int]:
    """Return how many of each class make `count`: near to their share, within bounds.

    scikit-learn's stratified splits round a small class down to nothing; here each class
    keeps `least` in the draw and `leave` outside it.

    Args:
        available: samples of each class, `least + leave` or more.
        count: samples to draw; the bounds of all classes must allow it.
    """
    total = sum(available)
    shares = [size * count / total for size in available]
    highest = [size - leave for size in available]
    taken = [min(max(int(share), least), most) for share, most in zip(shares, highest, strict=True)]
    classes = range(len(available))
    while sum(taken) < count:
        free = [number for number in classes if taken[number] < highest[number]]
        taken[max(free, key=lambda number: shares[number] - taken[number])] += 1
    while sum(taken) > count:
        free = [number for number in classes if taken[number] > least]
        taken[max(free, key=lambda number: taken[number] - shares[number])] -= 1
    return taken
