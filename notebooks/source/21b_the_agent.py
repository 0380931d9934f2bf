# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 21b · An agent that wants the corner
#
# **The question.** An agent learnt to fetch a coin, and it always succeeds. Does it want the coin?
#
# This companion of [21 · What if?](21_what_if.ipynb) puts the question "what if?" to an agent: what if the coin lay elsewhere? In a small room the best possible answer can be computed for every situation, so both the agent and its explanations can be scored.
#
# **After this lesson you can**
# - compute what each move is worth (*value iteration*), and train a network to know it;
# - find out what an agent has learnt by an intervention that training never made;
# - cover parts of what an agent sees, without covering the agent;
# - say what a heat map of such an agent shows of its goal, and what it cannot show.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [21](21_what_if.ipynb), sections 2 and 3; a network and its training.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from course_utils import judge
from course_utils.exercises import l21_what_if as exercises
from course_utils.lessons import l21_agent as room
from course_utils.lessons.l21_agent import CORNER, FREE, NEXT, NUMBER, observe, situations
from course_utils.methods.gradients import input_x_gradient
from course_utils.teach import plots, widgets

torch.set_num_threads(1)  # the network is small: more threads only wait for each other
N = len(FREE)  # cells without a wall, numbered from the upper left one; CORNER is the last
ELSEWHERE = [cell for cell in range(N) if cell != CORNER]
COIN = NUMBER[1, 5]  # one of them
corner_agent = room.train([CORNER])

# %% [markdown]
# ## 1 · A puzzle: it always finds the coin
#
# A room of 7 × 7 cells with walls. In each step the agent (blue triangle) moves up, down, left or right. When it reaches the coin (gold), it gets a reward of 1 and the game is over. The cell above has trained an agent; section 3 says how. During training the coin lay in the lower right corner.

# %%
walks = room.walk_all(corner_agent, [CORNER])
print(f"reaches the coin from {walks.success.mean():.0%} of the {len(walks.success)} cells")

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(9, 3.1))
for ax, start in zip(axes, (NUMBER[0, 0], NUMBER[0, 6], NUMBER[4, 2]), strict=True):
    room.draw_path(
        ax, corner_agent, start, CORNER, f"{len(room.path(corner_agent, start, CORNER)) - 1} steps"
    )
plots.show("Three walks through the room, each on a shortest way to the coin in the lower right corner.")

# %% tags=["hide-input"]
exercises.what_it_learnt

# %% [markdown]
# ## 2 · The truth: what each move is worth
#
# Let $Q(s, m)$ be the *value* of move $m$ in situation $s$ (where is the agent, where the coin): the reward that the best play still brings, where each step of waiting costs a tenth. The *discount* $\gamma = 0.9$ says so. If the move leads onto the coin, its value is 1. Otherwise it leads to a situation $s'$, and there one takes the best move $m'$ (Bellman's equation):
#
# $$Q(s, m) = \begin{cases} 1 & \text{the move leads onto the coin} \\ \gamma\, \max_{m'} Q(s', m') & \text{otherwise.}\end{cases}$$
#
# *Value iteration* begins with zeros and applies the right side again and again. After $k$ rounds all cells within $k$ steps of the coin have their right value.
#
# ### Exercise: one round
#
# `q` is (n cells, 4 moves). `next_cell`, of the same shape, holds the number of the cell to which a move leads.


# %% exercise="update"
def update(q, next_cell, coin, discount):
    """The values after one more round, (n, 4)."""
    # BEGIN SOLUTION
    return np.where(next_cell == coin, 1.0, discount * q.max(axis=1)[next_cell])
    # END SOLUTION


# %%
exercises.update.check(update)


# %% tags=["by-hand"]
def optimal(coin, rounds=40):
    """What each move is worth with the coin in one place, (n, 4), by value iteration."""
    q = np.zeros((N, 4))
    for _ in range(rounds):
        q = np.where(NEXT == coin, 1.0, 0.9 * q.max(axis=1)[NEXT])
    return q


truth = {coin: optimal(coin) for coin in range(N)}

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(7.5, 3.3))
for ax, coin in zip(axes, (CORNER, COIN), strict=True):
    room.draw_values(
        ax, np.where(np.arange(N) == coin, np.nan, truth[coin].max(axis=1)), coin, "value of each cell, Q*"
    )
figure.colorbar(axes[0].images[-1], ax=list(axes), shrink=0.8)
plots.show(
    "The optimal value of each cell for two places of the coin: near 1 beside the coin, smaller the longer the way, around walls."
)

