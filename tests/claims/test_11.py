"""The claims of lesson 11 and its companions, on words, sentences, passages and splits that no cell shows."""

import functools
import re
from types import SimpleNamespace

import numpy as np
import torch
from replication import claim
from scipy.spatial.distance import cdist
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import cross_val_predict

from course_utils import judge
from course_utils.labs import load_lab
from course_utils.labs.text import read_texts, split_sentences
from course_utils.lessons import l11_bert_embeddings as shared
from course_utils.methods.embeddings import (
    cosine_similarity,
    linear_probe,
    mlp_probe,
    project,
    remove_common_component,
)

# five other words with two senses each; a sentence is one beginning and one end
SENSES = {
    ("bass", "fish"): (
        "My uncle caught a bass|We grilled a bass|A large bass swam|The cook cleaned the bass|She released the bass",
        "near the old pier|with lemon and salt|at the edge of the lake|before the boat came back",
    ),
    ("bass", "music"): (
        "He played the bass|She tuned her bass|The bass was too loud|A bass and drums began|I bought a bass",
        "in a jazz band|for the second song|on the small stage|through the new speaker",
    ),
    ("plant", "green"): (
        "She watered the plant|A plant grew|The plant needs light|He put the plant|This plant has flowers",
        "on the window sill|in dry soil|next to the roses|after the summer rain",
    ),
    ("plant", "factory"): (
        "The plant makes steel|Workers left the plant|They closed the plant|The plant hired engineers|A new plant opened",
        "after the strike|because orders fell|in the industrial zone|and production moved abroad",
    ),
    ("letter", "mail"): (
        "He posted a letter|A letter arrived|She answered the letter|I tore up the letter|The letter had no stamp",
        "from my aunt|in a yellow envelope|two weeks late|and the postman waited",
    ),
    ("letter", "alphabet"): (
        "The first letter is missing|Write each letter|She drew the letter|One letter was wrong|Read the letter aloud",
        "in the middle of the word|in capitals on the blackboard|and spell the name again|from A to Z",
    ),
    ("star", "sky"): (
        "A star shone|The star is bright|She named a star|We saw a star|The star exploded",
        "over the dark hills|through the telescope|millions of years ago|beside the moon",
    ),
    ("star", "person"): (
        "The star signed photos|A film star arrived|Fans met the star|The star left the hotel|She became a star",
        "after the premiere|in a black car|with three singers and an actor|and refused an interview",
    ),
    ("club", "stick"): (
        "He swung the club|The golfer chose a club|She broke her club|A club lay there|He cleaned the club",
        "and hit the ball|on the green|after a bad shot|next to the golf bag",
    ),
    ("club", "group"): (
        "She joined the club|The club meets|Our club has members|They left the club|The club elected him",
        "every Monday evening|and paid the fee|to talk about chess|because of the new chairman",
    ),
}


