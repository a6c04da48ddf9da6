# SPDX-License-Identifier: Apache-2.0
"""Every figure of the judge against SciPy, on random and on degenerate input. The bootstrap is
done again here, draw by draw, from the same generator written a second time."""

import itertools
import json
import math
import os
import random
import statistics
import sys
from decimal import Decimal, getcontext

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import judgelib
from judgelib import ok


def other_python():
    """Debian's python3 where this one has no SciPy (a python from elsewhere is first in PATH)."""
    debian = "/usr/bin/python3"
    if not os.environ.get("JUDGE_SECOND_TRY") and os.access(debian, os.X_OK):
        os.environ["JUDGE_SECOND_TRY"] = "1"
        os.execv(debian, [debian, "-B", os.path.abspath(__file__)])


try:
    import numpy
    import scipy.special
    import scipy.stats
except ImportError as problem:
    other_python()
    judgelib.skip("figures against SciPy", "no SciPy: %s" % problem)
    judgelib.done()

getcontext().prec = 50
RNG = random.Random(20261121)
DRIVER = judgelib.build_driver(judgelib.temp_dir(), judgelib.compiler(),
                               ["-O2", "-ffp-contract=off"])


def group(values):
    return "%d %s" % (len(values), " ".join(repr(float(v)) for v in values))


def answers(lines):
    got = judgelib.ask(DRIVER, lines).splitlines()
    assert len(got) == len(lines), (len(got), len(lines))
    return [[float.fromhex(word) for word in line.split()] for line in got]


def compare(what, lines, wanted, tolerance, absolute=0.0):
    """Each answer within `tolerance` of what is wanted, relative; says the worst."""
    worst, where = 0.0, ""
    for line, got, want in zip(lines, answers(lines), wanted):
        want = want if isinstance(want, (list, tuple)) else [want]
        if len(got) != len(want):
            worst, where = math.inf, line
        for a, b in zip(got, want):
            if a == b:  # infinities too
                continue
            off = abs(a - b)
            off = 0.0 if off <= absolute else off / abs(b) if b != 0 else math.inf
            if not off <= worst:  # NaN is the worst
                worst, where = off, "%s: got %r, wanted %r" % (line[:300], got, want)
    ok(worst <= tolerance, "%s: %d answers, worst relative error %.2g" % (what, len(lines), worst),
       where)


def elementary():
    points = [RNG.uniform(0.5, 2) for _ in range(1000)]
    points += [math.ldexp(1 + RNG.random(), RNG.randrange(-1000, 1000)) for _ in range(1000)]
    points += [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.9999999999999999]
    compare("log against 50 digits", ["log %r" % x for x in points],
            [float(Decimal(x).ln()) for x in points], 2.3e-16)
    points = [RNG.uniform(-0.5, 0.5) for _ in range(1000)]
    points += [RNG.uniform(-700, 700) for _ in range(1000)] + [1e-300, -1e-300, 709.7, -708]
    compare("exp against 50 digits", ["exp %r" % x for x in points],
            [float(Decimal(x).exp()) for x in points], 2.3e-16)


def distributions():
    points = [RNG.uniform(-37, 8) for _ in range(3000)] + [0, -2.5, 2.5]
    compare("normal distribution", ["phi %r" % x for x in points],
            [float(v) for v in scipy.stats.norm.cdf(points)], 1e-12)
    freedoms = list(range(1, 70)) + [100, 333, 1000]
    points = [(10 ** RNG.uniform(-3, 2), RNG.choice(freedoms)) for _ in range(3000)]
    compare("tail of Student's t", ["tail %r %d" % p for p in points],
            [float(scipy.stats.t.sf(t, df)) for t, df in points], 1e-11)
    points = [(10 ** RNG.uniform(-6, -0.31), RNG.choice(freedoms)) for _ in range(3000)]
    lines = ["quantile %r %d" % p for p in points]
    # SciPy's own quantile is good to 8 digits only: put ours back into its tail.
    worst = max(abs(scipy.stats.t.sf(got[0], df) / tail - 1)
                for got, (tail, df) in zip(answers(lines), points))
    ok(worst < 1e-10, "quantiles of Student's t: %d answers, worst %.2g" % (len(lines), worst))