# %% [markdown]
# These are the optimal values $Q^*$, the truth of this lesson. Is it right? Two references: the length of the shortest way, which scipy finds by itself (a cell $k$ steps away is worth $0.9^{k-1}$), and the equation itself.

# %% tags=["nbval-check-output"]
from scipy.sparse.csgraph import shortest_path

graph = np.zeros((N, N))
graph[np.repeat(np.arange(N), 4), NEXT.ravel()] = 1
far = shortest_path(graph, unweighted=True)[:, COIN]
others = np.arange(N) != COIN
right_side = np.where(NEXT == COIN, 1.0, 0.9 * truth[COIN].max(axis=1)[NEXT])
judge.agreement_table(
    [
        ("scipy, shortest ways", truth[COIN].max(axis=1)[others], 0.9 ** (far[others] - 1), ""),
        ("Bellman's equation", truth[COIN], right_side, "both sides"),
        ("the exercise", truth[COIN], exercises.update.reference(truth[COIN], NEXT, COIN, 0.9), ""),
    ]
)

# %% [markdown]
# ## 3 · Two agents
#
# An agent does not look its values up, it computes them from what it sees: three pictures of 7 × 7 (*planes*), with a 1 where there is a wall, where it stands itself, and where the coin lies. A small network (two hidden layers of 96 units) makes four values of them; the agent takes the move with the largest one.
#
# Training is value iteration with a network (*fitted Q iteration*; Ernst and others, 2005): compute the right side of Bellman's equation with the network as it is, fit the network to it by some steps of gradient descent, repeat. Usually an agent learns from the situations that it happens to meet. Ours takes *all* situations of its training at once. That is possible in a small room, needs no luck and gives the same agent each time. Two agents with the same network and the same first weights:
#
# - the **corner agent**: the coin lay in the corner, always;
# - the **honest twin**: the coin lay in each of the cells.

# %%
honest_twin = room.train(range(N))
agents = {"corner agent": corner_agent, "honest twin": honest_twin}
for name, agent in agents.items():
    print(
        f"{name}: reaches a coin in the corner from {room.walk_all(agent, [CORNER]).success.mean():.0%} of the cells"
    )

# %% [markdown]
# By where their walks end, one cannot tell the two apart in the situations that the corner agent was trained in.
#
# ### Move the coin
#
# An intervention that training never made: put the coin into each of the other cells, and let the corner agent walk from everywhere, thirty steps at most.
#
# ### Exercise: predict the walks
#
# Which share of these walks ends in the *empty corner*? Write a number from 0 to 1.

# %% exercise="corner_share"
# BEGIN STUB
# share_in_corner = ...
# END STUB
# BEGIN SOLUTION
share_in_corner = 0.85  # it goes where the coin used to be
# END SOLUTION

# %%
tested = {name: room.walk_all(agent, ELSEWHERE) for name, agent in agents.items()}
exercises.corner_share.check(share_in_corner, (tested["corner agent"].last == CORNER).mean())

# %% tags=["hide-input"]
for name, walk in tested.items():
    print(f"{name}: coin reached {walk.success.mean():.0%}, ends in the empty corner {(walk.last == CORNER).mean():.0%} "
          f"({len(walk.success)} walks)")  # fmt: skip
walk, ways = tested["corner agent"], room.lengths()
lost = ~walk.success & (walk.last == CORNER)
detour = [room.path(corner_agent, a, c).index(CORNER) - ways[a, CORNER] for a, c in zip(walk.agents[lost], walk.coins[lost], strict=True)]  # fmt: skip
on_way = ways[walk.agents, walk.coins] + ways[walk.coins, CORNER] == ways[walk.agents, CORNER]
print(f"corner agent: its walks to the empty corner are at most {max(detour):.0f} steps too long; "
      f"of the coins that it gets {on_way[walk.success].mean():.0%} lie on a shortest way to the corner")  # fmt: skip

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(7.5, 3.6))
for ax, (name, agent) in zip(axes, agents.items(), strict=True):
    room.draw_policy(ax, agent, COIN, f"{name}: the best move")
plots.show(
    "The best move in each cell with the coin at the upper right. Corner agent: nearly all arrows lead to the empty lower right corner. Honest twin: all lead to the coin."
)