# twelve more words, each sentence written for itself
NATURAL = {
    ("ring", "jewel"): (
        "He gave her a ring with a small diamond|She lost the gold ring in the garden|The ring on his finger was too tight|"
        "A silver ring lay in the drawer|They chose a ring for the wedding|The thief stole a ring and two watches"
    ),
    ("ring", "boxing"): (
        "The boxer climbed into the ring|Two fighters met in the ring|He left the ring after the third round|"
        "The referee stood in the ring|She fought ten times in the ring|The crowd around the ring shouted"
    ),
    ("nail", "finger"): (
        "She painted each nail red|He bit his nail during the film|The nail of my thumb is broken|"
        "She cut the nail too short|A doctor looked at the black nail on his toe|Her little nail grew slowly"
    ),
    ("nail", "metal"): (
        "He hammered a nail into the wall|The picture hangs on a nail|A rusty nail stuck out of the board|"
        "She pulled the nail out with pliers|The carpenter bent a nail|A nail went through my tyre"
    ),
    ("palm", "hand"): (
        "He held the coin in his palm|She wrote the number on her palm|The palm of my hand hurts|"
        "He pressed his palm to the window|A scar runs across her palm|She rested her cheek on her palm"
    ),
    ("palm", "tree"): (
        "A palm grew beside the hotel pool|The monkey climbed the palm|The leaves of the palm moved in the wind|"
        "They planted a palm on the beach|We sat in the shade of a palm|The storm broke the old palm"
    ),
    ("fan", "machine"): (
        "The fan cooled the hot room|He switched the fan on|The fan of my computer is loud|"
        "A fan turned on the ceiling|She repaired the broken fan|The fan needs a new motor"
    ),
    ("fan", "person"): (
        "The fan asked the singer for a photo|A fan ran onto the pitch|She is a fan of the old band|"
        "Every fan sang the song|The fan waited at the stage door|He has been a football fan for years"
    ),
    ("trunk", "tree"): (
        "The trunk of the oak is hollow|A bird made a hole in the trunk|Moss grew on the trunk|"
        "They measured the trunk of the tree|He leaned against the trunk of the pine|Lightning split the trunk"
    ),
    ("trunk", "car"): (
        "He put the bags into the trunk|The trunk of the car was full|She closed the trunk and drove away|"
        "The spare wheel lies in the trunk|The police opened the trunk of the taxi|We loaded the tent into the trunk"
    ),
    ("coach", "trainer"): (
        "The coach shouted at the players|Our coach changed the team|The coach praised the young swimmer|"
        "She hired a new coach for the final|The coach watched the training|The coach was fired after the defeat"
    ),
    ("coach", "bus"): (
        "The coach left the station at noon|We took a coach to Scotland|The coach was full of tourists|"
        "The driver of the coach stopped for fuel|A coach broke down on the motorway|Their luggage was still in the coach"
    ),
    ("wave", "sea"): (
        "A wave rolled over the small boat|The surfer waited for a big wave|The wave broke on the rocks|"
        "A cold wave wet our feet|Each wave carried sand to the shore|The storm sent a wave across the pier"
    ),
    ("wave", "greeting"): (
        "She gave him a friendly wave|With a wave he said goodbye to the children|The queen answered with a wave|"
        "A quick wave was his only greeting|He saw her wave from the window|The driver thanked us with a wave"
    ),
    ("jam", "fruit"): (
        "She spread jam on her toast|The jam is made of strawberries|He opened a jar of jam|"
        "Grandmother cooks jam every summer|There is too much sugar in this jam|We ate pancakes with jam"
    ),
    ("jam", "traffic"): (
        "We sat in a jam for two hours|The accident caused a long jam|There is a jam on the bridge every morning|"
        "The radio warned of a jam|The bus is late because of a jam|The jam reached to the airport"
    ),
    ("deck", "cards"): (
        "He shuffled the deck twice|Take one card from the deck|The magician hid the ace in the deck|"
        "A deck has four kings|She cut the deck and dealt|Two cards are missing from the deck"
    ),
    ("deck", "ship"): (
        "The sailors scrubbed the deck|We stood on the deck and watched the coast|A wind swept over the deck|"
        "The captain walked across the deck|Passengers slept on the deck|The anchor lay on the deck"
    ),
    ("pupil", "school"): (
        "The pupil forgot his homework|Every pupil wrote the test|The teacher praised the new pupil|"
        "A pupil raised her hand|The best pupil won a book|The pupil came late to the lesson"
    ),
    ("pupil", "eye"): (
        "The pupil grows in the dark|A doctor shone a light into the pupil|His left pupil is larger than the right|"
        "The pupil is the black part of the eye|Bright light makes the pupil small|The drops widened her pupil"
    ),
    ("tie", "clothes"): (
        "He wore a blue tie to the office|The tie matches his shirt|She bought her father a silk tie|"
        "His tie has a stain of soup|He loosened his tie after work|The waiter wears a black tie"
    ),
    ("tie", "draw"): (
        "The match ended in a tie|There was a tie for first place|A late goal made it a tie|"
        "Both teams were happy with the tie|The vote was a tie|After the tie they played again"
    ),
    ("file", "document"): (
        "Save the file before you close it|The file is too large for an email|She sent me the wrong file|"
        "The lawyer opened the file of the case|He copied the file to another folder|The police keep a file on him"
    ),
    ("file", "tool"): (
        "He smoothed the edge with a file|The file lies beside the hammer|She shaped the metal with a coarse file|"
        "The smith needs a new file|A file removes rust from iron|He used a round file to widen the hole"
    ),
}


@functools.cache
def lab_of(model):
    return load_lab("text", model=model)


@functools.cache
def untrained(seed):
    return shared.untrained_like(lab_of("encoder").model, seed=seed)


def sentences(seed, n=8):
    """n sentences of each sense, drawn by lot: texts, where the word begins, the words, the senses."""
    random = np.random.default_rng(seed)
    texts, words, senses = [], [], []
    for (word, sense), (beginnings, ends) in SENSES.items():
        pairs = [(b, e) for b in beginnings.split("|") for e in ends.split("|")]
        for k in random.choice(len(pairs), n, replace=False):
            texts.append(f"{pairs[k][0]} {pairs[k][1]}.")
            words.append(word)
            senses.append(sense)
    starts = [text.lower().index(word) for text, word in zip(texts, words, strict=True)]
    return texts, starts, np.array(words), np.array(senses)


def written(seed):
    """Eight of the twelve words and five sentences of each sense, by lot; given as by `sentences`."""
    random = np.random.default_rng(seed)
    chosen = random.choice(sorted({word for word, _ in NATURAL}), 8, replace=False)
    texts, words, senses = [], [], []
    for (word, sense), bank in NATURAL.items():
        if word in chosen:
            for k in random.choice(6, 5, replace=False):
                texts.append(bank.split("|")[k] + ".")
                words.append(word)
                senses.append(sense)
    starts = [
        re.search(rf"\b{word}\b", text.lower()).start() for text, word in zip(texts, words, strict=True)
    ]
    return texts, starts, np.array(words), np.array(senses)


def states(seed, model=None, n=8):
    return states_of(*sentences(seed, n), model=model)


def states_of(texts, starts, words, senses, model=None):
    readings = shared.read(lab_of("encoder"), texts, model=model, batch=32)
    return readings, shared.states_of_words(readings, starts), words, senses


def near(x, words, senses):
    """The share of sentences whose nearest neighbour has the same sense."""
    return shared.each_word(shared.neighbour_right, x, words, senses).mean()


def mean_separation(target, words, senses):
    layers = range(target.shape[1])
    return [shared.each_word(shared.separation, target[:, n], words, senses).mean() for n in layers]


