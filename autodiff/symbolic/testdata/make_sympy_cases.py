#!/usr/bin/python3
"""Writes sympy_cases.json: what SymPy says about derivatives and about equal forms.

Needs SymPy (Debian: python3-sympy). Run from this directory:

    /usr/bin/python3 make_sympy_cases.py > sympy_cases.json

Deterministic (fixed seeds), but for forms on which SymPy takes longer than 4 seconds: those are skipped. The tests read the stored file: they need no SymPy.

  derivatives: 200 formulas of growing difficulty; for each, d/dx at 20 random points (by SymPy, with 40 digits).
  pairs:       pairs of forms that SymPy calls equal: identities from textbooks, and random expressions rewritten by SymPy
               (expand, together, trigonometric rewriting, ...), each confirmed by simplify(a - b) == 0.
"""

import json
import random
import re
import signal
import sys

import mpmath
import sympy as sp

x, y = sp.symbols("x y", real=True)
p, q = sp.symbols("p q", positive=True)

UNARY = [
    ("sin", sp.sin), ("cos", sp.cos), ("exp", sp.exp), ("tanh", sp.tanh), ("atan", sp.atan), ("abs", sp.Abs),
    ("sinh", sp.sinh), ("cosh", sp.cosh), ("erf", sp.erf), ("asinh", sp.asinh),
    ("sigmoid", lambda u: 1 / (1 + sp.exp(-u))), ("softplus", lambda u: sp.log(1 + sp.exp(u))),
]
CONSTANTS = [sp.Integer(2), sp.Integer(3), sp.Rational(1, 2), sp.Rational(1, 3), sp.Rational(5, 4)]


