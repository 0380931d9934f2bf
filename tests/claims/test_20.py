"""Claims of lesson 20 and its companion on other points, weights and digits than the lesson shows."""

from dataclasses import replace

import numpy as np
import torch
from replication import claim

from course_utils.labs import load_lab
from course_utils.lessons import l20_pieces_and_symmetries as lesson
from course_utils.lessons.l09_filter_visualization import with_random_weights
from course_utils.lessons.l20_pieces_and_symmetries import BOX
from course_utils.methods.interactions import dividends, interaction_orders, pair_interactions
from course_utils.methods.pieces import count_regions, layers_of, piece_of, pieces, reach
from course_utils.methods.shapley import all_worths, masking_game
from course_utils.methods.similarity import explained_share, linear_cka


@claim(
    "§3, §4",
    "The formula, cutting and linear programs give the same number of regions, the grid no more; on its piece the "
    "formula is the score.",
    shown="31 and 31; below 1e-13",
    holds=lambda v: (
        (v["formula"] == v["cutting"]).all()
        and (v["formula"] == v["programs"]).all()
        and (v["grid"] <= v["formula"]).all()
        and v["log10 error"].max() < -13
    ),
)
def test_counts_agree(seed):
    net = lesson.before_and_after((2, 8, 1), seed)[1]
    points = lesson.moons(seed)[0]
    found = [piece_of(net, x) for x in points]
    sums = np.array([p.slope @ x + p.offset for p, x in zip(found, points, strict=True)])
    return {
        "formula": count_regions(*net[0], BOX),
        "cutting": len(pieces(net, BOX)),
        "programs": lesson.possible_patterns(*net[0]),
        "grid": lesson.on_a_grid(net),
        "log10 error": np.log10(np.abs(sums - lesson.scores(net, points)).max() + 1e-20),
    }


@claim(
    "§4",
    "Nearest to the point the exact formula predicts the score better than any fit on average; at 0.05 a fit of radius "
    "0.05 is a little better, though the formula is exact for the points whose piece reaches so far; at a distance of 1 "
    "a fit of radius 1 is better, though its slope is wrong.",
    shown="0.003 against 0.009 at 0.02; 0.023 against 0.017 at 0.05; 4.8 against 2.7 at a distance of 1",
    holds=lambda v: (
        (v["exact at 0.02"] < np.minimum(v["narrow at 0.02"], v["wide at 0.02"])).all()
        and (v["narrow at 0.05"] < v["exact at 0.05"]).all()
        and v["exact at 0.05, inside"].max() < 1e-12
        and (v["wide at 1"] < v["exact at 1"]).all()
        and v["slope error of the wide fit"].min() > 0.05
    ),
)
def test_exact_is_not_best_far_away(seed):
    net, (points, _) = lesson.before_and_after((2, 8, 1), seed)[1:]
    errors, slopes = lesson.errors_around(net, points[:60], (0.02, 0.05, 1.0), (0.05, 1.0), seed)
    inside = np.array([reach(net, x) for x in points[:60]]) > 0.05
    return {
        "exact at 0.02": errors[0, :, 0].mean(),
        "narrow at 0.02": errors[1, :, 0].mean(),
        "wide at 0.02": errors[2, :, 0].mean(),
        "exact at 0.05": errors[0, :, 1].mean(),
        "exact at 0.05, inside": errors[0, inside, 1].max(),
        "narrow at 0.05": errors[1, :, 1].mean(),
        "exact at 1": errors[0, :, 2].mean(),
        "wide at 1": errors[2, :, 2].mean(),
        "slope error of the wide fit": slopes[1].mean(),
    }