@claim(
    "§1",
    "After layer 4, two states of one word are far more alike than two arbitrary words; those of one sense most.",
    shown="0.91 in one sense, 0.80 in two, 0.24 for arbitrary words",
    holds=lambda v: (
        (v["one sense"] > v["two senses"]).all() and (v["two senses"] > v["arbitrary"] + 0.2).all()
    ),
)
def test_a_similarity_needs_a_crowd(seed):
    readings, target, words, senses = states(seed)
    alike = shared.similarities(target[:, 4], target[:, 4]).numpy()
    word, sense = words[:, None] == words, senses[:, None] == senses
    random = np.random.default_rng(seed)
    one = torch.stack([x.states[4, random.integers(1, len(x.tokens) - 1)] for x in readings])
    return {
        "one sense": alike[word & sense & ~np.eye(len(words), dtype=bool)].mean(),
        "two senses": alike[word & ~sense].mean(),
        "arbitrary": shared.similarities(one, one).numpy()[~word].mean(),
    }


@claim(
    "§4",
    "The first layer adds most to the separation of the senses; the input and random weights stay close to guessing. Up "
    "to the third layer each step adds something.",
    shown="0.52 at the input, 0.71 after layer 1, +0.04, +0.04; untrained 0.51 by neighbour",
    holds=lambda v: (
        (v["first step"] > v["largest other step"]).all()
        and (v["first step, other sentences"] > v["largest other step, other sentences"]).all()
        and v["steps 2 and 3, least"].min() > 0
        and np.abs(v["input"] - 0.5).max() < 0.15
        and np.abs(v["untrained"] - 0.5).max() < 0.15
        and v["untrained, by neighbour"].max() < 0.6
    ),
)
def test_the_first_layer_adds_most(seed):
    _, target, words, senses = states(seed)
    other = np.diff(mean_separation(target, words, senses))
    _, target, words, senses = states_of(*written(seed))
    found = mean_separation(target, words, senses)
    steps = np.diff(found)
    _, nothing, *_ = states_of(*written(seed), model=untrained(seed))
    return {
        "first step": steps[0],
        "largest other step": steps[1:].max(),
        "first step, other sentences": other[0],
        "largest other step, other sentences": other[1:].max(),
        "steps 2 and 3, least": steps[1:3].min(),
        "input": found[0],
        "untrained": mean_separation(nothing, words, senses)[-1],
        "untrained, by neighbour": near(nothing[:, -1], words, senses),
    }


@claim(
    "§4",
    "Later layers find the sense by the nearest neighbour more often than the first layer does. A bag of vectors is far "
    "above guessing, about as good as layer 1, and behind layer 5.",
    shown="layer 1 0.79, layer 5 0.93, bag of vectors 0.79, guessing 0.47",
    holds=lambda v: (
        (v["layer 5"] - v["layer 1"]).min() > 0
        and (v["bag of vectors"] - v["guessing"]).min() > 0.1
        and (v["layer 5"] - v["bag of vectors"]).min() > 0
        and abs((v["bag of vectors"] - v["layer 1"]).mean()) < 0.1
        and (v["layer 1"] - v["guessing"]).min() > 0.1
    ),
)
def test_later_layers_know_more(seed):
    readings, target, words, senses = states_of(*written(seed))
    vectors = torch.stack([reading.states[0].mean(dim=0) for reading in readings])
    return {
        "layer 1": near(target[:, 1], words, senses),
        "layer 5": near(target[:, 5], words, senses),
        "bag of vectors": near(vectors, words, senses),
        "guessing": shared.each_word(shared.share_of_own_sense, vectors, words, senses).mean(),
    }


