#!/usr/bin/env python3
"""500 formulas of depth up to 5 over all functions of formulas, with values and first derivatives by mpmath in 50 digits.

  python3 make_mpmath_cases.py > mpmath_cases.json        (Debian: python3-mpmath)

Each case: the formula, the point, the value, the gradient, and for each derivative the sum of path magnitudes: over all
paths from the variable to the result, the product of the magnitudes of the local derivatives, which rounding errors are
relative to. Functions are mpmath's, derivatives are its differences of ever smaller steps (mpmath.diff), so nothing here is
made with what it tests. Drawn again is what no double arithmetic could get right: within 1e-3 of a kink, a jump or the edge
of a domain, with an intermediate value above 100, or whose derivative a change of the point, or of all intermediate
values, by 1e-16 moves by more than 1e-13 of its magnitude.
"""

import json
import random

from mpmath import mp, mpf

mp.dps = 50
VARIABLES = ("x", "y", "z")


class Refused(Exception):
    pass


def need(condition):
    if not condition:
        raise Refused


def away(u, *places):
    for place in places:
        need(abs(u - place) > mpf("1e-3"))
    return u


def off_integers(u):
    need(abs(u - mp.nint(u)) > mpf("1e-3"))
    return u


def sigmoid(u):
    return 1 / (1 + mp.exp(-u))


def positive(f):
    def g(u):
        need(u > mpf("0.01"))
        return f(u)
    return g


def inside(f, low, high):
    def g(u):
        need(low + mpf("0.01") < u < high - mpf("0.01"))
        return f(u)
    return g


def power(u, v):
    need(u > mpf("0.01"))
    return mp.power(u, v)


def divide(u, v):
    need(abs(v) > mpf("0.01"))
    return u / v


def mod(u, v):
    need(abs(v) > mpf("0.1"))
    off_integers(u / v)
    return u - v * mp.floor(u / v)


def fmod(u, v):
    need(abs(v) > mpf("0.1"))
    off_integers(u / v)
    q = u / v
    return u - v * (mp.floor(q) if q > 0 else mp.ceil(q))


def gamma_like(f):
    def g(u):
        need(u > mpf("0.05") or abs(u - mp.nint(u)) > mpf("0.05"))
        return f(u)
    return g


def hypot(*u):
    need(sum(abs(ui) for ui in u) > mpf("0.01"))
    return mp.sqrt(sum(ui * ui for ui in u))


def atan2(u, v):
    need(abs(u) > mpf("0.01"))
    return mp.atan2(u, v)


def round_half_away(u):
    off_integers(u + mpf(1) / 2)
    return mp.sign(u) * mp.floor(abs(u) + mpf(1) / 2)


def gelu(u):
    return u * mp.erfc(-u / mp.sqrt(2)) / 2


def elu(u, a=1):
    away(u, 0)
    return u if u > 0 else a * mp.expm1(u)


def clamp(u, low, high):
    away(u, low, high)
    need(low < high)
    return min(max(u, low), high)


def leaky_relu(u, slope=mpf(1) / 100):
    return u if away(u, 0) > 0 else slope * u


def logsumexp(*u):
    return mp.log(sum(mp.exp(ui) for ui in u))


def many(f):
    """min or max of several, no two of them alike."""
    def g(*u):
        for i, ui in enumerate(u):
            away(ui, *u[:i])
        return f(u)
    return g


def choice(less):
    def g(a, b, c, d):
        away(a - b, 0)
        return c if (a < b) == less else d
    return g


def cbrt(u):
    away(u, 0)
    return mp.sign(u) * mp.cbrt(abs(u))