@claim(
    "§5",
    "Three layers of 8 units have a few hundred pieces, before and after training, far below 50,653; plain training "
    "adds pieces in most runs; a penalty of 0.01 leaves fewer than plain training in most runs, and the network is right about as "
    "often; 0.03 leaves still fewer on average, and the network is right less often.",
    shown="228 pieces, 173 with a penalty of 0.01, 62 with 0.03",
    holds=lambda v: (
        max(v["before"].max(), v["plain"].max()) < 1000
        and (v["plain"] > v["before"]).sum() >= 4
        and (v["0.01"] < v["plain"]).sum() >= 4
        and v["0.01"].mean() < 0.9 * v["plain"].mean()
        and v["0.03"].mean() < v["0.01"].mean()
        and (v["right, 0.01"] - v["right, plain"]).mean() > -0.03
        and (v["right, 0.03"] < v["right, plain"]).all()
    ),
)
def test_a_penalty_removes_pieces(seed):
    fresh = lesson.moons(seed + 1000)
    before, plain, _ = lesson.before_and_after((2, 8, 8, 8, 1), seed)
    values = {
        "before": len(pieces(before, BOX)),
        "plain": len(pieces(plain, BOX)),
        "right, plain": lesson.right(plain, *fresh),
    }
    for penalty in (0.01, 0.03):
        kept = lesson.before_and_after((2, 8, 8, 8, 1), seed, penalty)[1]
        values[f"{penalty}"] = len(pieces(kept, BOX))
        values[f"right, {penalty}"] = lesson.right(kept, *fresh)
    return values


@claim(
    "§5",
    "The test digits need many formulas; the reach of one is far below the distance to the nearest digit; the way "
    "from one digit to another crosses several pieces.",
    shown="191 for 400 digits; 0.03 against 1.20; 6 pieces",
    holds=lambda v: v["share"].min() > 0.2 and v["reach / nearest"].max() < 0.1 and v["ways"].min() > 3,
)
def test_digits_need_many_formulas(seed):
    train_x, train_y, test_x, _ = lesson.digits(seed)
    layers = layers_of(lesson.digit_network(train_x, train_y, seed))
    tests = test_x.flatten(1).double().numpy()
    nearest = np.linalg.norm(tests[:, None] - tests, axis=2) + 1e9 * np.eye(len(tests))
    return {
        "share": len({piece_of(layers, x).on.tobytes() for x in tests}) / len(tests),
        "reach / nearest": np.median([reach(layers, x) for x in tests]) / np.median(nearest.min(axis=1)),
        "ways": np.mean([lesson.pieces_between(layers, tests[i], tests[i + 1]) for i in range(0, 60, 2)]),
    }


@claim(
    "§6",
    "The symmetric network is equally right in all directions, more often than an ordinary one that is shown turned "
    "digits in as many steps, and hardly more often than one with four times as many; upright the ordinary one is "
    "better, and so are symmetric filters if the last layer reads the directions apart; turned by 90° both are lost; "
    "upside down the ordinary one knows 0 and 8, and no 3 and 7.",
    shown="see the figure of section 6",
    holds=lambda v: (
        v["spread, symmetric"].max() < 1e-6
        and (v["symmetric"] > v["shown turned, all"]).all()
        and np.abs((v["symmetric"] - v["4 × as long, all"]).mean()) < 0.05
        and (v["4 × as long, all"] > v["shown turned, all"]).all()
        and (v["directions kept, upright"] > v["symmetric"]).all()
        and np.abs((v["directions kept, upright"] - v["ordinary, upright"]).mean()) < 0.02
        and (v["directions kept, 90°"] < 0.4).all()
        and (v["ordinary, 90°"] < 0.4).all()
        and v["upside down, 0 and 8"].min() > 0.5
        and v["upside down, 3 and 7"].max() < 0.2
        and (v["ordinary, upright"] - v["symmetric"]).mean() > 0
    ),
)
def test_symmetric_networks(seed):
    train_x, train_y, test_x, test_y = lesson.digits(seed)
    networks = lesson.turned_networks(train_x, train_y, seed)
    hits = {name: lesson.right_when_turned(net, test_x, test_y) for name, net in networks.items()}
    right = {name: values.mean(axis=1) for name, values in hits.items()}
    upside_down = hits["ordinary"][2]
    return {
        "symmetric": right["symmetric"].mean(),
        "spread, symmetric": np.ptp(right["symmetric"]),
        "shown turned, all": right["ordinary, shown turned digits"].mean(),
        "4 × as long, all": right["the same, 4 × as long"].mean(),
        "directions kept, upright": right["symmetric, directions kept"][0],
        "directions kept, 90°": right["symmetric, directions kept"][1],
        "ordinary, upright": right["ordinary"][0],
        "ordinary, 90°": right["ordinary"][1],
        "upside down, 0 and 8": upside_down[np.isin(test_y, (0, 8))].mean(),
        "upside down, 3 and 7": upside_down[np.isin(test_y, (3, 7))].mean(),
    }


