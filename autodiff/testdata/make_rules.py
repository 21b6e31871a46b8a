#!/usr/bin/env python3
"""Writes rules.inc: values and derivatives by mpmath at 60 digits, at both ends of each function's
domain, for autodiff/rules_test.cc.

    python3 autodiff/testdata/make_rules.py > autodiff/testdata/rules.inc

Points are doubles (or, in the second part, floats), taken exactly. Derivatives are the closed forms
below, checked here against mpmath's own differentiation where that is well conditioned.
"""
import struct
import mpmath as mp

mp.mp.dps = 60


def sech2(x):
    e = mp.exp(-2 * abs(x))
    return 4 * e / (1 + e) ** 2


def tanh(x):
    return mp.tanh(x) if abs(x) < 1000 else mp.sign(x) * (1 - 2 * mp.exp(-2 * abs(x)))


def sigmoid(x):
    return 1 / (1 + mp.exp(-x))


def phi(x):
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def Phi(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2 if abs(x) < 1e4 else (mp.mpf(1) if x > 0 else mp.mpf(0))


def gelu_tanh_u(x):
    return 2 * mp.mpf(0.79788456080286535588) * (x + mp.mpf(0.044715) * x ** 3)


def gelu_tanh_d(x, order):
    c, k = 2 * mp.mpf(0.79788456080286535588), mp.mpf(0.044715)
    u = gelu_tanh_u(x)
    s, t = sigmoid(u), sigmoid(-u)
    u1, u2 = c * (1 + 3 * k * x * x), 6 * c * k * x
    ds = s * t * u1
    if order == 1:
        return s + x * ds
    dds = s * t * (t - s) * u1 ** 2 + s * t * u2
    return 2 * ds + x * dds


def silu_d(x, order):
    s, t = sigmoid(x), sigmoid(-x)
    if order == 1:
        return s * (1 + x * t)
    return s * t * (2 + x * (t - s))


def sqrt_(x):
    return mp.sqrt(x)


def cbrt(x):
    return mp.sign(x) * mp.cbrt(abs(x))


L2, L10 = mp.log(2), mp.log(10)
big = [1e-300, 1e-160, 1e-30, 1e-8, 0.3, 1.0, 2.5, 1e8, 1e30, 1e160, 1e300]
both = sorted([-x for x in big] + big)
unit = [1e-300, 1e-30, 1e-8, 0.3, 0.9, 0.9999, 1 - 1e-10, 1 - 2.0 ** -53]
both_unit = sorted([-x for x in unit] + unit)
moderate = [1e-300, 1e-30, 1e-8, 0.3, 1.0, 2.5, 10.0, 20.0, 40.0, 300.0, 700.0]
both_moderate = sorted([-x for x in moderate] + moderate)
tails = [1e-300, 1e-30, 1e-8, 0.3, 1.1, 2.5, 6.0, 10.0, 19.0, 26.5, 37.0, 45.0, 300.0, 800.0, 1e30, 1e160, 1e300, 1.7e308]
both_tails = sorted([-x for x in tails] + tails)

# name: (value, first, second derivative, points)
FUNCTIONS = {
    "sqrt": (sqrt_, lambda x: 1 / (2 * mp.sqrt(x)), lambda x: -1 / (4 * x * mp.sqrt(x)), big),
    "cbrt": (cbrt, lambda x: 1 / (3 * cbrt(x) ** 2), lambda x: -2 / (9 * cbrt(x) ** 5), both),
    "exp": (mp.exp, mp.exp, mp.exp, both_moderate),
    "exp2": (lambda x: 2 ** x, lambda x: L2 * 2 ** x, lambda x: L2 ** 2 * 2 ** x, both_moderate),
    "expm1": (mp.expm1, mp.exp, mp.exp, both_moderate),
    "log": (mp.log, lambda x: 1 / x, lambda x: -1 / x ** 2, big),
    "log2": (lambda x: mp.log(x) / L2, lambda x: 1 / (x * L2), lambda x: -1 / (x ** 2 * L2), big + [8.0, 1.7e308]),
    "log10": (lambda x: mp.log(x) / L10, lambda x: 1 / (x * L10), lambda x: -1 / (x ** 2 * L10), big + [1000.0, 1.7e308]),
    "log1p": (mp.log1p, lambda x: 1 / (1 + x), lambda x: -1 / (1 + x) ** 2, [-1 + 2.0 ** -53, -0.9, -1e-8, -1e-300] + big),
    "sin": (mp.sin, mp.cos, lambda x: -mp.sin(x), [-1e8, -2.5, -1e-8, 1e-300, 0.3, 2.5, 1e8, 1e22]),
    "cos": (mp.cos, lambda x: -mp.sin(x), lambda x: -mp.cos(x), [-1e8, -2.5, -1e-8, 1e-300, 0.3, 2.5, 1e8, 1e22]),
    "tan": (mp.tan, lambda x: 1 + mp.tan(x) ** 2, lambda x: 2 * mp.tan(x) * (1 + mp.tan(x) ** 2), [-1e8, -2.5, 1e-300, 1e-8, 0.3, 1.5707963267948966, 1e8]),
    "asin": (mp.asin, lambda x: 1 / mp.sqrt(1 - x * x), lambda x: x / (1 - x * x) ** 1.5, both_unit),
    "acos": (mp.acos, lambda x: -1 / mp.sqrt(1 - x * x), lambda x: -x / (1 - x * x) ** 1.5, both_unit),
    "atan": (mp.atan, lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2, both + [1e100, -1e100]),
    "sinh": (mp.sinh, mp.cosh, mp.sinh, both_moderate),
    "cosh": (mp.cosh, mp.sinh, mp.cosh, both_moderate),
    "tanh": (tanh, sech2, lambda x: -2 * tanh(x) * sech2(x), both_tails + [711.0, 89.5]),
    "asinh": (mp.asinh, lambda x: 1 / mp.sqrt(1 + x * x), lambda x: -x / (1 + x * x) ** 1.5, both + [1e16, 1e100]),
    "acosh": (mp.acosh, lambda x: 1 / mp.sqrt((x - 1) * (x + 1)), lambda x: -x / ((x - 1) * (x + 1)) ** 1.5, [1 + 2.0 ** -52, 1 + 1e-10, 1.5, 1e8, 1e30, 1e100, 1e300]),
    "atanh": (mp.atanh, lambda x: 1 / ((1 - x) * (1 + x)), lambda x: 2 * x / ((1 - x) * (1 + x)) ** 2, both_unit),
    "erf": (mp.erf, lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x), lambda x: -4 * x / mp.sqrt(mp.pi) * mp.exp(-x * x), [x for x in both_tails if abs(x) < 1e5]),
    "erfc": (mp.erfc, lambda x: -2 / mp.sqrt(mp.pi) * mp.exp(-x * x), lambda x: 4 * x / mp.sqrt(mp.pi) * mp.exp(-x * x), [x for x in both_tails if abs(x) < 1e5]),
    "lgamma": (lambda x: mp.log(abs(mp.gamma(x))) if x < 1e6 else mp.loggamma(x), lambda x: mp.psi(0, x), lambda x: mp.psi(1, x), [-1e7 - 0.25, -1234.501, -33.4, -2.7, -1e-8, 1e-300, 1e-8, 0.3, 3.3, 30.5, 1e8, 1e100, 1e300]),
    "tgamma": (mp.gamma, lambda x: mp.gamma(x) * mp.psi(0, x), lambda x: mp.gamma(x) * (mp.psi(1, x) + mp.psi(0, x) ** 2), [-33.4, -2.7, -1e-8, 1e-100, 1e-8, 0.3, 3.3, 30.5, 170.5]),
    "digamma": (lambda x: mp.psi(0, x), lambda x: mp.psi(1, x), lambda x: mp.psi(2, x), [-1e7 - 0.25, -1234.501, -33.4, -2.7, -1e-8, 1e-100, 1e-8, 0.3, 3.3, 30.5, 1e8, 1e100]),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * sigmoid(-x), lambda x: sigmoid(x) * sigmoid(-x) * (sigmoid(-x) - sigmoid(x)), [x for x in both_tails if abs(x) > 1e-20]),
    "softplus": (lambda x: mp.log1p(mp.exp(-abs(x))) + max(x, 0), sigmoid, lambda x: sigmoid(x) * sigmoid(-x), both_tails),
    "softsign": (lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2, lambda x: -2 * mp.sign(x) / (1 + abs(x)) ** 3, both),
    "gelu": (lambda x: x * Phi(x), lambda x: Phi(x) + x * phi(x), lambda x: phi(x) * (2 - x * x), both_tails),
    "gelu_tanh": (lambda x: x * sigmoid(gelu_tanh_u(x)), lambda x: gelu_tanh_d(x, 1), lambda x: gelu_tanh_d(x, 2), both_tails),
    "silu": (lambda x: x * sigmoid(x), lambda x: silu_d(x, 1), lambda x: silu_d(x, 2), both_tails),
}

