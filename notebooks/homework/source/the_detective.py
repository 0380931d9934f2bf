# %% [markdown]
# # Homework: the detective
#
# Six suspects, six networks, and 120 pictures. All six name the pictures almost perfectly. Between two and four of them are **broken**: each of these looks at one thing that goes with one class in these pictures. **Your case is yours alone**: it follows from your id, so that everybody has other suspects. You find out who is broken and what they look at, and you hand in evidence that can be checked.
#
# **How it works.** Write each answer where it says `# your answer` or in place of the dots, and run the cell below it: it tells you whether your answer has the right *form*, not whether it is right. Each answer is a variable (or a function) with the name that stands there. Do not change the other cells: they are put back before the grading. Unlike in the lesson, every suspect answers as many questions as you like.
#
# | | |
# |---|---|
# | time | about 70 minutes |
# | points | 29 by the computer, 8 by hand |
# | lessons | 12, and 04 for the maps |
# | help | the lessons, the functions of `course_utils` (not those that tell the truth about a case), and the documentation; not each other's answers |

# %% [markdown]
# **Question 1** (1 point). Your id: the name under which you hand in (your login, or what your teacher told you), as a string. When your work is graded, the case is that of the name under which it came in. With another id you solve somebody else's case, and nothing of it counts.

# %% question="student_id" points=1 minutes=1 trains="handing in"
# BEGIN SOLUTION
import os

student_id = os.environ.get("HOMEWORK_STUDENT") or "ada"
# END SOLUTION

# %% test="student_id"
from course_utils.teach import answers

answers.text(student_id, (1, 3))
# BEGIN HIDDEN TESTS
own = student_id.strip().lower() == answers.whose(student_id)
if not own:
    print("mistake: not the name under which it was handed in")
1 if own else 0
# END HIDDEN TESTS

# %% mistake="not the name under which it was handed in" of="student_id" points=0
student_id = "somebody else"

# %%
SEED = 2026

import hashlib

import numpy as np
import torch

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.methods.cam import grad_cam, upsample
from course_utils.teach import answers, plots

words = f"{SEED} {answers.whose(student_id)}"
case_seed = int.from_bytes(hashlib.sha256(words.encode()).digest()[:4], "big")
case = load_lab("detective", seed=case_seed)
KINDS = tuple(case.choices)  # watermark, background, texture, position, colour
targets = case.targets.numpy()
print(f"the case of {answers.whose(student_id)}: suspects {', '.join(case.names)}")
print("classes:", ", ".join(f"{i} {name}" for i, name in enumerate(case.class_names)))
print("accuracy:", ", ".join(f"{name} {value:.2f}" for name, value in case.accuracy.items()))
for kind, values in case.choices.items():
    print(f"{kind:>10}: {', '.join(map(str, values))}")

# %%
shown = list(range(12))
plots.show_images(
    [case.images[i] for i in shown],
    [f"{i}: {case.class_names[targets[i]]}" for i in shown],
    columns=6,
    width=9,
)

# %% [markdown]
# ## 1 · What goes together in the pictures?
#
# `case.looks["colour"]` says for each of the 120 pictures which colour its object has, and so for all five kinds.
#
# **Question 2** (3 points). Write a function that finds a *tie*: one class whose pictures *all* have one value that *no* picture of another class has.


# %% question="find_tie" points=3 minutes=8 trains="12 §8"
def find_tie(values, targets):
    """The tie as an array of two whole numbers, class and value.

    values (N,) and targets (N,) are arrays of whole numbers from 0 on. There is exactly one tie.
    """
    # BEGIN SOLUTION
    for c in np.unique(targets):
        own, others = values[targets == c], values[targets != c]
        if len(np.unique(own)) == 1 and own[0] not in others:
            return np.array([c, own[0]])
    return np.array([-1, -1])
    # END SOLUTION


# %% test="find_tie"
answers.function(find_tie, np.array([0, 1, 1, 2, 0]), np.array([0, 1, 1, 0, 2]), shape=(2,))
# BEGIN HIDDEN TESTS
fresh, hits, named = np.random.default_rng([case_seed, 2]), 0, ""
for turn in range(6):
    classes = fresh.permutation(np.repeat(np.arange(4), 10))
    tied, first, second = fresh.permutation(4)[:3]
    values = fresh.integers(0, 4, 40)  # 5 is the value of the tie, 4 and 6 lead astray
    values[classes == tied] = 5
    if turn % 2:  # a class that always has one value, but does not have it alone
        values[classes == first] = 4
        values[np.flatnonzero(classes == second)[:3]] = 4
        astray, what = (int(first), 4), "does not ask whether another class has the value too"
    else:  # a value that one class has alone, but not always
        values[np.flatnonzero(classes == first)[:3]] = 6
        astray, what = (int(first), 6), "does not ask whether the class always has the value"
    got = tuple(np.asarray(find_tie(values, classes)).astype(int).tolist())
    hits += got == (int(tied), 5)
    named = what if got == astray else named
