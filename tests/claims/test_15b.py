"""Claims of companion 15b on people that it never shows. The first one is also tried by `make test`."""

import numpy as np
from replication import claim
from sklearn.ensemble import RandomForestClassifier

from course_utils.exercises import l15_fooled as exercises
from course_utils.lessons import l15_fooled as lesson
from course_utils.methods import lime

N_ROWS = 15
share_changed = exercises.share_changed.reference


def two_tables(seed, tie=0.0):
    people = lesson.people(3000, seed, tie)
    return people[:2000], people[2000:]


def named_first(rule, rows, explain):
    return np.array([np.abs(explain(rule, row)).argmax() for row in rows])


def explainers(known):
    typical = lesson.typical_rows(known)
    return {
        "LIME": lambda rule, row: lesson.lime_weights(rule, row, known),
        "SHAP, typical": lambda rule, row: lesson.shap_values(rule, row, typical),
        "SHAP, real": lambda rule, row: lesson.shap_values(rule, row, known[:50]),
    }


def with_other_rows(new):
    """KernelSHAP with fifty real people as its background whom no bank has seen."""
    return lambda rule, row: lesson.shap_values(rule, row, new[500:550])


@claim(
    "15b §6",
    "Exchange the group: the innocent rule changes no answer, each liar changes many; the open rule all.",
    shown="innocent 0, open 1, liars above .5",
    holds=lambda v: (
        (v["innocent"] == 0).all()
        and (v["open"] == 1).all()
        and min(row.min() for name, row in v.items() if name.startswith("liar")) > 0.4
    ),
)
def test_nobody_escapes_the_exchange(seed):
    known, new = two_tables(seed)
    rules = {"innocent": lesson.by_punctuality, "open": lesson.by_group}
    for kinds in (["LIME"], ["SHAP, typical"], ["SHAP, real"], ["swapped"], lesson.KINDS):
        rules["liar " + "+".join(kinds)] = lesson.liar(known, kinds)
    return {name: share_changed(rule, new, lesson.GROUP) for name, rule in rules.items()}


@claim(
    "15b §1",
    "A rule prepared for LIME gives nearly all real people the answer of the open rule, and LIME names punctuality.",
    shown="98 % alike",
    holds=lambda v: v["alike"].min() > 0.93 and v["punctual first"].min() > 0.95,
)
def test_two_banks(seed):
    known, new = two_tables(seed)
    rule = lesson.liar(known, ["LIME"])
    first = named_first(rule, new[:N_ROWS], explainers(known)["LIME"])
    return {
        "alike": np.mean(rule(new) == lesson.by_group(new)),
        "punctual first": np.mean(first == lesson.PUNCTUAL),
    }


@claim(
    "15b §4",
    "Each liar fools the explainer that it was prepared for and LIME; the known other kinds of SHAP still name the "
    "group for most people, real rows that no bank has seen for about half of them or more; about nine in ten real "
    "people get the open rule's answer.",
    shown="see the lesson's figure",
    holds=lambda v: (
        max(row.max() for name, row in v.items() if name.startswith("fooled")) < 0.25
        and min(row.min() for name, row in v.items() if name.startswith("names")) > 0.5
        and min(row.min() for name, row in v.items() if name.startswith("unseen")) > 0.4
        and v["as by the open rule"].min() > 0.88
    ),
)
def test_who_is_fooled_by_whom(seed):
    known, new = two_tables(seed)
    asks, found, alike = explainers(known) | {"SHAP, other": with_other_rows(new)}, {}, []
    for kind in lesson.KINDS[:3]:
        rule = lesson.liar(known, [kind])
        alike.append(np.mean(rule(new) == lesson.by_group(new)))
        for name, explain in asks.items():
            share = np.mean(named_first(rule, new[:N_ROWS], explain) == lesson.GROUP)
            word = "fooled" if name in (kind, "LIME") else "unseen" if name == "SHAP, other" else "names"
            found[f"{word} {kind} → {name}"] = share
    return found | {"as by the open rule": min(alike)}


