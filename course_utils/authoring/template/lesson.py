# %% [markdown]
# # 99 · A lesson to start from
#
# **The question.** One sentence: what does a reader want to know?
#
# **After this lesson you can** compute the method by hand, and say when it misleads.
#
# **Time**: about <!-- minutes --> minutes. **Before**: [Grad-CAM](04_grad_cam.ipynb), for what a heat map is.

# %%
from course_utils.exercises import l99_template as exercises
from course_utils.judge import pointing_game
from course_utils.labs import load_lab
from course_utils.methods.gradients import saliency
from course_utils.teach import plots

plots.use_style()
lab = load_lab("scenes")

# %% [markdown]
# ## 1 A puzzle
#
# Say what the next figure shows, and what to look for in it. Then the mathematics, each formula with the cell that computes it:
#
# $$ s_p = \max_c \left| \frac{\partial y}{\partial x_{c,p}} \right| $$
#
# where $y$ is the class's [logit](glossary.md#logit), its score before the softmax, and $x_{c,p}$ is colour $c$ of pixel $p$.


# %% tags=["by-hand"]
def strongest_colour(gradient):
    """(N, C, H, W) → (N, H, W): the size of the gradient, of the colour where it is largest."""
    return gradient.abs().amax(dim=1)


# %%
gradient = saliency(lab.model, lab.inputs, lab.targets)
maps = strongest_colour(gradient)

# %% tags=["hide-input"]
plots.show_maps(lab.images[:3], {"gradient": maps[:3]}, alone=True, title="Where a small change matters most")
plots.show("Three scenes, each beside its gradient map; the bright dots lie on and around the objects.")

# %% [markdown]
# ## 2 The score

# %% tags=["nbval-check-output"]
hits = pointing_game(maps, lab.masks)
print(f"the largest value lies on the object in {hits.float().mean():.1f} of the scenes")

# %% [markdown]
# ### Exercise: the size of a gradient
#
# Write `gradient_size`: the length of the vector of the three colours' gradients, at each pixel.


# %% exercise="gradient_size"
def gradient_size(gradient):
    """(N, C, H, W) → (N, H, W)."""
    # BEGIN SOLUTION
    return (gradient**2).sum(dim=1).sqrt()
    # END SOLUTION


# %%
exercises.gradient_size.check(gradient_size)

# %% [markdown]
# ### Exercise: predict, then run
#
# How many of the 100 maps have their largest value on the object? Answer with a whole number; five more or less are right.

# %% exercise="how_many"
# BEGIN SOLUTION
how_many = int(hits.sum())
# END SOLUTION

# %%
exercises.how_many.check(how_many, hits)

# %% [markdown]
# ## Recap
#
# - One sentence a result, with its number.
#
# <details><summary>The paper in ten questions</summary>
#
# 1. *What is the problem?* One line each.
#
# </details>
#
# **References.** Author, A. (year). Title. Conference.