if hits < 6 and named:
    print("mistake:", named)
3 if hits == 6 else 1.5 if named else 0
# END HIDDEN TESTS


# %% mistake="does not ask whether another class has the value too" of="find_tie" points=1.5
def find_tie(values, targets):
    found = [(c, values[targets == c][0]) for c in range(4) if len(set(values[targets == c])) == 1]
    return np.array(min(found, key=lambda pair: pair[1]))


# %% mistake="does not ask whether the class always has the value" of="find_tie" points=1.5
def find_tie(values, targets):
    found = [(c, v) for v in np.unique(values) for c in range(4) if set(targets[values == v]) == {c}]
    return np.array(found[-1])


# %% [markdown]
# ## 2 · Where do they look?

# %%
maps = {
    name: upsample(grad_cam(suspect.model, suspect.inputs, suspect.targets, suspect.layer), 64)
    for name, suspect in case.suspects.items()
}
plots.show_maps(
    [case.images[i] for i in range(4)],
    {name: heat[:4] for name, heat in maps.items()},
    labels=[case.class_names[targets[i]] for i in range(4)],
    width=9,
)

# %% [markdown]
# **Question 3** (3 points). Write the mean share of the maps on a region: for each picture the sum of its map inside the region divided by the sum of the whole map; then the mean of these shares. Leave out pictures whose region is empty.


# %% question="mean_share" points=3 minutes=6 trains="12 §3"
def mean_share(maps, regions):
    """A number from 0 to 1. maps (N, h, w): tensor, above 0; regions (N, h, w): bool tensor, some all False."""
    # BEGIN SOLUTION
    there = regions.flatten(1).any(dim=1)
    inside = (maps * regions)[there].sum(dim=(1, 2))
    return (inside / maps[there].sum(dim=(1, 2))).mean()
    # END SOLUTION


# %% test="mean_share"
answers.function(mean_share, torch.ones(3, 4, 4), torch.ones(3, 4, 4) > 0, shape=())
# BEGIN HIDDEN TESTS
draw, hits, named = torch.Generator().manual_seed(SEED), 0, ""
for turn in range(3):
    heat = torch.rand(8, 6, 5, generator=draw) * torch.rand(8, 1, 1, generator=draw) + 0.01
    region = torch.rand(8, 6, 5, generator=draw) < torch.rand(8, 1, 1, generator=draw)
    region[turn::3] = False
    got, inside, whole = float(mean_share(heat, region)), (heat * region).sum((1, 2)), heat.sum((1, 2))
    there = region.any(dim=2).any(dim=1)
    wrong = {
        "pictures without the region count as zero": (inside / whole).mean(),
        "all pictures in one sum": inside[there].sum() / whole[there].sum(),
        "the mean of the map instead of its share": (inside[there] / region[there].sum((1, 2))).mean(),
    }
    hits += abs(got - float((inside / whole)[there].mean())) < 1e-5
    named = next((name for name, other in wrong.items() if abs(got - float(other)) < 1e-5), named)
if hits < 3 and named:
    print("mistake:", named)
3 if hits == 3 else 1.5 if named else 0
# END HIDDEN TESTS


# %% mistake="pictures without the region count as zero" of="mean_share" points=1.5
def mean_share(maps, regions):
    return ((maps * regions).sum(dim=(1, 2)) / maps.sum(dim=(1, 2))).mean()


# %% mistake="all pictures in one sum" of="mean_share" points=1.5
def mean_share(maps, regions):
    there = regions.flatten(1).any(dim=1)
    return (maps * regions)[there].sum() / maps[there].sum()


# %% [markdown]
# **Question 4** (2 points). Which suspect's map has, over the 120 pictures, the *smallest* mean share on the object (`case.masks`)? (`judge.energy_in_mask`)

# %% question="least_on_object" points=2 minutes=3 trains="12 §8"
# BEGIN SOLUTION
shares = {name: float(judge.energy_in_mask(heat, case.masks).nanmean()) for name, heat in maps.items()}
least_on_object = min(shares, key=shares.get)
# END SOLUTION