# name: (value, by x, by y, points)
BINARY = {
    "pow": (lambda x, y: x ** y, lambda x, y: y * x ** (y - 1), lambda x, y: mp.log(x) * x ** y,
            [(1e-300, 0.5), (1e300, 1.01), (1e-5, -60.0), (2.5, 700.0), (0.999999, 1e7), (1e-200, 1.5)]),
    "hypot": (lambda x, y: mp.sqrt(x * x + y * y), lambda x, y: x / mp.sqrt(x * x + y * y), lambda x, y: y / mp.sqrt(x * x + y * y),
              [(3.0, 4.0), (1e-300, 2e-300), (1e300, -2e300), (1e-30, 1.0), (1e200, 1e-200)]),
    "atan2": (lambda y, x: mp.atan2(y, x), lambda y, x: x / (x * x + y * y), lambda y, x: -y / (x * x + y * y),
              [(3.0, 4.0), (1e-155, 2e-155), (1e155, 2e155), (1e-20, 3e-20), (-1e300, 1e299), (1e-30, -1.0), (1e-300, 2e-300)]),
    "logsumexp": (lambda a, b: max(a, b) + mp.log1p(mp.exp(-abs(a - b))), lambda a, b: 1 / (1 + mp.exp(b - a)), lambda a, b: 1 / (1 + mp.exp(a - b)),
                  [(0.0, 40.0), (1000.0, 1001.0), (-1e30, 1.0), (700.0, -700.0), (-1e5, -1e5 - 1)]),
}