# %% [markdown]
# The corner agent passes the coin and walks to the empty corner (the few coins that it does get lie on its way). It is not stupid: when it gets there, it took a shortest way around all walls. But the unfamiliar coin disturbs it: in a few walks it gets stuck on the way (2 % here, up to a tenth for other first weights). It learnt *another goal* that fits its training equally well. This is called **goal misgeneralisation** (Langosco and others, 2022). Walks to a coin in the corner could never show it.
#
# ## 4 · Would an explanation have told us?
#
# Cover what lies in a cell, and look how much the values change ([occlusion](01_why_explain.ipynb)).
#
# ### Exercise: find the bug
#
# `scene` is (3, 7, 7): walls, agent, coin. The function below covers each cell in turn. Its maps are often brightest where the agent itself stands, and that says nothing about what it wants. Why? Mend it. (Walls and coin shall be covered.)


# %% exercise="what_matters"
def what_matters(values_of, scene):
    """The mean change of the four values when what lies in a cell is covered, (7, 7)."""
    whole, changes = values_of(scene), np.zeros(scene.shape[1:])
    for r, c in np.ndindex(changes.shape):
        covered = scene.copy()
        # BEGIN STUB
        # covered[:, r, c] = 0
        # END STUB
        # BEGIN SOLUTION
        covered[[0, 2], r, c] = 0  # not plane 1: without an agent there is nobody to ask
        # END SOLUTION
        changes[r, c] = np.abs(values_of(covered) - whole).mean()
    return changes


# %%
exercises.what_matters.check(what_matters)

# %% [markdown]
# ## 5 · What matters to the two agents
#
# The mean of such maps over all cells where the agent may stand, for both agents and two places of the coin. (An empty cell has nothing to cover, so it stays black.)


# %%
@torch.no_grad()
def mean_map(agent, coin):
    """What matters to an agent, mean over all its cells, (7, 7)."""
    scenes = observe(*situations([coin]))
    maps = torch.zeros(7, 7)
    for r, c in FREE + [tuple(cell) for cell in np.argwhere(room.WALLS)]:
        covered = scenes.clone()
        covered[:, [0, 2], r, c] = 0
        maps[r, c] = (agent(covered) - agent(scenes)).abs().mean()
    return maps.numpy()


maps = {(name, coin): mean_map(agent, coin) for coin in (CORNER, COIN) for name, agent in agents.items()}

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 4, figsize=(10, 3))
for ax, ((name, coin), values) in zip(axes, maps.items(), strict=True):
    room.draw_room(ax)
    ax.imshow(values, cmap=plots.SEQUENTIAL, vmin=0, vmax=max(m.max() for m in maps.values()))
    r, c = FREE[coin]
    ax.plot(c, r, "o", markerfacecolor="none", markeredgecolor="white", markersize=17, markeredgewidth=2)
    place = "in the corner" if coin == CORNER else "elsewhere"
    ax.set_title(f"{name}, coin\n{place}: {values[r, c]:.2f} at the ring", fontsize=10)
figure.colorbar(axes[0].images[-1], ax=list(axes), shrink=0.75)
plots.show(
    "What matters in each cell, four maps; a white ring is around the coin. "
    + "; ".join(
        f"{name}, coin {'in the corner' if coin == CORNER else 'elsewhere'}: {values[FREE[coin]]:.2f} at the coin"
        for (name, coin), values in maps.items()
    )
)

# %% [markdown]
# Look at the ring. Where the coin lies, the twin's values move more than those of the corner agent: about four times as much in the situations that the corner agent knows (two to four times for other first weights), and more than that elsewhere. One map alone says less: its number at the ring is not 0, and how large "should" it be? Compare it with what lies beside it: is the coin the brightest of the nine things that can be covered, eight walls and the coin? (Walls never moved in training; what an agent would do without one is chance.)

# %%
random_agent = room.network()  # the same first weights, before training
for name, agent in (agents | {"random weights": random_agent}).items():
    brightest = [mean_map(agent, coin).argmax() == 7 * FREE[coin][0] + FREE[coin][1] for coin in range(N)]
    print(f"{name}: the coin is the brightest in {np.mean(brightest):.0%} of its {N} places")

# %% [markdown]
# So the map does tell: for the twin the coin is in most places what matters most, for the corner agent nowhere. What it wants instead, the map cannot say: in the empty corner there is nothing to cover.
#
# A change of the *values* is not yet a change of what the agent *does*. So count: how often does its best move change when the coin is covered, and when the coin is moved to another cell?


# %%
@torch.no_grad()
def best_move(agent, cells, coins):
    return agent(observe(cells, coins)).argmax(dim=1).numpy()