# %% test="least_on_object"
answers.choice(least_on_object, case.names)
# BEGIN HIDDEN TESTS
on_object = {name: float(judge.energy_in_mask(heat, case.masks).nanmean()) for name, heat in maps.items()}
right = on_object[least_on_object] <= min(on_object.values()) + 0.01
if not right and least_on_object == max(on_object, key=on_object.get):
    print("mistake: the largest share")
2 if right else 0
# END HIDDEN TESTS

# %% mistake="the largest share" of="least_on_object" points=0
shares = {name: float(judge.energy_in_mask(heat, case.masks).nanmean()) for name, heat in maps.items()}
least_on_object = max(shares, key=shares.get)

# %% [markdown]
# ## 3 · Exchange one thing
#
# `case.variants["colour"]` are the same 120 pictures, with the colours handed around: each object has got the colour of an object of another class. All else is as before. There are such pictures for all five kinds.
#
# **Question 5** (4 points). How much accuracy does each suspect lose, when one kind is handed around? An array `(6, 5)`: suspects A to F, kinds in the order of `KINDS`; the share of right answers on `case.images` minus the share on the variant.

# %% question="falls" points=4 minutes=7 trains="12 §4, §8"
# BEGIN SOLUTION
falls = np.zeros((6, 5))
for row, suspect in enumerate(case.suspects.values()):
    before = (suspect.predict(case.images).argmax(axis=1) == targets).mean()
    for column, kind in enumerate(KINDS):
        after = (suspect.predict(case.variants[kind]).argmax(axis=1) == targets).mean()
        falls[row, column] = before - after
# END SOLUTION

# %% test="falls"
answers.array(falls, (6, 5))


# BEGIN HIDDEN TESTS
def rate(name, images):
    return (case[name].predict(images).argmax(axis=1) == targets).mean()


key = np.array(
    [[rate(name, case.images) - rate(name, case.variants[kind]) for kind in KINDS] for name in case.names]
)
given = np.asarray(falls, float)
after_only = np.array([[rate(name, case.variants[kind]) for kind in KINDS] for name in case.names])
right = np.allclose(given, key, atol=0.01)  # one picture of 120 is 0.0083
upside_down, only = np.allclose(given, -key, atol=0.01), np.allclose(given, after_only, atol=0.01)
if upside_down and not right:
    print("mistake: after minus before")
if only and not right:
    print("mistake: the accuracy after, not the loss")
4 if right else 2 if upside_down or only else 0
# END HIDDEN TESTS

# %% mistake="after minus before" of="falls" points=2
falls = np.zeros((6, 5))
for row, suspect in enumerate(case.suspects.values()):
    before = (suspect.predict(case.images).argmax(axis=1) == targets).mean()
    for column, kind in enumerate(KINDS):
        falls[row, column] = (suspect.predict(case.variants[kind]).argmax(axis=1) == targets).mean() - before

# %% mistake="the accuracy after, not the loss" of="falls" points=2
falls = np.array(
    [
        [(suspect.predict(case.variants[kind]).argmax(axis=1) == targets).mean() for kind in KINDS]
        for suspect in case.suspects.values()
    ]
)

# %% [markdown]
# ## 4 · The charge
#
# **Question 6** (6 points). For each suspect, `None` if it is honest, or the kind that it looks at: a dict such as `{"A": None, "B": "background", …}`. A point for each suspect; half a point for one that is broken indeed, but looks at something else. (Whoever accuses nobody, gets nothing.)

# %% question="charges" points=6 minutes=8 trains="12 §8"
# BEGIN SOLUTION
lost = {
    name: {
        kind: (suspect.predict(case.images).argmax(axis=1) == targets).mean()
        - (suspect.predict(case.variants[kind]).argmax(axis=1) == targets).mean()
        for kind in KINDS
    }
    for name, suspect in case.suspects.items()
}
found = {name: max(of, key=of.get) if max(of.values()) > 0.1 else None for name, of in lost.items()}
charges = found
# END SOLUTION

# %% test="charges"
for name in case.names:
    if not isinstance(charges, dict) or name not in charges:
        raise ValueError(f"an answer for each suspect is wanted, and there is none for {name}")
    answers.choice("honest" if charges[name] is None else charges[name], ["honest", *KINDS])
# BEGIN HIDDEN TESTS
from course_utils.labs.detective import truth_of

truth = {name: what.kind for name, what in truth_of(case).items()}
points = 0.0
for name, kind in truth.items():
    points += 1.0 if charges[name] == kind else 0.5 if kind and charges[name] else 0.0
accused = [name for name in case.names if charges[name]]
if not accused:
    print("mistake: accuses nobody")
    points = 0.0
elif len(accused) == len(case.names):
    print("mistake: accuses everybody")