UNARY = {
    "exp": mp.exp, "exp2": lambda u: mp.power(2, u), "expm1": mp.expm1,
    "ln": positive(mp.log), "log": positive(mp.log), "log2": positive(lambda u: mp.log(u) / mp.log(2)),
    "log10": positive(lambda u: mp.log(u) / mp.log(10)), "log1p": lambda u: positive(mp.log)(1 + u),
    "sqrt": positive(mp.sqrt), "cbrt": cbrt, "sqr": lambda u: u * u,
    "sin": mp.sin, "cos": mp.cos, "tan": lambda u: divide(mp.sin(u), mp.cos(u)),
    "asin": inside(mp.asin, -1, 1), "acos": inside(mp.acos, -1, 1), "atan": mp.atan,
    "sinh": mp.sinh, "cosh": mp.cosh, "tanh": mp.tanh, "sech": mp.sech, "asinh": mp.asinh,
    "acosh": inside(mp.acosh, 1, mp.inf), "atanh": inside(mp.atanh, -1, 1),
    "erf": mp.erf, "erfc": mp.erfc,
    "gamma": gamma_like(mp.gamma), "lgamma": gamma_like(lambda u: mp.log(abs(mp.gamma(u)))),
    "digamma": gamma_like(mp.digamma),
    "abs": lambda u: abs(away(u, 0)), "sign": lambda u: mp.sign(away(u, 0)),
    "step": lambda u: mpf(1) if away(u, 0) > 0 else mpf(0),
    "heaviside": lambda u: mpf(1) if away(u, 0) > 0 else mpf(0),
    "floor": lambda u: mp.floor(off_integers(u)), "ceil": lambda u: mp.ceil(off_integers(u)),
    "trunc": lambda u: mp.sign(u) * mp.floor(abs(off_integers(u))), "round": round_half_away,
    "relu": lambda u: max(away(u, 0), mpf(0)),
    "leaky_relu": leaky_relu, "elu": elu, "-": lambda u: -u,
    "selu": lambda u: mpf(1.0507009873554805) * elu(u, mpf(1.6732632423543772)),
    "sigmoid": sigmoid, "hard_sigmoid": lambda u: min(max(away(u, -3, 3) / 6 + mpf(1) / 2, 0), mpf(1)),
    "softplus": lambda u: mp.log1p(mp.exp(u)), "softsign": lambda u: u / (1 + abs(away(u, 0))),
    "gelu": gelu, "gelu_tanh": lambda u: u * sigmoid(2 * mp.sqrt(2 / mp.pi) * (u + mpf(44715) / 10**6 * u**3)),
    "silu": lambda u: u * sigmoid(u), "hard_swish": lambda u: u * min(max(away(u, -3, 3) + 3, 0), mpf(6)) / 6,
    "mish": lambda u: u * mp.tanh(mp.log1p(mp.exp(u))),
}
BINARY = {
    "+": lambda u, v: u + v, "-": lambda u, v: u - v, "*": lambda u, v: u * v, "/": divide, "^": power,
    "pow": power, "atan2": atan2, "mod": mod, "fmod": fmod,
}
SEVERAL = {"min": many(min), "max": many(max), "hypot": hypot, "logsumexp": logsumexp}
WHOLE = {2: "^2", 3: "^3", -1: "^(-1)", -2: "^(-2)"}
BROKEN = {"^0.5": mpf("0.5"), "^1.5": mpf("1.5"), "^(-0.5)": mpf("-0.5"), "^(1/3)": mpf(1) / 3, "^(-2.25)": mpf("-2.25")}
CONDITIONS = {"<": True, "<=": True, ">": False, ">=": False}


def leaf(rng):
    if rng.random() < 0.75:
        name = rng.choice(VARIABLES)
        return (name, name, [])
    text = rng.choice(["2", "3", "0.5", "1.25", "pi", "7/4", "e"])
    value = mp.pi if text == "pi" else mp.e if text == "e" else mpf(7) / 4 if text == "7/4" else mpf(text)
    return (f"({text})" if "/" in text else text, lambda: value, [])


def of_one(rng, a):
    """An operation of one operand."""
    kind = rng.random()
    if kind < 0.72:
        name = rng.choice(sorted(UNARY))
        return (f"({name}{a[0]})" if name == "-" else f"{name}({a[0]})", UNARY[name], [a])
    if kind < 0.80:
        n = rng.choice(sorted(WHOLE))
        return (f"({a[0]}){WHOLE[n]}", lambda u: divide(mpf(1), u) ** -n if n < 0 else u ** n, [a])
    if kind < 0.84:
        text = rng.choice(sorted(BROKEN))
        return (f"({a[0]}){text}", lambda u: power(u, BROKEN[text]), [a])
    if kind < 0.87:
        base = rng.choice(["2", "0.5", "10"])
        return (f"{base}^({a[0]})", lambda u: mp.power(mpf(base), u), [a])
    if kind < 0.90:
        return (f"clamp({a[0]}, -1, 2)", lambda u: clamp(u, mpf(-1), mpf(2)), [a])
    if kind < 0.95:
        n = rng.randint(0, 3)
        return (f"polygamma({n}, {a[0]})", gamma_like(lambda u: mp.polygamma(n, u)), [a])
    slope = mpf("0.25")
    name, f = rng.choice([("elu", elu), ("leaky_relu", leaky_relu)])
    return (f"{name}({a[0]}, 0.25)", lambda u: f(u, slope), [a])


