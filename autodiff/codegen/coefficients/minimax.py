#!/usr/bin/env python3
"""Minimax coefficients of vector_math.cc, by the Remez exchange in 50 decimal digits.

  python3 minimax.py            prints every table of vector_math.cc, with its error

Each fit minimises max |(f(x) - P(s)/Q(s)) * weight(x)|, s = x or x^2, with the leading coefficients
that must be exact held fixed. The exchange alternates between solving for the coefficients that make the error
equal and alternating on a set of reference points, and moving those points to the extremes of the
error (Cheney, Introduction to Approximation Theory, ch. 3 and 5; the rational case linearises by the
denominator of the previous round). The printed coefficients are the nearest floats; the error printed last is
that of the rounded coefficients in exact arithmetic. No packages needed.
"""

import decimal
import struct
from decimal import Decimal as D

decimal.getcontext().prec = 50


def to_float(x):
    return struct.unpack("f", struct.pack("f", float(x)))[0]


def erf(x):
    """Maclaurin series: converges in about 120 terms for |x| <= 5."""
    term, total, n = x, x, 0
    while abs(term) > D(10) ** -45:
        n += 1
        term = -term * x * x / n
        total += term / (2 * n + 1)
    return total * 2 / PI.sqrt()


def scaled_erfc(x):
    """erfc(x) e^(x^2): by erf where that leaves digits, else by the continued fraction of Laplace."""
    if x < 3:
        return (1 - erf(x)) * (x * x).exp()
    fraction = D(0)
    for k in range(400, 0, -1):
        fraction = D(k) / 2 / (x + fraction)
    return 1 / (x + fraction) / PI.sqrt()


def atan(x):
    halvings = 0
    while abs(x) > D("0.05"):
        x = x / (1 + (1 + x * x).sqrt())
        halvings += 1
    term, total, n = x, x, 1
    while abs(term) > D(10) ** -48:
        term = -term * x * x
        n += 2
        total += term / n
    return total * 2**halvings


def asin(x):
    return atan(x / (1 - x * x).sqrt())


def sin(x):
    term, total, n = x, x, 1
    while abs(term) > D(10) ** -48:
        term = -term * x * x / ((n + 1) * (n + 2))
        total += term
        n += 2
    return total


def cos(x):
    term, total, n = D(1), D(1), 0
    while abs(term) > D(10) ** -48:
        term = -term * x * x / ((n + 1) * (n + 2))
        total += term
        n += 2
    return total


def tanh(x):
    e = (2 * x).exp()
    return (e - 1) / (e + 1)


PI = D("3.14159265358979323846264338327950288419716939937510582097494459")