points
# END HIDDEN TESTS

# %% mistake="accuses nobody" of="charges" points=0
charges = dict.fromkeys(case.names)

# %% [markdown]
# **Question 7** (4 points). Evidence. For each suspect that you accuse, the number of one picture (0 to 119) that it names correctly in `case.images`, but wrongly when only the kind that you named is handed around (`case.variants`): a dict such as `{"B": 17, "E": 3}`. The points are shared among the suspects that are broken.

# %% question="evidence" points=4 minutes=7 trains="12 §4"
# BEGIN SOLUTION
lost = {
    name: {
        kind: (suspect.predict(case.images).argmax(axis=1) == targets).mean()
        - (suspect.predict(case.variants[kind]).argmax(axis=1) == targets).mean()
        for kind in KINDS
    }
    for name, suspect in case.suspects.items()
}
found = {name: max(of, key=of.get) if max(of.values()) > 0.1 else None for name, of in lost.items()}
evidence = {}
for name, kind in found.items():
    if kind is not None:
        before = case[name].predict(case.images).argmax(axis=1) == targets
        after = case[name].predict(case.variants[kind]).argmax(axis=1) == targets
        evidence[name] = int(np.flatnonzero(before & ~after)[0])
# END SOLUTION

# %% test="evidence"
if not isinstance(evidence, dict) or not evidence or not set(evidence) <= set(case.names):
    raise ValueError('write a dict from suspects to numbers of pictures, such as {"B": 17, "E": 3}')
for number in evidence.values():
    answers.number(number, 0, 119)
# BEGIN HIDDEN TESTS
guilty = {name: what.kind for name, what in truth_of(case).items() if what.kind}
proven, unmoved = 0, 0
for name, kind in guilty.items():
    if name in evidence:
        number = int(evidence[name])
        pair = np.stack([case.images[number], case.variants[kind][number]])
        named_rightly = case[name].predict(pair).argmax(axis=1) == targets[number]
        proven += bool(named_rightly[0] and not named_rightly[1])
        unmoved += bool(named_rightly.all())
if unmoved == len(guilty):
    print("mistake: pictures whose answer does not change")
4 if proven == len(guilty) else round(4 * proven / len(guilty), 2)
# END HIDDEN TESTS

# %% mistake="pictures whose answer does not change" of="evidence" points=0
lost = {
    name: {
        kind: (suspect.predict(case.images).argmax(axis=1) == targets).mean()
        - (suspect.predict(case.variants[kind]).argmax(axis=1) == targets).mean()
        for kind in KINDS
    }
    for name, suspect in case.suspects.items()
}
found = {name: max(of, key=of.get) if max(of.values()) > 0.1 else None for name, of in lost.items()}
evidence = {}
for name, kind in found.items():
    if kind is not None:
        before = case[name].predict(case.images).argmax(axis=1) == targets
        after = case[name].predict(case.variants[kind]).argmax(axis=1) == targets
        evidence[name] = int(np.flatnonzero(before & after)[0])

# %% [markdown]
# **Question 8** (3 points). Which of the sentences that the next cell prints are true? Write their letters, such as `"AC"`. Each letter that is wrong or missing costs half a point.

# %%
SENTENCES = [
    "In this case, at least one broken suspect looks at the object itself, at its surface or its colour.",
    "In this case, at least three suspects are broken.",
    "A suspect whose Grad-CAM lies on the object is honest.",
    "A map beside the object shows that the method of explanation has failed.",
    "When a thing is handed around that a suspect does not look at, its accuracy hardly changes.",
    "A map of places can tell a suspect that reads the watermark from an honest one.",
]
order = np.random.default_rng([case_seed, 3]).permutation(SENTENCES).tolist()
sentences = dict(zip("ABCDEF", order, strict=True))
print("\n".join(f"{letter}: {sentence}" for letter, sentence in sentences.items()))

# %% question="true_sentences" points=3 minutes=5 trains="12 §4, §8"
# BEGIN SOLUTION
lost = {
    name: {
        kind: (suspect.predict(case.images).argmax(axis=1) == targets).mean()
        - (suspect.predict(case.variants[kind]).argmax(axis=1) == targets).mean()
        for kind in KINDS
    }
    for name, suspect in case.suspects.items()
}
found = {name: max(of, key=of.get) if max(of.values()) > 0.1 else None for name, of in lost.items()}
said_of = [kind for kind in found.values() if kind]
holds = [bool({"texture", "colour"} & set(said_of)), len(said_of) >= 3, False, False, True, True]
true_sentences = "".join(letter for letter, text in sentences.items() if holds[SENTENCES.index(text)])
# END SOLUTION