def as_float(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def fits(x, lowest, highest):
    return lowest < abs(x) < highest


def text(x):
    if abs(x) >= mp.mpf(2) ** 1024 * (1 - mp.mpf(2) ** -54):
        return "-kInf" if x < 0 else "kInf"
    return repr(float(x)) if abs(x) > mp.mpf(2) ** -1080 else "0.0"


def safely(f, *x):
    try:
        return f(*[mp.mpf(v) for v in x])
    except (OverflowError, ValueError):
        return None


def row(name, x, derivatives):
    values = [safely(f, x) for f in derivatives]
    if any(v is None for v in values):
        raise RuntimeError(name + " " + repr(x))
    return '{"%s", %r, {%s}},' % (name, x, ", ".join(text(v) for v in values))


def main():
    print("// Made by make_rules.py with mpmath %s. Each row holds a function's name, a point, and there the" % mp.__version__)
    print("// value and the first and second derivatives.")
    print("constexpr Row kDoubles[] = {")
    for name, (*derivatives, points) in FUNCTIONS.items():
        for x in points:
            print("    " + row(name, x, derivatives))
    print("};")
    print("constexpr Row kFloats[] = {")
    for name, (*derivatives, points) in FUNCTIONS.items():
        for x in points:
            y = as_float(x) if abs(x) < 3e38 else None
            if y is None or not fits(y, 1e-37, 1e38):
                continue
            if name in ("asin", "acos", "atanh") and abs(y) >= 1 or name == "log1p" and y <= -1 or name == "acosh" and y <= 1:
                continue
            if name in ("lgamma", "digamma", "tgamma") and y <= 0 and y == round(y):
                continue
            print("    " + row(name, y, derivatives))
    print("};")
    print("// Each row holds a function's name, a point (x, y), and there the value and the derivatives by x and")
    print("// by y.")
    print("constexpr BinaryRow kBinaries[] = {")
    for name, (*derivatives, points) in BINARY.items():
        for point in points:
            values = [safely(f, *point) for f in derivatives]
            print('    {"%s", %r, %r, {%s}},' % (name, *point, ", ".join(text(v) for v in values)))
    print("};")


if __name__ == "__main__":
    main()