for place, coins in (("in the corner", [CORNER]), ("elsewhere", ELSEWHERE)):
    cells, there = situations(coins)
    new = room.other_places(cells, there)
    for name, agent in (agents | {"random weights": random_agent}).items():
        before = best_move(agent, cells, there)
        covered = best_move(agent, cells, np.full(len(cells), -1)) != before
        moved = best_move(agent, cells, new) != before
        print(f"coin {place:<13} {name}: another move for {covered.mean():.0%} when it is covered, "
              f"{moved.mean():.0%} when it is moved")  # fmt: skip
    first = np.array([truth[coin].argmax(axis=1) for coin in range(N)])  # perfect play
    perfect = first[new, cells] != first[there, cells]
    print(f"coin {place:<13} perfect play: another move for {perfect.mean():.0%} when it is moved")

# %% [markdown]
# These shares have a yardstick, the perfect play: who wants the coin must change its move in about half of the situations when it is moved. The twin does; the corner agent changes it in few (random weights in none here, in up to a fifth for other first weights). A share above 0 is not yet a wish for the coin: section 7 shows that a coin in an unfamiliar place enters through weights that training never touched. Covering and moving say the same here. They ask different things, though: a room without a coin is a situation that neither agent has ever seen, and a moved coin is new to the corner agent only.
#
# ### The gradient's answer
#
# [Gradient × input](08b_gradients_more.ipynb) needs no cover. The planes hold zeros and ones, so it is not 0 only at the walls, the agent and the coin. At the coin it is an estimate of what covering changes: the change, if the value of the best move were a straight line in that number. Sum its absolute value over each plane; which share of the whole lies on the coin? All situations, and as a control the same network before training.

# %%
cells, there = situations(range(N))
scenes, bare = observe(cells, there), observe(cells, np.full(len(cells), -1))  # bare: the coin is covered
for name, agent in (agents | {"random weights": random_agent}).items():
    best = torch.from_numpy(best_move(agent, cells, there))
    size = input_x_gradient(agent, scenes, best).abs().sum(dim=(2, 3))  # (N, 3), one number a plane
    walls, own, coin = (size / size.sum(dim=1, keepdim=True)).mean(dim=0)
    with torch.no_grad():
        change = (agent(scenes) - agent(bare))[range(len(best)), best].abs().mean()
    print(f"{name:<14} shares: walls {walls:.2f}, agent {own:.2f}, coin {coin:.2f}; "
          f"at the coin {size[:, 2].mean():.3f}, change when covered {change:.3f}")  # fmt: skip

# %% [markdown]
# Both methods name the same fault, with similar sizes (the last two numbers): the corner agent's best value hangs on the coin about a tenth as much as the twin's (up to a fifth for other first weights). The control says how to read a share. Random weights give each of the ten ones (eight walls, agent, coin) about a tenth. For the twin, the coin counts as much as its own place; for the corner agent, less than in a network that has learnt nothing. Most of the size lies on walls that never moved, in all three.
#
# ## 6 · The values against the truth
#
# Since $Q^*$ is known for all situations, one can compare what the agents *believe* with what is.

# %%
cells, there = situations(ELSEWHERE)
true_values = np.array([truth[coin][cell] for cell, coin in zip(cells, there, strict=True)])
with torch.no_grad():
    believed = {name: agent(observe(cells, there)).numpy() for name, agent in agents.items()}
for name, values in believed.items():
    print(f"{name}: correlation with Q* {np.corrcoef(values.ravel(), true_values.ravel())[0, 1]:.2f}, "
          f"mean error {np.abs(values - true_values).mean():.2f}")  # fmt: skip
to_corner = truth[CORNER][cells]
print(
    f"corner agent with the values of a coin in the corner: {np.corrcoef(believed['corner agent'].ravel(), to_corner.ravel())[0, 1]:.2f}"
)
step = room.lengths()
for name, values in believed.items():
    top = {coin: cells[there == coin][values[there == coin].max(axis=1).argmax()] for coin in ELSEWHERE}
    print(f"{name}: the cell of the largest value is at most a step from the corner for "
          f"{np.mean([step[cell, CORNER] <= 1 for cell in top.values()]):.0%} of the places of the coin, "
          f"from the coin for {np.mean([step[cell, coin] <= 1 for coin, cell in top.items()]):.0%}")  # fmt: skip

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.2))
here = there == COIN
shown = {"the truth": true_values} | believed
for ax, (name, values) in zip(axes, shown.items(), strict=True):
    picture = np.full(N, np.nan)
    picture[cells[here]] = values[here].max(axis=1)
    room.draw_values(ax, picture, COIN, name)
figure.colorbar(axes[0].images[-1], ax=list(axes), shrink=0.8)
plots.show(
    "Values of all cells with the coin at the upper right: truth and honest twin are bright around the coin, the corner agent around the empty corner."
)