# %% test="true_sentences"
answers.letters(true_sentences, "ABCDEF")
# BEGIN HIDDEN TESTS
kinds = [what.kind for what in truth_of(case).values() if what.kind]
key = [bool({"texture", "colour"} & set(kinds)), len(kinds) >= 3, False, False, True, True]
said = {sentences[letter] for letter in true_sentences.upper()}
if SENTENCES[2] in said:
    print("mistake: a map on the object acquits")
sum((text in said) == true for text, true in zip(SENTENCES, key, strict=True)) / 2
# END HIDDEN TESTS

# %% mistake="a map on the object acquits" of="true_sentences" points=2.5
lost = {
    name: {
        kind: (suspect.predict(case.images).argmax(axis=1) == targets).mean()
        - (suspect.predict(case.variants[kind]).argmax(axis=1) == targets).mean()
        for kind in KINDS
    }
    for name, suspect in case.suspects.items()
}
found = {name: max(of, key=of.get) if max(of.values()) > 0.1 else None for name, of in lost.items()}
said_of = [kind for kind in found.values() if kind]
holds = [bool({"texture", "colour"} & set(said_of)), len(said_of) >= 3, True, False, True, True]
true_sentences = "".join(letter for letter, text in sentences.items() if holds[SENTENCES.index(text)])

# %% [markdown]
# ## 5 · New pictures
#
# In `new_images` nothing is tied: all five things are drawn at random for each of the 120 objects.

# %%
lots = np.random.default_rng([case_seed, 4])
random_looks = {
    kind: [choices[i] for i in lots.integers(len(choices), size=120)]
    for kind, choices in case.choices.items()
}
new_images = case.render(**random_looks)

# %% [markdown]
# **Question 9** (1 point). The accuracy of the six suspects on `new_images`: an array `(6,)`, A to F.

# %% question="new_accuracy" points=1 minutes=2 trains="12 §8"
# BEGIN SOLUTION
new_accuracy = np.array(
    [(suspect.predict(new_images).argmax(axis=1) == targets).mean() for suspect in case.suspects.values()]
)
# END SOLUTION

# %% test="new_accuracy"
answers.array(new_accuracy, (6,))
# BEGIN HIDDEN TESTS
on_new = np.array([rate(name, new_images) for name in case.names])
on_old = np.array([rate(name, case.images) for name in case.names])
right = np.allclose(np.asarray(new_accuracy, float), on_new, atol=0.01)
if not right and np.allclose(np.asarray(new_accuracy, float), on_old, atol=0.01):
    print("mistake: the case's own pictures")
1 if right else 0
# END HIDDEN TESTS

# %% mistake="the case's own pictures" of="new_accuracy" points=0
new_accuracy = np.array(list(case.accuracy.values()))

# %% [markdown]
# **Question 10** (2 points). One of the six shall be used on pictures in which nothing is tied. Name one that you would take.

# %% question="would_use" points=2 minutes=2 trains="12 §8"
# BEGIN SOLUTION
rates = [(suspect.predict(new_images).argmax(axis=1) == targets).mean() for suspect in case.suspects.values()]
would_use = case.names[int(np.argmax(rates))]
# END SOLUTION

# %% test="would_use"
answers.choice(would_use, case.names)
# BEGIN HIDDEN TESTS
is_honest = truth_of(case)[would_use].honest
among_the_best = rate(would_use, new_images) >= max(rate(name, new_images) for name in case.names) - 0.03
if not is_honest and not among_the_best:
    print("mistake: a broken suspect")
2 if is_honest or among_the_best else 0
# END HIDDEN TESTS

# %% mistake="a broken suspect" of="would_use" points=0
rates = [(suspect.predict(new_images).argmax(axis=1) == targets).mean() for suspect in case.suspects.values()]
would_use = case.names[int(np.argmin(rates))]

# %% [markdown]
# ## 6 · The report
#
# **Question 11** (8 points, graded by a person). Write 200 to 300 words for a court that knows no machine learning. Your teacher grades with this table:
#
# | | points |
# |---|---|
# | The judgement on each suspect, clear, and the same as in your answers | 2 |
# | For one broken suspect: a map *and* a change of the picture, each with its numbers | 2 |
# | Why the map alone, or the accuracy alone, would not have been enough in your case | 2 |
# | What your evidence cannot show; one more experiment that could prove you wrong | 1 |
# | Plain words; a term that is needed is explained | 1 |

# %% [markdown] manual="report" points=8 minutes=18
# *Your text here.*