@claim(
    "15b §4",
    "A bank that prepares for any real rows hides from all explainers for most people, and discriminates far less: "
    "it loses about half of its discrimination against the punctual of group B.",
    shown=".25 at most; .71 as by the open rule, .59 of the punctual of B granted",
    holds=lambda v: (
        max(row.max() for name, row in v.items() if name.startswith("named")) < 0.5
        and (v["as by the open rule"] < 0.8).all()
        and (v["granted to punctual B"] > 0.4).all()
        and (v["granted to punctual B"] < 0.7).all()
    ),
)
def test_preparing_for_any_real_rows_costs_harm(seed):
    known, new = two_tables(seed)
    asked = np.concatenate([lesson.shap_questions(known, known, k) for k in range(6)])
    forest = RandomForestClassifier(60, min_samples_leaf=2, class_weight="balanced", random_state=0)
    forest.fit(np.concatenate([known, asked]), np.repeat([0, 1], [len(known), len(asked)]))
    rule = lesson.scaffold(forest.predict)
    asks = explainers(known) | {"SHAP, other": with_other_rows(new)}
    denied = new[(new[:, lesson.PUNCTUAL] == 1) & (new[:, lesson.GROUP] == 1)]
    return {
        f"named by {name}": np.mean(named_first(rule, new[:N_ROWS], explain) == lesson.GROUP)
        for name, explain in asks.items()
    } | {
        "as by the open rule": np.mean(rule(new) == lesson.by_group(new)),
        "granted to punctual B": rule(denied).mean(),
    }


@claim(
    "15b §5",
    "LIME's coefficients of the scaffold have the sizes q and 1 − q; with q = 0.6 the group is never first.",
    shown="on the straight lines of the formula",
    holds=lambda v: (
        max(row.max() for name, row in v.items() if name.startswith("off")) < 0.07
        and v["group first at 0.6"].max() < 0.1
    ),
)
def test_the_coefficients_are_q_and_the_rest(seed):
    known, new = two_tables(seed)
    rows, asks, found = new[:10], lesson.questions("LIME", new, known, seed=9), {}

    def sizes(rule):
        return np.abs([lesson.lime_weights(rule, row, known) for row in rows])

    for depth in (2, 6, None):
        forest = lesson.detector(known, ["LIME"], depth)
        w, q = sizes(lesson.scaffold(forest.predict)).mean(axis=0), forest.predict(asks).mean()
        found[f"off, depth {depth}"] = max(abs(w[lesson.PUNCTUAL] - q), abs(w[lesson.GROUP] - (1 - q)))
    w = sizes(lesson.scaffold(lambda rows: (rows[:, 2] * 1000) % 1 < 0.6))
    found["off, made"] = max(abs(w[:, lesson.PUNCTUAL].mean() - 0.6), abs(w[:, lesson.GROUP].mean() - 0.4))
    return found | {"group first at 0.6": np.mean(w.argmax(axis=1) == lesson.GROUP)}


@claim(
    "15b §6",
    "The detector of exchanged people is no better than a coin, and the bank that uses it, or prepares for all, "
    "gives fewer real people the open rule's answer than the bank that prepares for LIME.",
    shown=".5; .74 and .80 against .98",
    holds=lambda v: (
        (abs(v["detector"] - 0.5) < 0.05).all()
        and (v["swapped"] < v["LIME"] - 0.1).all()
        and (v["all"] < v["LIME"] - 0.1).all()
    ),
)
def test_hiding_from_the_audit_costs_harm(seed):
    known, new = two_tables(seed)
    forest = lesson.detector(known, ["swapped"])
    kept = {"swapped": lesson.scaffold(forest.predict), "LIME": lesson.liar(known, ["LIME"])}
    kept["all"] = lesson.liar(known, lesson.KINDS)
    right = np.mean([(forest.predict(new) == 0).mean(), forest.predict(lesson.swapped(new)).mean()])
    return {"detector": right} | {
        name: np.mean(rule(new) == lesson.by_group(new)) for name, rule in kept.items()
    }


@claim(
    "15b §6, §7",
    "A rule by the rent is silent in the exchange audit and hardly grants group B a loan where the group hangs "
    "together with the rent; of the punctual, liars grant group B far less than group A, the innocent rule does not.",
    shown="0; .91 and .07",
    holds=lambda v: (
        (v["exchange"] == 0).all()
        and (v["rent, A"] > v["rent, B"] + 0.6).all()
        and (v["LIME liar, A"] > v["LIME liar, B"] + 0.7).all()
        and (v["all liar, A"] > v["all liar, B"] + 0.4).all()
        and (v["innocent gap"] == 0).all()
    ),
)
def test_the_rent_and_the_decisions(seed):
    tied = lesson.people(3000, seed, tie=8.0)
    by_rent = (tied[:, 3] < 0.3 * tied[:, 2]).astype(float)
    found = {
        "exchange": share_changed(
            lambda rows: (rows[:, 3] < 0.3 * rows[:, 2]).astype(float), tied, lesson.GROUP
        ),
        "rent, A": by_rent[tied[:, lesson.GROUP] == 0].mean(),
        "rent, B": by_rent[tied[:, lesson.GROUP] == 1].mean(),
    }
    known, new = two_tables(seed)
    promised, group = new[:, lesson.PUNCTUAL], new[:, lesson.GROUP]
    of_promised = exercises.granted_shares.reference
    for name, kinds in (("LIME liar", ["LIME"]), ("all liar", lesson.KINDS)):
        a, b = of_promised(lesson.liar(known, kinds)(new), promised, group)
        found |= {f"{name}, A": a, f"{name}, B": b}
    a, b = of_promised(lesson.by_punctuality(new), promised, group)
    return found | {"innocent gap": abs(a - b)}