def samples_of(count):
    """Random values of several kinds, ties and constants among them."""
    kind = RNG.randrange(5)
    if kind == 0:
        return [RNG.gauss(100, 1) for _ in range(count)]
    if kind == 1:
        return [RNG.randrange(4) + 1.0 for _ in range(count)]
    if kind == 2:
        return [7.0] * count
    if kind == 3:
        return [math.exp(RNG.gauss(0, 3)) for _ in range(count)]
    return [RNG.gauss(0, 1) * (100 if RNG.random() < 0.1 else 1) for _ in range(count)]


def medians():
    sets = [samples_of(RNG.randrange(1, 60)) for _ in range(1500)] + [[1.0], [2.0, 1.0], [3.0] * 9]
    compare("medians", ["median " + group(s) for s in sets], [float(numpy.median(s)) for s in sets],
            3e-16)

    def interval(values, confidence):
        n = len(values)
        ranks = [k for k in range(1, n // 2 + 1)
                 if scipy.stats.binom.cdf(k - 1, n, 0.5) <= (1 - confidence) / 2]
        k = max(ranks, default=1)
        ordered = sorted(values)
        return [ordered[k - 1], ordered[n - k]]

    lines, wanted = [], []
    for values in sets:
        confidence = RNG.choice([0.9, 0.95, 0.99])
        lines.append("interval %r %s" % (confidence, group(values)))
        wanted.append(interval(values, confidence))
    compare("intervals of medians", lines, wanted, 0)


def effects():
    pairs = [(samples_of(RNG.randrange(2, 30)), samples_of(RNG.randrange(2, 30)))
             for _ in range(1000)]

    def cliff(a, b):
        # SciPy's U counts a tie for half: delta = 2 U / (n m) − 1
        return float(2 * scipy.stats.mannwhitneyu(a, b, method="asymptotic").statistic /
                     (len(a) * len(b)) - 1)

    lines = ["%s %s" % (group(a), group(b)) for a, b in pairs]
    compare("Hedges' g", ["g " + line for line in lines], [hedges(a, b) for a, b in pairs], 1e-9,
            1e-12)
    compare("Cliff's delta", ["delta " + line for line in lines], [cliff(a, b) for a, b in pairs],
            1e-12, 1e-15)


def mann_whitney():
    def distinct(count, shift):
        return [RNG.gauss(shift, 1) for _ in range(count)]

    pairs = [(distinct(RNG.randrange(1, 17), 0), distinct(RNG.randrange(1, 17), RNG.uniform(0, 3)))
             for _ in range(400)]
    compare("exact Mann–Whitney p without ties",
            ["p %s %s" % (group(a), group(b)) for a, b in pairs],
            [float(scipy.stats.mannwhitneyu(a, b, method="exact").pvalue) for a, b in pairs],
            1e-12)

    pairs = [([float(RNG.randrange(4)) for _ in range(RNG.randrange(2, 6))],
              [float(RNG.randrange(5)) for _ in range(RNG.randrange(2, 6))]) for _ in range(60)]

    def permuted(a, b):
        def statistic(x, y):
            return scipy.stats.mannwhitneyu(x, y, method="asymptotic").statistic
        return float(scipy.stats.permutation_test((a, b), statistic, n_resamples=10 ** 6,
                                                  vectorized=False).pvalue)

    compare("exact Mann–Whitney p with ties, against every permutation",
            ["p %s %s" % (group(a), group(b)) for a, b in pairs],
            [permuted(a, b) for a, b in pairs], 1e-12)

    pairs = [(samples_of(RNG.randrange(17, 60)), samples_of(RNG.randrange(17, 60)))
             for _ in range(400)]

    def approximate(a, b):
        p = float(scipy.stats.mannwhitneyu(a, b, method="asymptotic").pvalue)
        return 1.0 if math.isnan(p) else p  # all tied: SciPy has no answer

    compare("Mann–Whitney p of many values",
            ["p %s %s" % (group(a), group(b)) for a, b in pairs],
            [approximate(a, b) for a, b in pairs], 1e-10)


# ---- the bootstrap, again ----

MASK = (1 << 64) - 1


class Generator:
    """xoshiro256** seeded by splitmix64, four draws a word."""

    def __init__(self, seed, stream):
        for _ in range(stream + 1):
            self.state = []
            for _ in range(4):
                seed = (seed + 0x9e3779b97f4a7c15) & MASK
                z = seed
                z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & MASK
                z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & MASK
                self.state.append(z ^ (z >> 31))

    def word(self):
        s = self.state
        x = (s[1] * 5) & MASK
        result = (((x << 7) | (x >> 57)) & MASK) * 9 & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = ((s[3] << 45) | (s[3] >> 19)) & MASK
        return result

    def four(self, bound):
        while True:
            word = self.word()
            products = [((word >> shift) & 0xffff) * bound for shift in (0, 16, 32, 48)]
            if all(p & 0xffff >= 65536 % bound for p in products):
                return [p >> 16 for p in products]

    def means(self, values, count):
        """Of that many resamples, four side by side, k values a draw: nᵏ at most 4096."""
        n = len(values)
        length = 1
        while n ** (length + 1) <= 4096 and length < n:
            length += 1
        lengths = [length] * (n // length) + ([n % length] if n % length else [])
        means = []
        while len(means) < count:
            sums = [0.0] * 4
            for size in lengths:
                for lane, index in enumerate(self.four(n ** size)):
                    sums[lane] += sum(values[index // n ** digit % n] for digit in range(size))
            means += [total / n for total in sums]
        return means[:count]


def bootstrap(seed, resamples, confidence, comparisons, scatter, df, variance, a, b):
    first, second = Generator(seed, 0), Generator(seed, 1)
    means = first.means(a, resamples)
    if b:
        means = [one - other for one, other in zip(means, second.means(b, resamples))]
    n = min(len(a), len(b)) if b else len(a)
    tail = (1 - confidence) / 2
    t = scipy.stats.t.isf(tail, n - 1)
    level = float(scipy.stats.norm.cdf(-math.sqrt(n / (n - 1)) * t))
    estimate = float(numpy.mean(a)) - (float(numpy.mean(b)) if b else 0.0)
    error = math.sqrt(numpy.var(a, ddof=1) / len(a) +
                      (numpy.var(b, ddof=1) / len(b) if b else 0.0))
    low = min(float(numpy.percentile(means, 100 * level)), estimate - t * error)
    high = max(float(numpy.percentile(means, 100 * (1 - level))), estimate + t * error)
    more = min(math.floor(df), n - 1)
    wider = scipy.stats.t.isf(tail / comparisons, n - 1 + more)
    shared = math.sqrt(((n - 1) * error ** 2 + more * variance / n) / (n - 1 + more))
    factor = max(1, wider / t * (shared / error if more > 0 and error > 0 else 1))
    least = wider * max(shared, scatter / math.sqrt(n))
    return [estimate, low, high, error,
            min(estimate - factor * (estimate - low), estimate - least),
            max(estimate + factor * (high - estimate), estimate + least)]


def spread(variances, dfs):
    """limma's fitFDist, its d0 taken down to a whole number of at most 1000"""
    half = numpy.array(dfs) / 2
    e = numpy.log(variances) - scipy.special.digamma(half) + numpy.log(half)
    if len(e) < 3:
        return [0.0, 0.0]
    excess = numpy.var(e, ddof=1) - numpy.mean(scipy.special.polygamma(1, half))
    df = max((k for k in range(1, 1001) if scipy.special.polygamma(1, k / 2) >= excess), default=0)
    if df == 0:
        return [0.0, 0.0]
    return [float(df), math.exp(numpy.mean(e) + scipy.special.digamma(df / 2) - math.log(df / 2))]


def spreads():
    points = [RNG.uniform(0.01, 40) for _ in range(300)] + [0.5, 1.0, 1.4616321, 11.999, 12.0, 500.0]
    compare("digamma", ["digamma %r" % x for x in points],
            [float(scipy.special.digamma(x)) for x in points], 1e-11, 1e-12)
    compare("trigamma", ["trigamma %r" % x for x in points],
            [float(scipy.special.polygamma(1, x)) for x in points], 1e-12)
    cases = []
    for trial in range(200):
        dfs = [RNG.choice([1, 2, 5, 7, 15]) for _ in range(RNG.choice([1, 2, 3, 5, 8, 40]))]
        far = RNG.choice([0, 0, 0.3, 1, 3])
        cases.append(([math.exp(RNG.gauss(-12, far)) * RNG.gammavariate(d / 2, 2 / d) for d in dfs], dfs))
    wanted = [spread(*case) for case in cases]
    compare("what configs learn of each other", ["spread %s %s" % tuple(map(group, c)) for c in cases],
            wanted, 1e-9)
    found = [w[0] for w in wanted]
    ok(found.count(0.0) > 20 and sum(0 < f < 1000 for f in found) > 20 and found.count(1000.0) > 20,
       "the cases were of all kinds", str(sorted(found)))


def bootstraps():
    lines, wanted = [], []
    for trial in range(60):
        a = [RNG.gauss(0.01, 0.004) for _ in range(RNG.choice([2, 3, 5, 6, 7, 8, 13, 16, 64, 65, 300]))]
        b = [RNG.gauss(0, 0.01) for _ in range(RNG.choice([2, 6, 12, 70]))] if trial % 3 == 0 else []
        if trial % 4 == 1:
            a[0] += 0.2  # one outlier: the percentile's side counts
        if trial % 10 == 7:
            a = [0.02] * len(a)
        settings = (RNG.randrange(1 << 30), RNG.choice([2, 100, 999, 2500]),
                    RNG.choice([0.9, 0.95, 0.99]), RNG.choice([1, 3, 15]),
                    RNG.choice([0, 0.003, 0.01]), RNG.choice([0, 0, 1, 4.5, 1000]),
                    RNG.choice([1e-6, 1e-5, 1e-3]))
        lines.append("boot %d %d %r %d %r %r %r %s %s" % (*settings, group(a), group(b)))
        wanted.append(bootstrap(*settings, a, b))
    compare("bootstrap, both intervals", lines, wanted, 1e-7, 1e-13)


# ---- degenerate input ----


def hedges(a, b):
    df = len(a) + len(b) - 2
    pooled = math.sqrt(((len(a) - 1) * numpy.var(a, ddof=1) +
                        (len(b) - 1) * numpy.var(b, ddof=1)) / df)
    off = numpy.mean(a) - numpy.mean(b)
    if pooled == 0:
        return 0.0 if off == 0 else math.copysign(math.inf, off)
    return float((1 - 3 / (4 * df - 1)) * off / pooled)


def exact_p(a, b):
    """Every way to deal the values to the groups, in whole numbers."""
    n, values = len(a), a + b
    ranks = [round(2 * r) for r in scipy.stats.rankdata(values)]
    observed = sum(ranks[:n])
    sums = [sum(dealt) for dealt in itertools.combinations(ranks, n)]
    fewer = min(sum(s <= observed for s in sums), sum(s >= observed for s in sums))
    return min(1.0, 2 * fewer / len(sums))


def edges_of_distributions():
    """Far out, at zero, with one degree of freedom (which is Cauchy's) and with very many."""
    points = [(0.0, df) for df in (1, 2, 7)]
    points += [(t, df) for t in (1e-9, 1e-3, 1.0, 30.0, 1e4) for df in (1, 2, 3, 1000)]
    compare("tail of Student's t at its edges", ["tail %r %d" % p for p in points],
            [float(scipy.stats.t.sf(t, df)) for t, df in points], 1e-10)
    points = [1e-12, 1e-5, 0.1, 0.25, 0.4999]
    compare("quantiles with one degree of freedom", ["quantile %r 1" % p for p in points],
            [1 / math.tan(math.pi * p) for p in points], 1e-9)
    compare("quantiles with two", ["quantile %r 2" % p for p in points],
            [(1 - 2 * p) / math.sqrt(2 * p * (1 - p)) for p in points], 1e-9)
    got = [abs(a[0]) for a in answers(["quantile 0.5 %d" % df for df in (1, 2, 5, 60, 1000)])]
    ok(max(got) < 1e-5, "the quantile of one half is nothing", got)
    compare("normal distribution at zero and far out", ["phi 0", "phi -37", "phi 9"],
            [0.5, float(scipy.stats.norm.cdf(-37)), 1.0], 1e-12)


def edges_of_medians():
    sets = [[5e-324], [1e307, 1.7e307], [1e-300, 1e300], [1.0, 1.0], [2.0, 2.0, 1.0],
            list(range(200, 0, -1)), list(range(64)) * 3, [1.0] * 99 + [1e9]]
    compare("medians of extremes, orders and ties", ["median " + group(s) for s in sets],
            [float(numpy.median(numpy.array(s, dtype=numpy.longdouble))) for s in sets], 3e-16)
    # beyond 1000 values the rank is the normal approximation's: at most one off
    off = []
    for n in (999, 1000, 1001, 1002, 1500, 4000):
        for confidence in (0.9, 0.95, 0.99):
            low, high = answers(["interval %r %s" % (confidence, group(range(n)))])[0]
            tail = (1 - confidence) / 2
            k = int(scipy.stats.binom.ppf(tail, n, 0.5))
            k += scipy.stats.binom.cdf(k, n, 0.5) <= tail
            off.append(max(abs(low - (k - 1)), abs(high - (n - k))))
    ok(max(off) <= 1 and off[0] == 0, "ranks of the interval of many values", off)


def edges_of_effects():
    pairs = [([1.0, 1.0], [1.0, 1.0]), ([1.0, 1.0], [2.0, 2.0]), ([3.0, 3.0], [2.0, 2.0, 2.0]),
             ([1.0, 2.0], [1.0, 2.0]), ([1.0, 2.0], [5.0, 5.0]), ([0.0, 1e-9], [1e9, 2e9])]
    lines = ["%s %s" % (group(a), group(b)) for a, b in pairs]
    compare("Hedges' g without scatter, and of two and two", ["g " + line for line in lines],
            [hedges(a, b) for a, b in pairs], 1e-12)
    pairs += [([1.0], [1.0]), ([1.0], [2.0]), ([2.0], [1.0]), ([1.0], [0.0, 1.0, 2.0, 3.0])]
    lines = ["%s %s" % (group(a), group(b)) for a, b in pairs]
    compare("Cliff's delta of one value, ties and constants", ["delta " + line for line in lines],
            [sum((x > y) - (x < y) for x in a for y in b) / (len(a) * len(b)) for a, b in pairs],
            1e-15)
    compare("exact p of one value, ties and constants", ["p " + line for line in lines],
            [exact_p(a, b) for a, b in pairs], 1e-14)
    swapped = ["%s %s" % (group(b), group(a)) for a, b in pairs]
    ok(answers(["p " + line for line in lines]) == answers(["p " + line for line in swapped]),
       "p is the same with the groups swapped")

    # 32 values are the last that are dealt exactly; on both sides the two methods are close
    def both(n, m):
        a, b = [RNG.gauss(0, 1) for _ in range(n)], [RNG.gauss(0.8, 1) for _ in range(m)]
        return (answers(["p %s %s" % (group(a), group(b))])[0][0],
                float(scipy.stats.mannwhitneyu(a, b, method="exact").pvalue),
                float(scipy.stats.mannwhitneyu(a, b, method="asymptotic").pvalue))

    for n, m in ((16, 16), (1, 31), (31, 1), (5, 27)):
        got, exact, _ = both(n, m)
        ok(abs(got / exact - 1) < 1e-12, "p of %d and %d values is exact" % (n, m), (got, exact))
    for n, m in ((16, 17), (17, 16), (1, 32), (32, 1)):
        got, _, normal = both(n, m)
        ok(abs(got / normal - 1) < 1e-12, "p of %d and %d values is approximate" % (n, m),
           (got, normal))
    a, b = [7.0] * 30, [7.0] * 30
    ok(answers(["p %s %s" % (group(a), group(b))]) == [[1.0]], "p of sixty equal values is 1")


def edges_of_bootstraps():
    """No scatter at all, two values, one value far out, groups of very different sizes."""
    cases = [([0.02] * 6, []), ([0.02] * 6, [0.01] * 8), ([0.0, 0.0], []), ([-1.0, 1.0], []),
             ([0.0] * 15 + [1.0], []), ([1e-12, 2e-12, 3e-12], []), ([0.1] * 2, [0.3, 0.1]),
             ([RNG.gauss(0, 1) for _ in range(2)], [RNG.gauss(0, 1) for _ in range(1000)]),
             ([RNG.gauss(0, 1) for _ in range(1500)], [])]
    lines, wanted = [], []
    for a, b in cases:
        settings = (42, 1000, 0.95, 15, 0.001, *RNG.choice([(0, 0), (3, 1e-4), (1000, 1e-9)]))
        lines.append("boot %d %d %r %d %r %r %r %s %s" % (*settings, group(a), group(b)))
        wanted.append(bootstrap(*settings, a, b))
    compare("bootstrap without scatter and of extremes", lines, wanted, 1e-7, 1e-13)


# ---- the whole: what the JSON of a verdict says ----

PROBLEM = {"batch": 1, "heads": 4, "heads_kv": 4, "seq_q": 256, "seq_k": 256, "head_dim": 64,
           "dtype": "fp32", "causal": False}
# α is divided by the looks, and a first run has 80% of it: the rest is kept for two re-runs
RULE = {"seed": 42, "resamples": 10000, "confidence": 0.95, "looks": 3 / 0.8, "margin": 0.02}


def median_interval(values):
    n = len(values)
    ranks = [k for k in range(1, n // 2 + 1) if scipy.stats.binom.cdf(k - 1, n, 0.5) <= 0.025]
    k = max(ranks, default=1)
    return [sorted(values)[k - 1], sorted(values)[n - k]]


def change_of(a, b, other, tick, comparisons, scatter, margin=0.0, others=(0, 0)):
    """[change, ci, interval of so many comparisons]"""
    least = max(scatter, tick / statistics.median(other) / math.sqrt(6))
    found = bootstrap(RULE["seed"], RULE["resamples"], RULE["confidence"], comparisons, least,
                      *others, a, b)
    change = math.exp(found[0]) - 1
    half = tick / statistics.median(other) / 2
    return [change] + [[min(math.exp(low) - 1, change - half) - margin,
                        max(math.exp(high) - 1, change + half) + margin]
                       for low, high in (found[1:3], found[4:6])]


def random_config(name, change, count, tick, spread):
    replicates = []
    for _ in range(count):
        speed = RNG.uniform(9e4, 11e4)
        samples = RNG.choice([1, 2, 9, 20])  # of every arm: less than half would be a gap
        replicate = {}
        for arm, factor in (("head", 1 + change), ("base", 1 + change / 2), ("anchor", 1),
                            ("control", 1)):
            own = speed * factor * (1 + RNG.gauss(0, spread))
            replicate[arm] = [max(1, round(own * (1 + RNG.gauss(0, 0.003)) / tick)) * tick
                              for _ in range(samples)]
        replicates.append(replicate)
    return {"name": name, "unit": "ns", "clock_resolution_ns": tick, "problem": PROBLEM,
            "replicates": replicates}


def judged(configs, stored):
    folder = judgelib.temp_dir()
    paths = [os.path.join(folder, name) for name in ("samples.json", "baseline.json")]
    with open(paths[0], "w") as out:
        json.dump({"schema": "ratchet.samples/1", "device": {"slug": "cpu"}, "configs": configs},
                  out)
    with open(paths[1], "w") as out:
        json.dump({"schema": "ratchet.baseline/1", "device": {"slug": "cpu"}, "configs": [
            {"name": c["name"], "unit": "ns", "clock_resolution_ns": c["clock_resolution_ns"],
             "problem": PROBLEM, "commit": "1" * 40, "code": "sha256:" + "2" * 64,
             "environment": {}, "recorded": "2026-01-05T09:00:00Z", "why": "new",
             "replicates": stored[c["name"]]} for c in configs]}, out)
    return {c["name"]: c for c in
            json.loads(judgelib.ask(DRIVER, ["judge %s %s" % tuple(paths)]))["configs"]}


def flat(value):
    return [x for part in value for x in flat(part)] if isinstance(value, list) else [value]


def spread_over(configs):
    variances = []
    for config in configs:
        head, anchor = ([float(numpy.median(r[arm])) for r in config["replicates"]]
                        for arm in ("head", "anchor"))
        rounding = config["clock_resolution_ns"] / statistics.median(anchor) / math.sqrt(6)
        variances.append(max(float(numpy.var(numpy.log(head) - numpy.log(anchor), ddof=1)),
                             rounding ** 2))
    return spread(variances, [len(config["replicates"]) - 1 for config in configs])


def expected(config, stored, configs, others):
    """Figure by figure, from the raw samples."""
    medians = {arm: [float(numpy.median(r[arm])) for r in config["replicates"]]
               for arm in ("head", "base", "anchor", "control")}
    tick = config["clock_resolution_ns"]

    def logs(arm, other):
        return [math.log(x / y) for x, y in zip(medians[arm], medians[other])]

    def line(arm, other, comparisons, scatter):
        return change_of(logs(arm, other), [], medians[other], tick, comparisons, scatter,
                         others=others if arm == "head" else (0, 0))

    def corrected(arm, other, scatter, up, down):
        """By looks alone, and by looks and configs once that lies wholly beyond a line."""
        found = line(arm, other, RULE["looks"], scatter)
        beyond = found[2][0] > up or found[2][1] < down
        return line(arm, other, RULE["looks"] * configs, scatter) if beyond else found

    scatter = float(numpy.std(logs("control", "anchor"), ddof=1))
    before = [float(numpy.median(values)) for values in stored]
    drift = (numpy.mean(numpy.log(medians["anchor"])) - numpy.mean(numpy.log(before)))
    head, anchor = medians["head"], medians["anchor"]
    apart = (median_interval(head)[0] > median_interval(anchor)[1] or
             median_interval(anchor)[0] > median_interval(head)[1])
    p = scipy.stats.mannwhitneyu(head, anchor, method="exact").pvalue \
        if len(set(head + anchor)) == len(head + anchor) else None
    return {"change": corrected("head", "anchor", scatter, 0.03, -0.03),
            "own": corrected("head", "base", scatter, 0.005, -math.inf),
            "control": line("control", "anchor", RULE["looks"], 0.0),
            "stored ci": change_of([math.log(x) for x in head], [math.log(x) for x in before],
                                   before, tick, RULE["looks"], 0.0, RULE["margin"])[:2],
            "drift": [math.exp(drift) - 1],
            "medians": [[statistics.median(medians[arm]), median_interval(medians[arm])]
                        for arm in ("head", "base", "anchor", "control")],
            "g": [hedges(head, anchor)],
            "delta": [sum((x > y) - (x < y) for x in head for y in anchor) /
                      (len(head) * len(anchor))],
            "p": [float(p) if p is not None else None],
            "ci_overlap": [float(not apart)]}


def said(verdict):
    def line(part):
        return [part["change"], part["ci"], part["ci_decision"]]
    effects = verdict["effects"]
    return {"change": line(verdict), "own": line(verdict["own"]),
            "control": line(verdict["control"]), "stored ci": line(verdict["stored"])[:2],
            "drift": [verdict["anchor_drift"]],
            "medians": [[verdict["medians"][arm]["ns"], verdict["medians"][arm]["ci"]]
                        for arm in ("head", "base", "anchor", "control")],
            "g": [effects["hedges_g"]], "delta": [effects["cliffs_delta"]], "p": [effects["p"]],
            "ci_overlap": [float(effects["ci_overlap"])]}


def whole():
    """The figures of a verdict against their definitions, from the raw samples."""
    changes = [0, 0.002, 0.02, 0.031, 0.05, -0.05, 0.5]
    configs = [random_config("c%d" % i, change, RNG.choice([6, 7, 8, 16]),
                             RNG.choice([1, 32, 500]), RNG.choice([0, 0.0005, 0.003]))
               for i, change in enumerate(changes)]
    stored = {c["name"]: [[RNG.uniform(9.9e4, 10.1e4) for _ in range(5)]
                          for _ in range(RNG.choice([6, 10, 16]))] for c in configs}
    verdicts = judged(configs, stored)
    others = spread_over(configs)
    worst = {}
    for config in configs:
        want = expected(config, stored[config["name"]], len(configs), others)
        got = said(verdicts[config["name"]])
        for key, value in want.items():
            for a, b in zip(flat(got[key]), flat(value)):
                off = 0.0 if b is None else math.inf if a is None else abs(a - b) / max(1, abs(b))
                worst[key] = max(worst.get(key, 0.0), off)
    for key, off in worst.items():
        ok(off < 2e-9, "verdict's %s from raw samples, %d configs, worst %.2g" %
           (key, len(configs), off))
    ok(len({tuple(flat(said(v)["ci_overlap"])) for v in verdicts.values()}) == 2 and
       len({v["verdict"] for v in verdicts.values()}) >= 3,
       "the configs were of all kinds", {n: v["verdict"] for n, v in verdicts.items()})


elementary()
distributions()
edges_of_distributions()
medians()
edges_of_medians()
effects()
edges_of_effects()
mann_whitney()
spreads()
bootstraps()
edges_of_bootstraps()
whole()
judgelib.done()
