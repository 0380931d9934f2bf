# %% [markdown]
# # A homework to try the grading with

# %%
SEED = 2026
import numpy as np

from course_utils.teach import answers

values = np.random.default_rng(SEED).normal(size=20)

# %% question="biggest" points=2 minutes=1 trains="01 §2"
# BEGIN SOLUTION
biggest = float(values.max())
# END SOLUTION

# %% test="biggest"
answers.number(biggest)
# BEGIN HIDDEN TESTS
if np.isclose(biggest, values.min()):
    print("mistake: the smallest")
2 if np.isclose(biggest, values.max()) else 0
# END HIDDEN TESTS

# %% mistake="the smallest" of="biggest" points=0
biggest = values.min()


# %% question="twice" points=3 minutes=1
def twice(x):
    """Two times x."""
    # BEGIN SOLUTION
    return 2 * x
    # END SOLUTION


# %% test="twice"
answers.function(twice, values, shape=(20,))
# BEGIN HIDDEN TESTS
fresh = np.random.default_rng(SEED + 1).normal(size=7)
got = twice(fresh)
if np.allclose(got, fresh):
    print("mistake: gave x back")
3 if np.allclose(got, 2 * fresh) else 1 if np.allclose(got, fresh) else 0
# END HIDDEN TESTS


# %% mistake="gave x back" of="twice" points=1
def twice(x):
    return x


# %% [markdown] manual="essay" points=5 minutes=3
# *Your text here.*