@claim(
    "15b §6",
    "Where the rent tells the group, a bank recognises most exchanged people and puts the group back: it "
    "discriminates, and the exchange audit hardly notices.",
    shown=".84 recognised; .09 change; .84 as by the open rule",
    holds=lambda v: (
        v["recognised"].min() > 0.75 and v["exchange"].max() < 0.15 and v["as by the open rule"].min() > 0.75
    ),
)
def test_the_exchange_can_be_undone_where_the_rent_tells_the_group(seed):
    known, new = two_tables(seed, tie=8.0)
    forest = lesson.detector(known, ["swapped"])

    def puts_back(rows):
        return lesson.by_group(np.where(forest.predict(rows)[:, None], lesson.swapped(rows), rows))

    return {
        "recognised": forest.predict(lesson.swapped(new)).mean(),
        "exchange": share_changed(puts_back, new, lesson.GROUP),
        "as by the open rule": np.mean(puts_back(new) == lesson.by_group(new)),
    }


@claim(
    "15b §5, §8",
    "The detector for KernelSHAP recognises few rows in which only the group, or the group and punctuality, come from "
    "the background, and most with a strange income or with many strange columns.",
    shown=".07, .08; .70, .99, 1.00",
    holds=lambda v: (
        max(v["group"].max(), v["both"].max()) < 0.2
        and v["income"].min() > 0.5
        and min(v["four"].min(), v["seven"].min()) > 0.9
    ),
)
def test_one_strange_column_is_seldom_recognised(seed):
    known, new = two_tables(seed)
    forest, found = lesson.detector(known, ["SHAP, typical"]), {}
    background = lesson.typical_rows(known)[np.arange(len(new)) % 10]
    for name, columns in (
        ("group", [7]),
        ("both", [6, 7]),
        ("income", [2]),
        ("four", [0, 4, 5, 7]),
        ("seven", range(7)),
    ):
        mixed = new.copy()
        mixed[:, columns] = background[:, columns]
        found[name] = forest.predict(mixed).mean()
    return found


@claim(
    "15b §8",
    "R² and repetition are high for liars, too; in the deletion test each liar changes fewer answers than the "
    "innocent rule; real decisions notice both liars; KernelSHAP agrees with LIME about the liar for all.",
    shown="see the lesson's figure",
    holds=lambda v: (
        v["R2"].min() > 0.75
        and v["again"].min() > 0.95
        and v["all, SHAP agrees"].min() > 0.8
        and (v["LIME, SHAP agrees"] < 0.6).all()
        and v["LIME, deletion"].max() < 0.1
        and (v["all, deletion"] < v["innocent, deletion"] - 0.1).all()
        and max(v["LIME, told"].max(), v["all, told"].max()) < 0.75
    ),
)
def test_which_checks_notice(seed):
    known, new = two_tables(seed)
    rows, asks = new[:N_ROWS], explainers(known)
    rules = {"LIME": lesson.liar(known, ["LIME"]), "all": lesson.liar(known, lesson.KINDS)}
    rules["innocent"] = lesson.by_punctuality
    found, fits, again = {}, [], []
    for name, rule in rules.items():
        rng, first = np.random.default_rng(seed), named_first(rule, rows, asks["LIME"])
        changed = []
        for row, j in zip(rows, first, strict=True):
            others = np.repeat(row[None], 100, axis=0)
            others[:, j] = rng.choice(known[:, j], 100)
            changed.append((rule(others) != rule(row[None])).mean())
        alike = np.array([(rule(new) == new[:, j]).mean() for j in first])
        found[f"{name}, deletion"] = np.mean(changed)
        found[f"{name}, told"] = np.maximum(alike, 1 - alike).mean()
        if name != "innocent":
            found[f"{name}, SHAP agrees"] = np.mean(named_first(rule, rows, asks["SHAP, typical"]) == first)
            fits.append(lime.lime_tabular(rule, rows[0], known, None, 2000, k=None, categorical=[6, 7]).r2)
            other = [np.abs(lesson.lime_weights(rule, row, known, seed=5)).argmax() for row in rows]
            again.append(np.mean(other == first))
    return found | {"R2": min(fits), "again": min(again)}


