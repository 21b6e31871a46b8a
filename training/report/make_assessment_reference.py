"""Prints what assessment_test.cc expects, with mpmath at 40 digits and none of its formulas: the scores of image i and class k
are 3 sin(7 i + 3 k + 1), its label is the most probable class, but for every third image the next one. Run: python3 THIS."""
import mpmath as mp
mp.mp.dps = 40
N, K, BINS = 60, 4, 15
scores = [[3 * mp.sin(7 * i + 3 * k + 1) for k in range(K)] for i in range(N)]
best = [max(range(K), key=lambda k: s[k]) for s in scores]
labels = [(b + (i % 3 == 0)) % K for i, b in enumerate(best)]
def softmax(s, t=1):
    e = [mp.exp(x / t) for x in s]
    return [x / sum(e) for x in e]
def loss(t):
    return -sum(mp.log(softmax(s, t)[y]) for s, y in zip(scores, labels)) / N
def ece(t):
    bins = [[] for _ in range(BINS)]
    for s, y, b in zip(scores, labels, best):
        p = softmax(s, t)[b]
        bins[int(mp.ceil(p * BINS)) - 1].append((p, y == b))
    return sum(abs(sum(p for p, _ in b) - sum(r for _, r in b)) for b in bins) / N
t = mp.findroot(lambda u: mp.diff(loss, mp.exp(u)), 0.5)
t = mp.exp(t)
for name, value in (('log loss', loss(1)), ('calibration error', ece(1)), ('temperature', t), ('log loss there', loss(t)),
                    ('calibration error there', ece(t))):
    print(f'{name}: {mp.nstr(value, 12)}')
# Wilson's interval as the roots of (p - x)^2 = z^2 x (1 - x) / n.
z = mp.sqrt(2) * mp.erfinv(mp.mpf('0.95'))
for s, n in ((40, 60), (60, 60), (0, 5)):
    p = mp.mpf(s) / n
    print('wilson', s, n, [mp.nstr(r, 12) for r in mp.polyroots([1 + z * z / n, -2 * p - z * z / n, p * p])])