def solve(matrix, right):
    """Gaussian elimination with partial pivoting."""
    n = len(matrix)
    rows = [row[:] + [value] for row, value in zip(matrix, right)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(i + 1, n):
            factor = rows[r][i] / rows[i][i]
            for c in range(i, n + 1):
                rows[r][c] -= factor * rows[i][c]
    x = [D(0)] * n
    for i in reversed(range(n)):
        x[i] = (rows[i][n] - sum(rows[i][c] * x[c] for c in range(i + 1, n))) / rows[i][i]
    return x


def remez(target, weight, p_degree, q_degree, low, high, rounds=40, grid=1500):
    """Coefficients (p, q), q[0] = 1, of P(s)/Q(s) ~ target(s) on [low, high] under weight(s).

    Exchange on the variable s itself: the caller gives target and weight as functions of s.
    """
    low, high = D(low), D(high)
    unknowns = p_degree + 1 + q_degree
    middle, half = (low + high) / 2, (high - low) / 2

    def chebyshev(count):
        return [middle - half * cos(PI * i / (count - 1)) for i in range(count)]

    points = chebyshev(unknowns + 1)
    samples = chebyshev(grid)
    f = [target(s) for s in samples]
    w = [weight(s) for s in samples]
    p, q = [D(0)] * (p_degree + 1), [D(1)] + [D(0)] * q_degree
    for round_number in range(rounds):
        q_inner = 12 if q_degree else 1
        for _ in range(q_inner):
            matrix, right = [], []
            for i, s in enumerate(points):
                value = target(s)
                denominator = evaluate(q, s)
                powers = [D(1)]
                for _ in range(max(p_degree, q_degree)):
                    powers.append(powers[-1] * s)
                matrix.append(powers[:p_degree + 1] + [-value * power for power in powers[1:q_degree + 1]] +
                              [(-1) ** i * abs(denominator) / weight(s)])
                right.append(value)
            solution = solve(matrix, right)
            p, q, level = solution[:p_degree + 1], [D(1)] + solution[p_degree + 1:-1], abs(solution[-1])
        errors = [(evaluate(p, s) / evaluate(q, s) - v) * u for s, v, u in zip(samples, f, w)]
        extremes = []
        for i in range(grid):
            if extremes and (errors[i] > 0) == (errors[extremes[-1]] > 0):
                if abs(errors[i]) > abs(errors[extremes[-1]]):
                    extremes[-1] = i
            else:
                extremes.append(i)
        while len(extremes) > len(points):
            extremes.pop(0 if abs(errors[extremes[0]]) < abs(errors[extremes[-1]]) else -1)
        worst = max(abs(e) for e in errors)
        if len(extremes) < len(points) or worst < level * D("1.001"):
            break
        points = [samples[i] for i in extremes]
    return p, q, worst


def evaluate(coefficients, s):
    value = D(0)
    for c in reversed(coefficients):
        value = value * s + c
    return value


def report(name, coefficients, worst):
    print(f"{name}: minimax error {float(worst):.2e}")
    print("  " + ", ".join(f"{to_float(c):.9e}f" for c in coefficients))


def fit_exp():
    # exp(r) = 1 + r + r^2 P(r) on |r| <= ln(2)/2; relative error.
    bound = D(2).ln() / 2 * D("1.0001")
    def target(r):
        return (r.exp() - 1 - r) / (r * r) if abs(r) > D(10) ** -12 else D("0.5") + r / 6
    p, _, worst = remez(target, lambda r: r * r / r.exp() + D(10) ** -9, 4, 0, -bound, bound)
    report("exp", p, worst)


def fit_exp2():
    # 2^f on |f| <= 1/2, for sigmoid, where the argument comes premultiplied; P(0) = 1.
    def target(f):
        return ((f * D(2).ln()).exp() - 1) / f if abs(f) > D(10) ** -12 else D(2).ln()
    p, _, worst = remez(target, lambda f: abs(f) / (f * D(2).ln()).exp() + D(10) ** -9, 5, 0, D("-0.5001"), D("0.5001"))
    report("exp2 degree 6", p, worst)
    p, _, worst = remez(target, lambda f: abs(f) / (f * D(2).ln()).exp() + D(10) ** -9, 4, 0, D("-0.5001"), D("0.5001"))
    report("exp2 degree 5", p, worst)
    # The short one, P(0) free too.
    p, _, worst = remez(lambda f: (f * D(2).ln()).exp(), lambda f: 1 / (f * D(2).ln()).exp(), 3, 0, D("-0.5001"), D("0.5001"), grid=400)
    report("exp2 short", p, worst)


def fit_log():
    # log(1 + r) = r - r^2/2 + r^3 P(r) on [-1/3, 1/3]; error relative to r.
    def target(r):
        if abs(r) < D(10) ** -10:
            return D(1) / 3 - r / 4
        return ((1 + r).ln() - r + r * r / 2) / r**3
    for degree in (7, 6):
        p, _, worst = remez(target, lambda r: r * r + D(10) ** -9, degree, 0, D("-0.33334"), D("0.33334"))
        report(f"log degree {degree}", p, worst)


def fit_sin_cos():
    bound = (PI / 4 * D("1.0001"))**2
    def sine(s):  # sin(r) = r + r^3 P(r^2)
        r = s.sqrt()
        return (sin(r) - r) / (r * s) if s > D(10) ** -12 else D(-1) / 6 + s / 120
    p, _, worst = remez(sine, lambda s: s + D(10) ** -9, 2, 0, D(0), bound)
    report("sin", p, worst)
    def cosine(s):  # cos(r) = 1 - r^2/2 + r^4 P(r^2)
        r = s.sqrt()
        return (cos(r) - 1 + s / 2) / (s * s) if s > D(10) ** -12 else D(1) / 24 - s / 720
    p, _, worst = remez(cosine, lambda s: s * s + D(10) ** -9, 2, 0, D(0), bound)
    report("cos", p, worst)


def fit_scaled_erfc():
    for degrees in ((2, 3), (4, 5), (5, 6)):
        p, q, worst = remez(scaled_erfc, lambda x: 1 / scaled_erfc(x), *degrees, D(0), D("10.1"), rounds=30, grid=700)
        report(f"erfc P {degrees}", p, worst)
        report(f"erfc Q {degrees}", q, worst)


def fit_atan_asin():
    def arctangent(s):  # atan(t) = t + t^3 P(t^2), |t| <= 1
        t = s.sqrt()
        return (atan(t) - t) / (t * s) if s > D(10) ** -12 else D(-1) / 3 + s / 5
    p, _, worst = remez(arctangent, lambda s: s.sqrt() * s / atan(s.sqrt()) if s > 0 else D(10) ** -9, 7, 0, D(0), D(1), grid=700)
    report("atan", p, worst)
    def arcsine(s):  # asin(t) = t + t^3 P(t^2), |t| <= 1/2
        t = s.sqrt()
        return (asin(t) - t) / (t * s) if s > D(10) ** -12 else D(1) / 6 + 3 * s / 40
    p, _, worst = remez(arcsine, lambda s: s + D(10) ** -9, 4, 0, D(0), D("0.25"), grid=700)
    report("asin", p, worst)


def fit_odd_rational(name, function, slope, limit, shapes):
    # function(x) = x P(x^2) / Q(x^2), relative error, P(0) free, Q(0) = 1.
    def target(s):
        return function(s.sqrt()) / s.sqrt() if s > D(10) ** -20 else slope
    for p_degree, q_degree in shapes:
        p, q, worst = remez(target, lambda s: 1 / target(s), p_degree, q_degree, D(0), D(limit)**2, rounds=30, grid=700)
        report(f"{name} P degree {p_degree} (Q {q_degree})", p, worst)
        report(f"{name} Q degree {q_degree}", q, worst)


if __name__ == "__main__":
    fit_exp()
    fit_exp2()
    fit_log()
    fit_sin_cos()
    fit_scaled_erfc()
    fit_atan_asin()
    fit_odd_rational("tanh", tanh, D(1), "9.02", [(4, 4), (6, 3), (5, 3), (4, 3), (5, 4)])
    fit_odd_rational("erf", erf, 2 / PI.sqrt(), "3.95", [(4, 5), (5, 4), (6, 4), (5, 5)])