@claim(
    "15b §1",
    "Nothing else in the table tells the group; with `tie=8` the rent does.",
    shown="a forest guesses like a coin",
    holds=lambda v: (abs(v["tie 0"] - 0.5) < 0.06).all() and v["tie 8"].min() > 0.8,
)
def test_who_can_read_the_group(seed):
    found = {}
    for tie in (0.0, 8.0):
        known, new = two_tables(seed, tie)
        forest = RandomForestClassifier(60, min_samples_leaf=2, random_state=0)
        forest.fit(known[:, : lesson.GROUP], known[:, lesson.GROUP])
        found[f"tie {tie:.0f}"] = forest.score(new[:, : lesson.GROUP], new[:, lesson.GROUP])
    return found


@claim(
    "15b §4",
    "Detectors that were prepared for KernelSHAP recognise about nine in ten of LIME's questions and about half of "
    "the rows of a KernelSHAP that they do not know.",
    shown="prose",
    holds=lambda v: (
        v["LIME"].min() > 0.85
        and v["unknown rows, least"].min() > 0.35
        and v["unknown rows, most"].max() < 0.65
    ),
)
def test_lime_asks_the_strangest_rows(seed):
    known, new = two_tables(seed)
    asked = {kind: lesson.questions(kind, new, known) for kind in lesson.KINDS[:3]}
    asked["other"] = lesson.shap_questions(new[:450], new[500:550])
    of_lime, unknown = [], []
    for kind in lesson.KINDS[1:3]:
        forest = lesson.detector(known, [kind])
        share = {name: forest.predict(rows).mean() for name, rows in asked.items()}
        of_lime.append(share.pop("LIME"))
        del share[kind]
        unknown += share.values()
    return {
        "LIME": min(of_lime),
        "unknown rows, least": min(unknown),
        "unknown rows, most": max(unknown),
    }


@claim(
    "15b §6",
    "The share of real people answered as by the open rule is one half plus half of the share that the exchange changes.",
    shown=".98 and .96, .74 and .51, .80 and .59",
    holds=lambda v: max(abs(row).max() for row in v.values()) < 0.015,
)
def test_what_is_hidden_is_what_is_given_up(seed):
    known, many = lesson.people(2000, seed), lesson.people(20_000, seed + 5000)
    found = {}
    for kinds in (["LIME"], ["SHAP, typical"], ["SHAP, real"], ["swapped"], lesson.KINDS):
        rule = lesson.liar(known, kinds)
        alike = np.mean(rule(many) == lesson.by_group(many))
        found["off, " + "+".join(kinds)] = alike - 0.5 - share_changed(rule, many, lesson.GROUP) / 2
    return found


@claim(
    "15b §8",
    "A bank that prepared for KernelSHAP fools LIME as well, so that a second explainer agrees.",
    shown="figure of §4",
    holds=lambda v: v["agree, typical"].min() > 0.8 and v["agree, LIME alone"].max() < 0.6,
)
def test_a_second_explainer_misses_who_prepared_for_shap(seed):
    known, new = two_tables(seed)
    asks, found = explainers(known), {}
    for name, kind in (("agree, typical", "SHAP, typical"), ("agree, LIME alone", "LIME")):
        rule = lesson.liar(known, [kind])
        by_lime, by_shap = (named_first(rule, new[:N_ROWS], asks[k]) for k in ("LIME", "SHAP, typical"))
        found[name] = np.mean(by_lime == by_shap)
    return found


@claim(
    "15b §8",
    "Where another column tells the punctuality, a detector that recognises each row with exchanged punctuality brings "
    "the scaffold to half of the innocent rule's number in the deletion test.",
    shown="about .2",
    holds=lambda v: (
        v["knows each"].min() > 0.15 and v["knows each"].max() < 0.27 and v["innocent"].min() > 0.38
    ),
)
def test_deletion_of_a_column_that_another_tells(seed):
    people = lesson.people(3000, seed)

    def told(rows):  # debts against the rent: high for seven in ten
        return rows[:, 5] / (2 * rows[:, 3]) > np.exp(-0.3 * 0.524)

    people[:, lesson.PUNCTUAL] = told(people)
    known, new, rng = people[:2000], people[2000:], np.random.default_rng(seed)
    forest = lesson.detector(known, ["LIME"])
    rules = {
        "innocent": lesson.by_punctuality,
        "LIME": lesson.scaffold(forest.predict),
        "knows each": lesson.scaffold(
            lambda rows: (rows[:, lesson.PUNCTUAL] != told(rows)) | (forest.predict(rows) == 1)
        ),
    }
    found = dict.fromkeys(rules, 0.0)
    others = np.repeat(new[:300], 10, axis=0)
    others[:, lesson.PUNCTUAL] = rng.choice(known[:, lesson.PUNCTUAL], len(others))
    for name, rule in rules.items():
        found[name] = np.mean(rule(others) != np.repeat(rule(new[:300]), 10))
    return found