class Limit:
    """Ends what takes longer than some seconds with a TimeoutError."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        def stop(*_):
            raise TimeoutError

        signal.signal(signal.SIGALRM, stop)
        signal.alarm(self.seconds)

    def __exit__(self, *_):
        signal.alarm(0)


def text(e):
    """Formula text of a SymPy expression."""
    s = sp.sstr(e).replace("**", "^").replace("log(", "ln(").replace("Abs(", "abs(")
    return re.sub(r"\bE\b", "e", s.replace("Max(", "max(").replace("Min(", "min("))


def build(rng, depth):
    """(formula text, SymPy expression) of a random function defined for all real x and y."""
    if depth == 0:
        kind = rng.randrange(5)
        if kind < 3:
            return ("x", x) if kind < 2 else ("y", y)
        n = rng.choice(CONSTANTS)
        return "(%s)" % n, n
    kind = rng.randrange(10)
    a_text, a = build(rng, depth - 1)
    if kind < 4:
        name, f = rng.choice(UNARY)
        return "%s(%s)" % (name, a_text), f(a)
    if kind == 4:
        n = rng.choice([2, 3])
        return "(%s)^%d" % (a_text, n), a**n
    if kind == 5:
        return "sqrt(1 + (%s)^2)" % a_text, sp.sqrt(1 + a**2)
    if kind == 6:
        return "ln(2 + (%s)^2)" % a_text, sp.log(2 + a**2)
    b_text, b = build(rng, rng.randrange(depth))
    if kind == 7:
        return "(%s + %s)" % (a_text, b_text), a + b
    if kind == 8:
        return "%s*(%s)" % (a_text, b_text), a * b
    return "(%s)/(1 + (%s)^2)" % (a_text, b_text), a / (1 + b**2)


def derivative_case(rng, level):
    """A formula with d/dx at 20 points; None when it is constant or its values explode."""
    formula, e = build(rng, level)
    if not e.has(x) or len(formula) > 300:
        return None
    f = sp.lambdify((x, y), sp.diff(e, x), "mpmath")
    mpmath.mp.dps = 40
    points = []
    for _ in range(60):
        at = (round(rng.uniform(-2, 2), 6), round(rng.uniform(-2, 2), 6))
        try:
            value = mpmath.mpmathify(f(mpmath.mpf(at[0]), mpmath.mpf(at[1])))
        except Exception:
            return None
        if isinstance(value, mpmath.mpc) or not mpmath.isfinite(value) or abs(value) > 1e12:
            continue
        points.append([at[0], at[1], float(value)])
        if len(points) == 20:
            return {"formula": formula, "points": points}
    return None


def derivatives():
    rng = random.Random(7)
    cases = []
    while len(cases) < 200:
        level = 1 + len(cases) * 6 // 200
        case = derivative_case(rng, level)
        if case is not None and case["formula"] not in [c["formula"] for c in cases]:
            cases.append(case)
    return cases


def textbook_pairs():
    return [
        (sp.sin(2 * x), 2 * sp.sin(x) * sp.cos(x)), (sp.cos(2 * x), 1 - 2 * sp.sin(x)**2),
        (sp.cos(3 * x), 4 * sp.cos(x)**3 - 3 * sp.cos(x)), (sp.sin(x + y), sp.expand_trig(sp.sin(x + y))),
        (sp.tan(x + y), (sp.tan(x) + sp.tan(y)) / (1 - sp.tan(x) * sp.tan(y))),
        (sp.sin(x)**4, (3 - 4 * sp.cos(2 * x) + sp.cos(4 * x)) / 8),
        (sp.tanh(x), 1 - 2 / (sp.exp(2 * x) + 1)), (sp.cosh(2 * x), 2 * sp.cosh(x)**2 - 1),
        (sp.sinh(x + y), sp.sinh(x) * sp.cosh(y) + sp.cosh(x) * sp.sinh(y)),
        (sp.log(p * q), sp.log(p) + sp.log(q)), (sp.log(p**3 / q), 3 * sp.log(p) - sp.log(q)),
        (sp.sqrt(p) * sp.sqrt(q), sp.sqrt(p * q)), (sp.sqrt(x**2 * y**2), sp.Abs(x) * sp.Abs(y)),
        (sp.sqrt(p**3), p * sp.sqrt(p)), (sp.exp(x * sp.log(p)), p**x), (p**x * p**y, p**(x + y)),
        (sp.sin(sp.acos(x)), sp.sqrt(1 - x**2)), (sp.cos(sp.atan(x)), 1 / sp.sqrt(1 + x**2)),
        (sp.Abs(x)**2 + 1, x**2 + 1), (sp.Abs(x * y), sp.Abs(x) * sp.Abs(y)), (sp.sin(x + sp.pi / 3), sp.sin(x) / 2 + sp.sqrt(3) * sp.cos(x) / 2),
        (sp.cos(x - sp.pi / 6), sp.sqrt(3) * sp.cos(x) / 2 + sp.sin(x) / 2),
        (sp.sin(x + sp.pi / 4), (sp.sin(x) + sp.cos(x)) / sp.sqrt(2)),
        (1 / (1 + sp.sqrt(p)), (1 - sp.sqrt(p)) / (1 - p)), (1 / (sp.sqrt(2) + 1), sp.sqrt(2) - 1),
        (sp.asin(x) + sp.acos(x), sp.pi / 2), (sp.log(sp.exp(x) + sp.exp(y)), x + sp.log(1 + sp.exp(y - x))),
        ((sp.exp(x) - 1) / (sp.exp(x) + 1), sp.tanh(x / 2)), (sp.erf(x - y), -sp.erf(y - x)),
        (sp.asinh(x), sp.log(x + sp.sqrt(x**2 + 1))), (8**x, 2**(3 * x)),
        (sp.tan(x / 2), (1 - sp.cos(x)) / sp.sin(x)), (sp.sin(x)**2 * sp.cos(x)**2, sp.sin(2 * x)**2 / 4),
        (sp.Abs(x + y)**2, x**2 + 2 * x * y + y**2), (sp.cos(x)**4 - sp.sin(x)**4, sp.cos(2 * x)),
        (sp.log(x**2 + 2 * x + 1), 2 * sp.log(sp.Abs(x + 1))), (sp.Max(x, y) + sp.Min(x, y), x + y),
        (sp.sqrt(x**2 + 2 * x * y + y**2), sp.Abs(x + y)), (sp.Max(x, 0), (x + sp.Abs(x)) / 2),
    ]


REWRITES = [
    sp.expand, sp.together, sp.factor, sp.cancel, sp.simplify, lambda e: sp.expand_trig(sp.expand(e)),
    lambda e: e if e.has(sp.sin, sp.cos, sp.tan, sp.atan) else e.rewrite(sp.exp),
    lambda e: sp.apart(e, x) if e.is_rational_function(x, y, p) else e,
    sp.trigsimp, sp.powsimp, sp.expand_log, sp.logcombine,
]
PAIR_UNARY = [
    sp.sin, sp.cos, sp.exp, sp.tanh, sp.sinh, sp.cosh, sp.tan, lambda u: 1 / (1 + sp.exp(-u)), lambda u: sp.log(1 + u**2),
    sp.Abs, lambda u: sp.sqrt(u**2 + 1), sp.atan,
]


def random_form(rng, depth):
    if depth == 0:
        return rng.choice([x, x, y, p, sp.Integer(rng.randrange(1, 5)), sp.Rational(rng.randrange(1, 4), rng.randrange(2, 5))])
    kind = rng.randrange(9)
    a = random_form(rng, depth - 1)
    if kind < 3:
        return rng.choice(PAIR_UNARY)(a)
    b = random_form(rng, depth - 1)
    return [a + b, a - b, a * b, (a + b)**2, a / (1 + b**2), (a + b)**3 / (a * b + 7)][kind - 3]


def confirmed(a, b):
    d = a - b
    forms = [lambda: d, lambda: d.rewrite(sp.exp), lambda: d.rewrite(sp.log), lambda: sp.expand_trig(d), lambda: sp.expand_log(d, force=True)]
    return any(sp.simplify(form()) == 0 for form in forms)


def pairs():
    rng = random.Random(11)
    found = []
    for a, b in textbook_pairs():
        if confirmed(a, b):
            found.append([text(a), text(b)])
        else:
            print("SymPy does not confirm", text(a), "=", text(b), file=sys.stderr)
    banned = ("Piecewise", "I", "re(", "im(", "zoo", "nan", "sign", "sec", "csc", "cot", "LambertW")
    while len(found) < 210:
        e = random_form(rng, 1 + rng.randrange(3))
        rewrite = rng.choice(REWRITES)
        if not e.free_symbols or e.count_ops() > 30:
            continue
        try:
            with Limit(4):
                other = rewrite(e)
                equal = sp.simplify(e - other) == 0
        except TimeoutError:
            continue
        a, b = text(e), text(other)
        if a == b or [a, b] in found or len(a) + len(b) > 300 or any(w in a + b for w in banned):
            continue
        if equal:
            found.append([a, b])
            print(len(found), a, "=", b, file=sys.stderr)
    return found


def main():
    lines = {
        "derivatives": [json.dumps(c) for c in derivatives()],
        "pairs": [json.dumps(c) for c in pairs()],
    }
    print("{\n" + ",\n".join('"%s": [\n%s\n]' % (k, ",\n".join(v)) for k, v in lines.items()) + "\n}")


if __name__ == "__main__":
    main()