@claim(
    "§6",
    "The right roll is equivariant for every turn, the wrong one only for 180°.",
    shown="1e-13, 270",
    holds=lambda v: v["right"].max() < 1e-11 and v["wrong, 180°"].max() < 1e-11 and v["wrong, 90°"].min() > 1,
)
def test_the_wrong_roll(seed):
    generator = torch.Generator().manual_seed(seed)
    picture, first, second = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((1, 2, 7, 7), (4, 2, 3, 3), (3, 4, 4, 3, 3))
    )

    def error(roll, times):
        def through(p):
            return lesson.group_conv(lesson.lift(p, first).relu(), second, roll)

        turned = through(torch.rot90(picture, times, (2, 3)))
        return float((turned - lesson.turn(through(picture), times)).abs().max())

    return {
        "right": max(error(1, k) for k in (1, 2, 3)),
        "wrong, 180°": error(-1, 2),
        "wrong, 90°": error(-1, 1),
    }


@claim(
    "§7",
    "A linear layer that treats all places of a circle alike makes no new frequency; a ReLU makes the wave itself, 0 and "
    "even multiples, with a bias also odd ones, on the circle; and the period never grows.",
    shown="3 makes 0, 3, 6, 12, 18, 24 of 48; see the table for 12",
    holds=lambda v: (
        v["linear, others"].max() < 1e-9 and v["not allowed"].max() < 1e-9 and v["longer"].max() < 1e-9
    ),
)
def test_frequencies(seed):
    rng, n = np.random.default_rng(seed), 12
    phase, bias = rng.uniform(0, 2 * np.pi), rng.uniform(-0.5, 0.5)
    found = {"linear, others": 0.0, "not allowed": 0.0, "longer": 0.0}
    for k in range(1, 7):
        wave = np.cos(2 * np.pi * k * np.arange(n) / n + phase)
        mixed = lesson.strengths(sum(w * np.roll(wave, t) for t, w in enumerate(rng.normal(size=n))))
        plain, shifted = (lesson.strengths(np.maximum(wave + b, 0)) for b in (0, bias))
        allowed = {k} | {min(m * k % n, -m * k % n) for m in range(0, n, 2)}
        others = [j for j in range(7) if j not in allowed]
        longer = [j for j in range(7) if n // np.gcd(j, n) > n // np.gcd(k, n)]
        found["linear, others"] = max(found["linear, others"], np.delete(mixed, k).max())
        found["not allowed"] = max(found["not allowed"], plain[others].max(initial=0))
        found["longer"] = max(found["longer"], shifted[longer].max(initial=0))
    return found


@claim(
    "20b §3, §4",
    "A pair that works alone has one number in all versions and orders; the pairs of a triple have different numbers, "
    "and their orders grow in a straight line. A pair that one player helps and another hinders has a flat line at 0.",
    shown="2.0; −1.5, −1.0, −1.5",
    holds=lambda v: (
        v["pair, largest difference"].max() < 1e-9
        and v["triple, difference of versions"].min() > 1e-3
        and v["triple, distance from the line"].max() < 1e-9
        and v["helped and hindered, line"].max() < 1e-9
        and v["helped and hindered, dividend"].min() >= 0.5
    ),
)
def test_versions_of_an_interaction(seed):
    a, b = np.random.default_rng(seed).uniform(0.5, 3, 2)

    def game(masks):
        x = np.asarray(masks, float).T
        return a * x[0] * x[1] - b * x[2] * x[3] * x[4]

    def helped_and_hindered(masks):
        x = np.asarray(masks, float).T
        return a * x[0] * x[1] * (x[2] - x[3])

    found = [pair_interactions(game, 6, kind) for kind in ("shapley", "taylor", "banzhaf")]
    orders = interaction_orders(game, 6)
    return {
        "pair, largest difference": np.ptp([f[0, 1] for f in found]) + np.ptp(orders[:, 0, 1]),
        "triple, difference of versions": np.ptp([f[2, 3] for f in found]),
        "triple, distance from the line": np.abs(orders[:, 2, 3] + b * np.arange(5) / 4).max(),
        "helped and hindered, line": np.abs(interaction_orders(helped_and_hindered, 6)[:, 0, 1]).max(),
        "helped and hindered, dividend": np.abs(dividends(helped_and_hindered, 6)).max(),
    }


@claim(
    "20b §5",
    "A linear model has no interactions; of the others a large share of all dividends is interaction, most of the "
    "network's. Yet the best sum of single numbers tells more of the network's worths than of the tree's.",
    shown="0.00; 0.88 of the network's, 0.50 of the tree's; 0.93 and 0.91 told by singles",
    holds=lambda v: (
        v["linear"].max() < 1e-9
        and min(v[k].min() for k in ("tree", "forest", "network")) > 0.3
        and (v["network"] > np.maximum(v["tree"], v["forest"])).all()
        and v["network, told by singles"].mean() > v["tree, told by singles"].mean()
        and v["network, told by singles"].mean() > 0.85
    ),
)
def test_models_let_measurements_interact(seed):
    sizes, values = np.bitwise_count(np.arange(1024)), {}
    rng = np.random.default_rng(seed)
    for kind in ("linear", "tree", "forest", "network"):
        lab = load_lab("tabular", table="diabetes", model=kind)
        others = lab.table[rng.choice(np.flatnonzero(~lab.unseen), 10, replace=False)]
        shares, told = [], []
        for row in lab.table[rng.choice(np.flatnonzero(lab.unseen), 5, replace=False)]:
            game = masking_game(lab.predict, row, others)
            found = np.abs(dividends(game, 10))
            shares.append(found[sizes > 1].sum() / found[sizes > 0].sum())
            told.append(lesson.told_by_singles(all_worths(game, 10)))
        values |= {kind: np.mean(shares), f"{kind}, told by singles": np.mean(told)}
    return values


@claim(
    "20b §5",
    "Scenes, three a seed: the outer orders are a little stronger than the middle ones on average, and the last order is "
    "often not; random weights bend the line more on average; in every game of shuffled worths the outer orders are more "
    "than twice as strong. The share of dividends that is not of single cells is larger with random weights, and largest "
    "with shuffled worths.",
    shown="1.3, 1.7 and 4.8 times; 72, 86 and 100 %",
    holds=lambda v: (
        abs(v["trained"].mean() - 1.1) < 0.2
        and v["trained"].max() < 2
        and v["last order is weaker"].mean() > 0.2
        and v["untrained"].min() > 1.05
        and v["untrained"].max() < 2
        and (v["untrained"] - v["trained"]).mean() > 0
        and v["shuffled, least"].min() > 2
        and (v["together, trained"] < v["together, untrained"]).sum() >= 4
        and v["together, shuffled"].min() > 0.95
    ),
)
def test_middle_orders_of_scenes(seed):
    lab = load_lab("scenes", seed=seed, n=50)
    twin = replace(lab, model=with_random_weights(lab, seed))
    worths = {
        "trained": [lesson.worths_of_cells(lab, k) for k in range(3)],
        "untrained": [lesson.worths_of_cells(twin, k) for k in range(3)],
    }
    rng = np.random.default_rng(seed)
    worths["shuffled"] = [rng.permutation(w) for w in worths["trained"]]
    found, weaker, together, sizes = {}, {}, {}, np.bitwise_count(np.arange(512))
    for name, games in worths.items():
        orders = np.array([lesson.strength_of_orders(w) for w in games])
        weaker[name] = (orders[:, 7] < orders[:, 3:5].mean(axis=1)).mean()
        mass = [np.abs(dividends(lambda masks, w=w: w[masks @ (1 << np.arange(9))], 9)) for w in games]
        together[name] = np.mean([m[sizes > 1].sum() / m[1:].sum() for m in mass])
        found[name] = (orders[:, 0] + orders[:, 7]) / (orders[:, 3] + orders[:, 4])
    return {
        "trained": found["trained"].mean(),
        "untrained": found["untrained"].mean(),
        "shuffled, least": found["shuffled"].min(),
        "last order is weaker": weaker["trained"],
    } | {f"together, {name}": share for name, share in together.items()}


@claim(
    "20b §6",
    "With 96 units and 100 inputs the CKA of independent noise is one half; the debiased value is near 0 on average, and "
    "with 10 inputs single values scatter widely.",
    shown="0.50 and 0.01; scatter 0.14 with 10 inputs, 0.01 with 100",
    holds=lambda v: (
        np.abs(v["plain"] - 0.5).max() < 0.03
        and np.abs(v["debiased"]).max() < 0.05
        and v["scatter, 100 inputs"].max() < 0.04
        and v["scatter, 10 inputs"].min() > 0.1
    ),
)
def test_noise_is_alike(seed):
    rng = np.random.default_rng(seed)
    tables = [(rng.normal(size=(100, 96)), rng.normal(size=(100, 96))) for _ in range(10)]
    few = [linear_cka(rng.normal(size=(10, 96)), rng.normal(size=(10, 96))) for _ in range(30)]
    return {
        "scatter, 10 inputs": np.std(few),
        "scatter, 100 inputs": np.std([linear_cka(x, y) for x, y in tables]),
        "plain": np.mean([linear_cka(x, y, debiased=False) for x, y in tables]),
        "debiased": np.mean([linear_cka(x, y) for x, y in tables]),
    }


@claim(
    "20b §7",
    "Trained twins are far more alike than untrained ones, by both measures; but untrained ones are not at zero: in "
    "the first layer they are alike by about one half, and by about half of that if each pixel is dealt anew to the "
    "pictures. Twins that learnt shuffled labels are about as alike as untrained ones. A network that is wrong by "
    "one about every digit is as much like a trained one as its twin.",
    shown="0.90 and 0.50, dealt anew 0.29; shuffled 0.56; wrong by one 0.84 in the second layer, as the twin",
    holds=lambda v: (
        (v["trained, layer 1"] > v["layer 1"] + 0.2).all()
        and (v["trained, layer 2"] > v["layer 2"] + 0.2).all()
        and (v["explained, trained"] > v["explained, untrained"] + 0.2).all()
        and v["layer 1"].min() > 0.3
        and v["right"].max() < 0.3
        and np.abs((v["dealt anew"] / v["layer 1"]).mean() - 0.5) < 0.15
        and np.abs((v["shuffled, layer 1"] - v["layer 1"]).mean()) < 0.15
        and np.abs((v["shuffled, layer 2"] - v["layer 2"]).mean()) < 0.2
        and (v["shuffled, layer 1"] < v["trained, layer 1"] - 0.2).all()
        and (v["shuffled, layer 2"] < v["trained, layer 2"] - 0.3).all()
        and np.abs(v["wrong by one, layer 1"] - v["trained, layer 1"]).max() < 0.06
        and np.abs(v["wrong by one, layer 2"] - v["trained, layer 2"]).max() < 0.15
        and v["wrong by one, right"].max() < 0.05
    ),
)
def test_untrained_twins_are_alike(seed):
    train_x, train_y, test_x, test_y = lesson.digits(seed)
    twins = [lesson.digit_network(train_x, train_y, 10 * seed + k, steps=0) for k in (0, 1)]
    a, b = (lesson.hidden(net, test_x) for net in twins)
    right = (twins[0](test_x.flatten(1).double()).argmax(1) == test_y).double().mean()
    trained = [lesson.digit_network(train_x, train_y, 10 * seed + k) for k in (2, 3)]
    c, d = (lesson.hidden(net, test_x) for net in trained)
    mixed = torch.from_numpy(np.random.default_rng(seed).permuted(test_x.flatten(1).numpy(), axis=0))
    dealt = [lesson.hidden(net, mixed)[0] for net in twins]
    shuffled = train_y[torch.randperm(len(train_y), generator=torch.Generator().manual_seed(seed))]
    by_heart = [lesson.digit_network(train_x, shuffled, 10 * seed + k) for k in (4, 5)]
    e, f = (lesson.hidden(net, test_x) for net in by_heart)
    wrong = lesson.digit_network(train_x, (train_y + 1) % 10, 10 * seed + 6)
    g = lesson.hidden(wrong, test_x)
    return {
        "dealt anew": linear_cka(*dealt),
        "shuffled, layer 1": linear_cka(e[0], f[0]),
        "shuffled, layer 2": linear_cka(e[1], f[1]),
        "wrong by one, layer 1": linear_cka(c[0], g[0]),
        "wrong by one, layer 2": linear_cka(c[1], g[1]),
        "wrong by one, right": float((wrong(test_x.flatten(1).double()).argmax(1) == test_y).double().mean()),
        "layer 1": linear_cka(a[0], b[0]),
        "layer 2": linear_cka(a[1], b[1]),
        "right": float(right),
        "trained, layer 1": linear_cka(c[0], d[0]),
        "trained, layer 2": linear_cka(c[1], d[1]),
        "explained, untrained": explained_share(a[1][:200], b[1][:200], a[1][200:], b[1][200:]),
        "explained, trained": explained_share(c[1][:200], d[1][:200], c[1][200:], d[1][200:]),
    }