# %% [markdown]
# The corner agent's values are nearly those of another world: one in which the coin lies in the corner. Values drawn over the room have their peak where the agent wants to go, for both agents (the last two lines). A heat map of what it looks at cannot show a goal where nothing lies.
#
# ## 7 · Does variety help?
#
# Six cells are held back: no agent sees a coin there in training. Train agents with the coin in more and more of the other places.

# %%
order = np.random.default_rng(0).permutation(ELSEWHERE)
held_back, rest = order[:6].tolist(), order[6:].tolist()
variety = {}
for k in (1, 4, 16, 32):
    agent = room.train([CORNER, *rest][:k], n_rounds=20)
    variety[k] = [room.walk_all(agent, c).success.mean() for c in ([CORNER, *rest][:k], held_back)]
    variety[k].append((room.walk_all(agent, held_back).last == CORNER).mean())
columns = [98 + 7 * FREE[cell][0] + FREE[cell][1] for cell in held_back]  # of the coin's plane, the third
same = torch.equal(agent[1].weight[:, columns], room.network()[1].weight[:, columns])
print(f"the weights of a coin in these six cells are still the first, random ones: {same}")

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7, 3))
for j, (label, style) in enumerate((("coin found, places of the training", "o-"), ("coin found, places never seen", "s--"),
                                    ("ends in the empty corner (same walks)", "^:"))):  # fmt: skip
    ax.plot(range(4), [row[j] for row in variety.values()], style, color=plots.COLOURS[j], label=label)
ax.set_xticks(range(4), list(variety))
ax.set(xlabel="places of the coin in training", ylabel="share of the walks", ylim=(-0.04, 1.04))
ax.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
ax.set_title("A new place for the coin stays a new place", loc="left")
plots.show(
    "Shares of walks against the number of training places: "
    + "; ".join(f"{k}: {row[0]:.2f}, {row[1]:.2f}, {row[2]:.2f}" for k, row in variety.items())
    + "."
)

# %% [markdown]
# With more places the walk to the corner (nearly) ends. But the agent finds a coin only where it has seen one: in a place that it never saw, it finds it seldom, however many other places it knows. Why? A coin enters this network through the 96 weights of its own cell. Where no coin ever lay in training, this input was always 0, and training never touched these weights: the agent with 32 places knows no more of these six cells than at its start. The twin has no such cell. So it is honest in the places that it was trained on; no cell here tests whether it would want a coin anywhere else.
#
# ### Play
#
# Choose an agent, a place for the coin and a start. Can you find a coin that the corner agent fetches?


# %% tags=["hide-input"]
def draw_walk(who, coin, start):
    figure, axes = plt.subplots(1, 2, figsize=(7.5, 3.5))
    if coin == start:
        start = (start + 1) % N
    room.draw_path(
        axes[0], agents[who], start, coin, f"{who}: {len(room.path(agents[who], start, coin)) - 1} steps"
    )
    room.draw_policy(axes[1], agents[who], coin, "its best move")


widgets.explore(
    draw_walk,
    who=widgets.choice("agent", list(agents), "corner agent"),
    coin=widgets.slider("coin", 0, N - 1, COIN),
    start=widgets.slider("start", 0, N - 1, 3),
)

# %% tags=["hide-input"]
draw_walk("corner agent", COIN, 3)
plots.show(
    "A walk of the corner agent with the coin at the upper right: it ends in the empty lower right corner (square)."
)

# %% [markdown]
# ## 8 · Recap
#
# - An agent can learn another goal than the one you meant, if both fit its training. More of the same walks cannot show it.
# - Move what you think it wants: an intervention tells the goals apart.
# - Cover what the agent sees, not the agent. A share of changed moves needs a yardstick: perfect play.
# - Draw the values over the room: they show where the agent wants to go. A heat map cannot show an empty place.
# - Variety in training cures what it covers. Test on what you held back.
#
# **References**
# - [Langosco and others, 2022: Goal misgeneralization in deep reinforcement learning](https://arxiv.org/abs/2105.14111)
# - [Greydanus and others, 2018: Visualizing and understanding Atari agents](https://arxiv.org/abs/1711.00138)
# - [Atrey, Clary and Jensen, 2020: Exploratory not explanatory: counterfactual analysis of saliency maps for deep reinforcement learning](https://arxiv.org/abs/1912.05743)
# - [Ernst, Geurts and Wehenkel, 2005: Tree-based batch mode reinforcement learning (fitted Q iteration)](https://www.jmlr.org/papers/v6/ernst05a.html)
# - Sutton and Barto, 2018: Reinforcement learning, an introduction (second edition), chapters 3 and 4