def other_passages(seed, n=20):
    """Passages that the lesson does not ask about, or other questions on those that it does."""
    random = np.random.default_rng(seed)
    held_out, trained = read_texts("passages_heldout"), read_texts("passages")[24:]
    some = [held_out[i] for i in random.permutation(len(held_out))[:n]]
    some += [trained[i] for i in random.permutation(len(trained))[: n // 2]]
    return some


@functools.lru_cache(maxsize=1)
def asked(seed):
    return shared.ask(lab_of("qa"), other_passages(seed), others=[lab_of("encoder")], shift=1 + seed % 3)


@claim(
    "§6",
    "The model fails far more often on held-out questions than on those that it learnt from, and the words of the "
    "questions do not explain it: both kinds use as few words of the sentence with the answer.",
    shown="0.31 and 1.00 right",
    holds=lambda v: (
        (v["right, trained"] - v["right, held out"]).min() > 0.3
        and np.abs(v["own words, trained"] - v["own words, held out"]).max() < 0.1
        and v["own words, trained"].max() < 0.3
    ),
)
def test_words_do_not_explain_the_failures(seed):
    random, found = np.random.default_rng(seed), {}
    for name, bank in (("held out", "passages_heldout"), ("trained", "passages")):
        passages = read_texts(bank)
        some = [passages[i] for i in random.permutation(len(passages))[:24]]
        (cases,) = shared.ask(lab_of("qa"), some, shift=seed % 4)
        shares = []
        for case in cases:
            sentence = next((s for s in split_sentences(case.context) if case.answer in s), case.context)
            asked, there = (
                set(re.findall(r"\w+", t.lower())) - shared.STOP_WORDS for t in (case.question, sentence)
            )
            shares.append(len(asked & there) / max(len(asked), 1))
        found |= {
            f"right, {name}": np.mean([case.hit for case in cases]),
            f"own words, {name}": np.mean(shares),
        }
    return found


@claim(
    "§6",
    "The answer leaves the passage in the last layer, other answers do not; in the plain model much less.",
    shown="+0.83 against +0.10",
    holds=lambda v: v["fine-tuned"].min() > 0.3 and (v["fine-tuned"] > 3 * v["plain"]).all(),
)
def test_the_answer_leaves(seed):
    tuned, plain = (np.mean([shared.stage_extraction(c)[-1] for c in cases]) for cases in asked(seed))
    return {"fine-tuned": tuned, "plain": plain}


@claim(
    "§6",
    "In the plain encoder the question leaves the passage after the last layer, and not before.",
    shown="1.57 after the last layer, about 1 in the layers before",
    holds=lambda v: v["last layer"].min() > 1.3 and v["largest before"].max() < 1.15,
)
def test_the_question_leaves_the_plain_encoder(seed):
    cases = asked(seed)[1]
    curves = [
        shared.between(shared.spread_distances(c), c.part["question"], c.part["context"]) for c in cases
    ]
    curve = np.mean(curves, axis=0)
    return {"last layer": curve[-1], "largest before": curve[:-1].max()}


@claim(
    "§6",
    "When the model is wrong, what it answers lies farther out than the right answer on average and in most passages; "
    "the right answer lies farther than others.",
    shown="+0.41, in 17 of 22, and +0.34",
    holds=lambda v: (
        v["given less right"].min() > 0
        and v["right less others"].min() > 0
        and 0.5 < v["given farther, share"].min() <= v["given farther, share"].mean() < 0.95
    ),
)
def test_the_given_answer_leaves(seed):
    wrong = [case for case in asked(seed)[0] if not case.hit]
    far = {
        part: np.array([shared.leaves(case, case.part[part]) for case in wrong])
        for part in ("given", "answer", "other")
    }
    return {
        "given less right": (far["given"] - far["answer"]).mean(),
        "right less others": (far["answer"] - far["other"]).mean(),
        "given farther, share": (far["given"] > far["answer"]).mean(),
    }


@claim(
    "11c §2",
    "Names find names far above chance, at the input and in all layers.",
    shown="0.54 to 0.78, chance 0.06",
    holds=lambda v: v["lowest layer"].min() > 3 * v["chance"].max(),
)
def test_names_gather(seed):
    found, chance = shared.stage_meaning(asked(seed)[0])
    return {"lowest layer": found.mean(axis=0).min(), "chance": chance}


@claim(
    "11c §2",
    "Tokens of one sentence are more alike in the middle layers than at the input.",
    shown="0.04 at layer 4, 0.00 at layer 0",
    holds=lambda gain: gain.min() > 0,
)
def test_relations_show(seed):
    found = [shared.stage_relations(case) for case in asked(seed)[0]]
    curve = np.mean([row for row in found if row is not None], axis=0)
    return curve[3:5].mean() - curve[0]


def new_passages(seed):
    """Another question on 24 of the held-out passages: fine-tuned, plain, and fine-tuned on masked words."""
    passages, lab = read_texts("passages_heldout"), lab_of("masked")
    some = [passages[i] for i in np.random.default_rng(seed).permutation(len(passages))[:24]]
    guesser = SimpleNamespace(model=lab.model.bert, tokenize=lab.tokenize, name=lab.name)
    return shared.ask(lab_of("qa"), some, others=[lab_of("encoder"), guesser], shift=1 + seed % 3)


@claim(
    "11c §2",
    "On new passages, training on questions raises the similarity gained in a sentence by more than a half; training "
    "on masked words does not raise it, and at wrong places there is next to none.",
    shown="0.038, plain 0.020",
    holds=lambda v: (
        (v["fine-tuned"] > 1.5 * v["plain"]).all()
        and (v["masked words"] < v["plain"]).all()
        and (v["fine-tuned, wrong places"] < v["plain"]).all()
    ),
)
def test_training_on_questions_doubles_relations(seed):
    def gained(case, moved=0):
        number = shared.sentence_numbers(case)
        number = np.concatenate([np.full(moved, number[0]), number[: len(number) - moved]])
        x = case.reading.states[3:5, case.part["passage"]]
        alike, gains = shared.similarities(x, x).mean(dim=0), []
        for gap in range(4, 9):
            same = number[gap:] == number[:-gap]
            if same.any() and not same.all():
                pairs = alike.diagonal(gap)
                gains.append((pairs[same].mean() - pairs[~same].mean()).item())
        return np.mean(gains)

    tuned, plain, guesser = new_passages(seed)
    return {
        "fine-tuned": np.mean([gained(case) for case in tuned]),
        "plain": np.mean([gained(case) for case in plain]),
        "masked words": np.mean([gained(case) for case in guesser]),
        "fine-tuned, wrong places": np.mean([gained(case, moved=5) for case in tuned]),
    }


@claim(
    "11c §2",
    "The rise of matching to layer 3 is no clearer in the fine-tuned model than in the plain one.",
    shown="-0.09 (-0.22 to +0.03) on held-out passages, +0.04 (-0.08 to +0.17) on trained ones",
    holds=lambda gain: gain.max() < 0.1,
)
def test_no_matching_is_made(seed):
    rise = [np.array([shared.stage_matching(case)[0] for case in cases])[:, [0, 3]] for cases in asked(seed)]
    return (rise[0][:, 1] - rise[0][:, 0] - rise[1][:, 1] + rise[1][:, 0]).mean()


def surest(seed):
    """The right answer of which the model is most sure."""
    return max((case for case in asked(seed)[0] if case.hit), key=lambda case: case.probability)


@claim(
    "11c §3",
    "The plane keeps the order of distances far better in the last layer than in layer 1, without the answer, too, and "
    "in the plain encoder.",
    shown="0.91 against 0.16",
    holds=lambda v: (
        (v["layer 6"] - v["layer 1"]).min() > 0.2
        and (v["layer 6, no answer"] - v["layer 1"]).min() > 0.2
        and np.abs(v["layer 6, no answer"] - v["layer 6"]).max() < 0.1
        and (v["plain, layer 6"] - v["plain, layer 1"]).min() > 0.2
    ),
)
def test_a_plane_shows_the_last_layer_best(seed):
    def order(case, layer, tokens):
        x = case.reading.states[layer, tokens].double()
        return judge.rank_correlation(torch.pdist(project(x))[None], torch.pdist(x)[None]).item()

    tuned, plain = asked(seed)
    number = max((n for n, case in enumerate(tuned) if case.hit), key=lambda n: tuned[n].probability)
    case = tuned[number]
    rest = np.setdiff1d(case.inner, np.union1d(case.part["answer"], case.part["given"]))
    return {
        "layer 1": order(case, 1, case.inner),
        "layer 6": order(case, 6, case.inner),
        "layer 6, no answer": order(case, 6, rest),
        "plain, layer 1": order(plain[number], 1, case.inner),
        "plain, layer 6": order(plain[number], 6, case.inner),
    }


@claim(
    "11c §5",
    "t-SNE keeps more neighbours than PCA.",
    shown="0.50 to 0.61 against 0.23",
    holds=lambda v: (v["t-SNE"] > v["PCA"]).all(),
)
def test_t_sne_keeps_neighbours(seed):
    case = surest(seed)
    x = case.reading.states[4, case.inner].numpy()
    drawn = TSNE(perplexity=15, init="random", random_state=seed, max_iter=500).fit_transform(x)
    points, _ = shared.in_the_plane(case, 4)
    return {"t-SNE": shared.neighbours_kept(x, drawn, 5), "PCA": shared.neighbours_kept(x, points, 5)}


@claim(
    "11c §5",
    "Random numbers fall into clumps at perplexity 2, and not at 15 (distance to the nearest point, as a share of the "
    "median distance; an even cloud has 0.13).",
    shown="by the picture",
    holds=lambda v: v["perplexity 2"].max() < 0.09 and v["perplexity 15"].min() > 0.1,
)
def test_noise_falls_into_clumps(seed):
    noise, found = np.random.default_rng(seed).normal(size=(135, 384)), {}
    for perplexity in (2, 15):
        drawn = TSNE(perplexity=perplexity, init="random", random_state=seed, max_iter=500)
        apart = cdist(points := drawn.fit_transform(noise), points)
        np.fill_diagonal(apart, np.inf)
        found[f"perplexity {perplexity}"] = apart.min(axis=1).mean() / np.median(apart)
    return found


@claim(
    "11b §2",
    "The word itself and [CLS] gain more in the first layer than the token after it and the last one do; after the "
    "last layer all five are above guessing.",
    shown="word +0.32, [CLS] +0.18; after it +0.01, last +0.07; at the end 0.76 to 0.93, guessing 0.47",
    holds=lambda v: (
        v["word, gain"].mean() > 0.1
        and v["[CLS], gain"].mean() > 0.1
        and max(v["after, gain"].mean(), v["last, gain"].mean()) < 0.1
        and v["weakest less guessing, last layer"].mean() > 0.05
    ),
)
def test_other_tokens_carry_the_sense(seed):
    texts, starts, words, senses = written(seed)
    scores, guessing = scores_by_token(texts, starts, words, senses)
    found = {
        f"{name}, gain": scores[name][1] - scores[name][0] for name in ("word", "[CLS]", "after", "last")
    }
    found["weakest less guessing, last layer"] = min(of[-1] for of in scores.values()) - guessing
    return found


def scores_by_token(texts, starts, words, senses):
    """The mean score of five tokens in each layer, and that of guessing."""
    readings = shared.read(lab_of("encoder"), texts, batch=32)
    places = [shared.place_of(r, start) for r, start in zip(readings, starts, strict=True)]
    tokens = {
        "word": [r.states[:, p] for r, p in zip(readings, places, strict=True)],
        "after": [r.states[:, p + 1] for r, p in zip(readings, places, strict=True)],
        "last": [r.states[:, len(r.tokens) - 2] for r in readings],
        "[CLS]": [r.states[:, 0] for r in readings],
        "mean": [r.states.mean(dim=1) for r in readings],
    }
    scores = {}
    for name, rows in tokens.items():
        x = torch.stack(rows)
        layers = range(x.shape[1])
        scores[name] = [
            shared.each_word(shared.neighbour_right, x[:, n], words, senses).mean() for n in layers
        ]
    return scores, shared.each_word(shared.share_of_own_sense, x[:, 0], words, senses).mean()


@claim(
    "11b §2",
    "With the word masked, the other tokens keep more than half of what they have above guessing.",
    shown="0.74 to 0.90 without the word, 0.76 to 0.90 with it, guessing 0.47",
    holds=lambda kept: kept.min() > 0.5,
)
def test_other_tokens_know_the_topic(seed):
    texts, starts, words, senses = written(seed)
    full, guessing = scores_by_token(texts, starts, words, senses)
    hidden = [
        f"{t[:start]}[MASK]{t[start + len(w) :]}" for t, start, w in zip(texts, starts, words, strict=True)
    ]
    masked, _ = scores_by_token(hidden, starts, words, senses)
    others = ("after", "last", "[CLS]", "mean")
    return sum(masked[k][-1] - guessing for k in others) / sum(full[k][-1] - guessing for k in others)


@claim(
    "11b §3",
    "In the encoder, taking the common part away brings arbitrary words near 0; the senses separate hardly better.",
    shown="0.24 to 0.00 at layer 4; separation +0.00",
    holds=lambda v: (
        v["before"].min() > 0.1 and np.abs(v["after"]).max() < 0.05 and np.abs(v["gain"]).max() < 0.03
    ),
)
def test_the_correction_adds_no_knowledge(seed):
    readings, _, words, senses = states(seed)
    x = torch.cat([reading.states[4, 1:-1] for reading in readings])
    starts = sentences(seed)[1]
    first = np.cumsum([0, *(len(r.tokens) - 2 for r in readings[:-1])])
    where = first + [shared.place_of(r, s) - 1 for r, s in zip(readings, starts, strict=True)]
    corrected = remove_common_component(x)
    i, j = torch.randint(len(x), (2, 2000), generator=torch.Generator().manual_seed(seed))
    separate = [shared.each_word(shared.separation, y[where], words, senses).mean() for y in (x, corrected)]
    alike = [cosine_similarity(y[i], y[j]).mean().item() for y in (x, corrected)]
    return {"before": alike[0], "after": alike[1], "gain": separate[1] - separate[0]}


@claim(
    "11b §3",
    "Random weights have a larger common part than the encoder has after any layer. Fine-tuned for questions, it has "
    "a large one after the last layer, and there the correction separates the senses a little better.",
    shown="random weights 0.41, encoder at most 0.27, fine-tuned 0.68; separation +0.04",
    holds=lambda v: (
        (v["random weights"] > v["encoder, largest"]).all()
        and (v["fine-tuned, last"] > v["encoder, last"] + 0.3).all()
        and v["fine-tuned, gain"].min() > 0
    ),
)
def test_the_common_part_depends_on_the_training(seed):
    texts, starts, words, senses = written(seed)
    drawn = torch.Generator().manual_seed(seed)
    found = {}
    for name, model in (
        ("encoder", None),
        ("random weights", untrained(seed)),
        ("fine-tuned", lab_of("qa").model.bert),
    ):
        readings = shared.read(lab_of("encoder"), texts, model=model, batch=32)
        x = torch.cat([r.states[:, 1:-1] for r in readings], dim=1)
        i, j = torch.randint(x.shape[1], (2, 2000), generator=drawn)
        alike = [cosine_similarity(y[i], y[j]).mean().item() for y in x]
        if name == "encoder":
            found["encoder, largest"], found["encoder, last"] = max(alike), alike[-1]
        elif name == "random weights":
            found[name] = alike[-1]
        else:
            found["fine-tuned, last"] = alike[-1]
            first = np.cumsum([0, *(len(r.tokens) - 2 for r in readings[:-1])])
            where = first + [shared.place_of(r, s) - 1 for r, s in zip(readings, starts, strict=True)]
            plain, corrected = (
                shared.each_word(shared.separation, y[where], words, senses).mean()
                for y in (x[-1], remove_common_component(x[-1]))
            )
            found["fine-tuned, gain"] = corrected - plain
    return found


@claim(
    "11b §3",
    "Up to layer 5, one number of 384 holds a quarter to a half of the squared length of the mean; in layer 6 none does.",
    shown="0.27 at layer 1, 0.50 at layer 5, 0.03 at layer 6",
    holds=lambda v: (
        v["smallest, layers 1 to 5"].min() > 0.18
        and v["largest, layers 1 to 5"].max() < 0.6
        and v["layer 6"].max() < 0.06
    ),
)
def test_one_number_holds_much_of_the_common_part(seed):
    readings = shared.read(lab_of("encoder"), written(seed)[0], batch=32)
    mean = torch.cat([r.states[:, 1:-1] for r in readings], dim=1).mean(dim=1).square()
    largest = (mean / mean.sum(dim=1, keepdim=True)).amax(dim=1).tolist()
    return {
        "smallest, layers 1 to 5": min(largest[1:6]),
        "largest, layers 1 to 5": max(largest[1:6]),
        "layer 6": largest[6],
    }


def far_less_near(texts, starts, words, senses, some, n):
    """How much more of the sense is left when the n farthest words are masked, not the n nearest."""
    lab = lab_of("encoder")
    readings = shared.read(lab, texts, batch=64)
    target = shared.states_of_words(readings, starts)[:, 4]
    places = [shared.place_of(r, s) for r, s in zip(readings, starts, strict=True)]
    ids = [r.record.ids[: len(r.tokens)] for r in readings]
    mask, stop = lab.tokenizer.mask_token_id, lab.tokenizer.convert_tokens_to_ids(".")
    some = [i for i in some if len(ids[i]) > n + 4]  # or both orders mask the same words
    left = []
    for nearest in (True, False):
        rows = [
            shared.mask_context(ids[i], places[i], n, mask, nearest_first=nearest, spared=[stop])
            for i in some
        ]
        h = shared.states_of_ids(lab, rows, [places[i] for i in some])[:, 4]
        left.append(shared.sense_scores(h, some, target, words, senses))
    return judge.paired(left[1], left[0]).mean


@claim(
    "11b §4",
    "Masking the nearest words takes more of the sense away than the farthest, in the lesson's bank; on other words the "
    "two orders do not differ.",
    shown="+0.02 in the bank",
    holds=lambda v: (
        v["bank"].min() > 0.005
        and abs(v["other words"].mean()) < 0.003
        and (v["other words"] < v["bank"] / 2).all()
    ),
)
def test_near_words_matter_more_in_the_bank_only(seed):
    lab = lab_of("encoder")
    words, senses = (np.array([r[key] for r in lab.records]) for key in ("word", "sense"))
    unseen = np.setdiff1d(np.arange(len(words)), np.arange(0, len(words), 4))  # by the lesson
    some = np.random.default_rng(seed).permutation(unseen)[:60]
    others = [far_less_near(*bank, range(len(bank[0])), 2) for bank in (written(seed), sentences(seed))]
    return {
        "bank": far_less_near(lab.texts, [r["start"] for r in lab.records], words, senses, some, 2),
        "other words": np.mean(others),
    }


FILLER = "The weather was grey, and we waited for the next bus. "


@claim(
    "11b §4",
    "A clue still has an effect across four neutral sentences. It is weaker than without them, and more than half of "
    "that is there when they stand in front of the clue.",
    shown="0.033 without, 0.026 in front, 0.020 across",
    holds=lambda v: (
        v["across four"].min() > 0
        and (v["close by"] > v["four in front"]).all()
        and (v["close by"] - v["four in front"] > (v["close by"] - v["across four"]) / 2).all()
    ),
)
def test_a_clue_far_off(seed):
    lab = lab_of("encoder")
    texts, starts, words, senses = sentences(seed)
    target = shared.states_of_words(shared.read(lab, texts, batch=32), starts)[:, 4]
    found = {}
    for name, before, between in (("close by", 0, 0), ("across four", 0, 4), ("four in front", 4, 0)):
        long, at = [], []
        for text, start, word in zip(texts, starts, words, strict=True):
            clue = f"{text[:start]}[MASK]{text[start + len(word) :]} "
            long.append(f"{FILLER * before}{clue}{FILLER * between}Then someone mentioned the {word}.")
            at.append(long[-1].rindex(word))
        h = shared.states_of_words(shared.read(lab, long, batch=16), at)[:, 4]
        found[name] = shared.sense_scores(h, range(len(words)), target, words, senses).mean()
    return found


@claim(
    "11b §4",
    "With all context masked, most sentences of a word lean to the same sense, whichever they had.",
    shown="for seven of ten words all sentences; 0.94 in the mean of the words",
    holds=lambda share: share.min() > 0.75,
)
def test_a_bare_word_has_a_favourite(seed):
    lab = lab_of("encoder")
    texts, starts, words, senses = sentences(seed)
    readings = shared.read(lab, texts, batch=32)
    target = shared.states_of_words(readings, starts)[:, 4]
    places = [shared.place_of(r, s) for r, s in zip(readings, starts, strict=True)]
    rows = [
        shared.mask_context(r.record.ids[: len(r.tokens)], p, 99, lab.tokenizer.mask_token_id)
        for r, p in zip(readings, places, strict=True)
    ]
    h = shared.states_of_ids(lab, rows, places)[:, 4]
    s = shared.sense_scores(h, range(len(words)), target, words, senses)
    shares = []
    for word in np.unique(words):
        of_word = words == word
        to_first = (s[of_word] > 0) == (senses[of_word] == senses[of_word][0])
        shares.append(max(to_first.mean(), 1 - to_first.mean()))
    return np.mean(shares)


@functools.cache
def tagged():
    return shared.tagged_words(lab_of("encoder"), shared.tagged_sentences())


@functools.cache
def tagged_random(seed):
    return shared.tagged_words(lab_of("encoder"), shared.tagged_sentences(), model=untrained(seed))[0]


@claim(
    "11d §1",
    "From layer 2 a probe reads unknown words nearly as well as known ones, and from layer 0, too; from "
    "random weights only known words.",
    shown="trained 0.95 and 0.92, layer 0 0.83 and 0.77; random 0.79 and 0.25, always noun 0.32",
    holds=lambda v: (
        v["trained, unknown"].min() > 0.85
        and abs((v["layer 0, unknown"] - v["layer 0, known"]).mean()) < 0.06
        and (v["layer 0, unknown"] - v["always noun"]).min() > 0.25
        and v["random, known"].min() > 0.65
        and (v["random, unknown"] - v["always noun"]).max() < 0.1
    ),
)
def test_random_weights_read_known_words_only(seed):
    x, column = tagged()
    rows = column["pos"] != "PUNCT"
    y, word, sentence = (column[key][rows] for key in ("pos", "word", "sentence"))
    number = np.unique(sentence)
    train = np.isin(sentence, np.random.default_rng(seed).permutation(number)[: int(0.7 * len(number))])
    classes = np.unique(y)
    unknown = ~np.isin(word[~train], word[train])
    found = {"always noun": (y[~train][unknown] == "NOUN").mean()}
    cases = (("trained", x, 2), ("layer 0", x, 0), ("random", tagged_random(seed), 2))
    for name, states_of, layer in cases:
        z = states_of[rows, layer].double().numpy()
        z = (z - z[train].mean(axis=0)) / z[train].std(axis=0)
        z = np.concatenate([z, np.ones((len(z), 1))], axis=1)
        right_class = (y[train][:, None] == classes).astype(float)
        w = np.linalg.solve(z[train].T @ z[train] + 10 * np.eye(z.shape[1]), z[train].T @ right_class)
        right = classes[(z[~train] @ w).argmax(axis=1)] == y[~train]
        found[f"{name}, known"], found[f"{name}, unknown"] = right[~unknown].mean(), right[unknown].mean()
    return found


@claim(
    "11d §3",
    "For part of speech the selectivity rises from layer 0 to the middle layers, and from layer 2 to 4 while the "
    "accuracy falls. The control falls from layer 0 to 6; with random weights it does not.",
    shown="+0.14, +0.41, +0.45; accuracy 0.97 to 0.95; control 0.68 to 0.44, random 0.68 to 0.68",
    holds=lambda v: (
        (v["selectivity 4"] - v["selectivity 0"]).min() > 0.15
        and (v["selectivity 4"] > v["selectivity 2"]).all()
        and (v["accuracy 4"] < v["accuracy 2"]).all()
        and (v["control 0"] - v["control 6"]).min() > 0.1
        and abs(v["random control 0"] - v["random control 6"]).max() < 0.05
    ),
)
def test_selectivity_rises(seed):
    x, column = tagged()
    rows = column["pos"] != "PUNCT"
    words, labels, groups = (column[key][rows] for key in ("word", "pos", "sentence"))
    found = {}
    for name, states_of in (("", x), ("random ", tagged_random(seed))):
        for n in (0, 2, 4, 6):
            probe = linear_probe(states_of[rows, n], labels, words, groups=groups, seed=seed)
            found |= {
                f"{name}selectivity {n}": probe.selectivity,
                f"{name}accuracy {n}": probe.accuracy,
                f"{name}control {n}": probe.control,
            }
    return found


@claim(
    "11d §3",
    "A stronger probe is better at nonsense, and no better at the task.",
    shown="+0.07 and -0.02 at layer 5",
    holds=lambda v: v["nonsense"].mean() > 0.02 and v["task"].max() < 0.02,
)
def test_a_stronger_probe_learns_nonsense(seed):
    x, column = tagged()
    rows = column["pos"] != "PUNCT"
    data = x[rows, 5], column["pos"][rows], column["word"][rows]
    weak = linear_probe(*data, groups=column["sentence"][rows], seed=seed)
    strong = mlp_probe(*data, groups=column["sentence"][rows], seed=seed, hidden=64)
    return {"nonsense": strong.control - weak.control, "task": strong.accuracy - weak.accuracy}


@claim(
    "11d §4",
    "A review's nearest neighbour is far above guessing in its topic, and hardly in its opinion. A probe reads the "
    "opinion better than guessing, from the last layer as from layer 0.",
    shown="+0.38 and -0.00; probe 0.63 and 0.66",
    holds=lambda v: (
        v["topic"].min() > 0.2
        and abs(v["opinion"].mean()) < 0.05
        and v["probe, last layer"].min() > 0.55
        and abs((v["probe, last layer"] - v["probe, layer 0"]).mean()) < 0.05
    ),
)
def test_topic_not_opinion(seed):
    reviews = read_texts("reviews")[500:]
    some = [reviews[i] for i in np.random.default_rng(seed).permutation(len(reviews))[:500]]
    vectors = shared.sentence_vectors(lab_of("encoder"), [r["text"] for r in some])
    opinion, found = np.array([r["label"] for r in some]), {}
    for name, n in (("last layer", -1), ("layer 0", 0)):
        guessed = cross_val_predict(LogisticRegression(max_iter=1000), vectors[:, n], opinion, cv=5)
        found[f"probe, {name}"] = (guessed == opinion).mean()
    vectors = vectors[:, -1]
    near = shared.nearest_other(vectors)
    for name, key in (("topic", "domain"), ("opinion", "label")):
        own = np.array([r[key] for r in some])
        found[name] = (own[near] == own).mean() - shared.share_of_own_sense(vectors, own).mean()
    return found


@claim(
    "11d §4",
    "A question finds its own passage more often by the best sentence than by the whole passage. Where it shares "
    "half of its words with the passage, the bag of words finds far more than where it shares fewer.",
    shown="+0.14; 0.75 and 0.14",
    holds=lambda v: v["sentence less whole"].min() > 0 and (v["bag, many"] - v["bag, few"]).min() > 0.2,
)
def test_sentences_find_the_passage(seed):
    lab = lab_of("encoder")
    passages = read_texts("passages")
    held = [passages[i] for i in np.random.default_rng(seed).permutation(len(passages))[:20]]
    questions, truth = zip(*((q["question"], n) for n, p in enumerate(held) for q in p["qas"]), strict=True)
    pieces, of = zip(
        *((s, n) for n, p in enumerate(held) for s in split_sentences(p["context"])), strict=True
    )
    contexts = [p["context"] for p in held]
    asked, sentence, whole = (
        shared.sentence_vectors(lab, list(texts))[:, -1] for texts in (questions, pieces, contexts)
    )
    by_sentence = np.array(of)[shared.similarities(asked, sentence).argmax(dim=1).numpy()] == truth
    by_whole = shared.similarities(asked, whole).argmax(dim=1).numpy() == truth
    tfidf = TfidfVectorizer().fit(contexts)
    by_words = (tfidf.transform(questions) @ tfidf.transform(contexts).T).toarray().argmax(axis=1) == truth
    words_of = TfidfVectorizer(stop_words="english").build_analyzer()
    own = [(set(words_of(q)), set(words_of(contexts[n]))) for q, n in zip(questions, truth, strict=True)]
    many = np.array([len(q & p) / max(len(q), 1) for q, p in own]) >= 0.5
    return {
        "sentence less whole": by_sentence.mean() - by_whole.mean(),
        "bag, many": by_words[many].mean(),
        "bag, few": by_words[~many].mean(),
    }