def of_several(rng, draw_operand):
    kind = rng.random()
    if kind < 0.15:
        parts = [draw_operand() for _ in range(4)]
        texts = [p[0] for p in parts]
        if rng.random() < 0.3:
            return ("select({}, {}, {}, {})".format(*texts), choice(True), parts)
        sign = rng.choice(sorted(CONDITIONS))
        return ("if({} {} {}, {}, {})".format(texts[0], sign, *texts[1:]), choice(CONDITIONS[sign]), parts)
    if kind < 0.35:
        name = rng.choice(sorted(SEVERAL))
        parts = [draw_operand() for _ in range(rng.randint(2, 3))]
        return ("{}({})".format(name, ", ".join(p[0] for p in parts)), SEVERAL[name], parts)
    name = rng.choice(sorted(BINARY))
    a, b = draw_operand(), draw_operand()
    text = f"({a[0]})^({b[0]})" if name == "^" else f"({a[0]} {name} {b[0]})" if len(name) == 1 else \
        f"{name}({a[0]}, {b[0]})"
    return (text, BINARY[name], [a, b])


def draw(rng, depth):
    """(text, function of the children's values, children)."""
    if depth == 0 or (depth < 4 and rng.random() < 0.12):
        return leaf(rng)
    if rng.random() < 0.6:
        return of_one(rng, draw(rng, depth - 1))
    return of_several(rng, lambda: draw(rng, depth - 1))


def value_of(tree, point, nudge=0):
    """The value, if each result of an operation is moved by a share of `nudge` of itself, as rounding does."""
    if isinstance(tree[1], str):
        return point[tree[1]]
    value = mpf(tree[1](*[value_of(child, point, nudge) for child in tree[2]]))
    need(abs(value) < 100)
    return value * (1 + nudge)


def magnitudes(tree, point):
    """Sums of path magnitudes by variable."""
    if isinstance(tree[1], str):
        return {tree[1]: mpf(1)}
    values = [value_of(child, point) for child in tree[2]]
    total = {}
    for i, child in enumerate(tree[2]):
        inner = magnitudes(child, point)
        if not inner:
            continue
        slope = abs(mp.diff(lambda u: tree[1](*values[:i], u, *values[i + 1:]), values[i]))
        for name, size in inner.items():
            total[name] = total.get(name, mpf(0)) + slope * size
    return total


def gradient(tree, point, nudge=0):
    return [mp.diff(lambda u: value_of(tree, {**point, name: u}, nudge), point[name])
            for name in VARIABLES]


def number(u):
    """u as a double; what 50 digits cannot tell from 0, such as mpmath's tan(pi), is 0."""
    return float(u) if abs(u) > mpf("1e-45") else 0.0


def case(rng):
    tree = draw(rng, rng.randint(1, 5))
    point = {name: mpf(round(rng.uniform(-3, 3), 3)) for name in VARIABLES}
    value = value_of(tree, point)
    sizes = magnitudes(tree, point)
    sizes = [sizes.get(name, mpf(0)) for name in VARIABLES]
    need(max(sizes) < 1e5)
    slopes = gradient(tree, point)
    for sign in (1, -1):
        nudge = sign * mpf("1e-16")
        near = {name: u * (1 + nudge) for name, u in point.items()}
        for moved in (gradient(tree, near), gradient(tree, point, nudge)):
            for a, b, size in zip(slopes, moved, sizes):
                need(abs(a - b) <= mpf("1e-13") * size + mpf("1e-40"))
    return {"formula": tree[0], "point": [float(point[name]) for name in VARIABLES],
            "value": number(value), "gradient": [number(s) for s in slopes],
            "magnitude": [number(s) for s in sizes]}


def main():
    rng = random.Random(20261128)
    cases, used = [], set()
    while len(cases) < 500:
        try:
            found = case(rng)
        except (Refused, TypeError, ZeroDivisionError, ValueError, OverflowError, mp.NoConvergence):
            continue
        if found["formula"] in used or not any(found["magnitude"]):
            continue
        used.add(found["formula"])
        cases.append(found)
    print("[")
    print(",\n".join(json.dumps(c) for c in cases))
    print("]")


main()
