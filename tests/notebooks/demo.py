"""A tiny lesson with everything the builder handles, written into a folder for one test."""

from pathlib import Path

EXERCISES = """
import torch
from course_utils.teach.checks import Exercise, Mistake, Question


def cases():
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(shape, generator=generator),) for shape in ((2, 3, 4, 5), (1, 2, 6, 6))]


channel_means = Exercise(
    "channel_means",
    difficulty=1,
    minutes=5,
    hints=("Which axes are the rows and the columns?", "`dim` takes a tuple."),
    reference=lambda maps: maps.mean(dim=(2, 3)),
    cases=cases,
    mistakes={
        "sum": Mistake(lambda maps: maps.sum(dim=(2, 3)), "you summed over the pixels."),
        "one axis": Mistake(lambda maps: maps.mean(dim=2), "you averaged over the rows only."),
    },
)
repaired = Exercise(
    "repaired",
    difficulty=2,
    minutes=1,
    hints=("What does the square do to the sign?",),
    reference=lambda maps: maps.relu(),
    cases=cases,
    given=lambda maps: maps * maps,
    mistakes={
        "abs": Mistake(lambda maps: maps.abs(), "negative values should go, not change their sign."),
        "negated": Mistake(lambda maps: (-maps).relu(), "you kept the negative ones."),
    },
)
largest = Question(
    "largest",
    difficulty=1,
    minutes=2,
    hints=("Read the print-out.",),
    expected=lambda values: int(values.argmax()),
    examples=lambda: [(torch.tensor([1.0, 3.0, 2.0]),), (torch.tensor([5.0, 3.0, 2.0]),)],
    mistakes={
        "smallest": Mistake(
            lambda answer, values: answer == int(values.argmin()),
            "this is the smallest one.",
            example=lambda values: int(values.argmin()),
        ),
        "from one": Mistake(
            lambda answer, values: answer == int(values.argmax()) + 1,
            "you counted from one.",
            example=lambda values: int(values.argmax()) + 1,
        ),
    },
)
"""

LESSON = '''
# %% [markdown]
# # A demonstration
#
# **Question.** Does the builder work? *10 minutes.*

# %%
import ipywidgets
import matplotlib.pyplot as plt
import torch
from demo_exercises_{key} import channel_means
import demo_exercises_{key} as exercises
from course_utils.teach import plots

values = torch.tensor([1.0, 3.0, 2.0])
print(values)

# %%
plt.plot([1, 2, 3])
plots.show('A "rising" line, from 1 to 3 & no further.')

# %% [markdown]
# ### Exercise: average every channel
# Write it.

# %% exercise="channel_means"
def channel_means(maps):
    """(N, C, H, W) → (N, C)."""
    # BEGIN SOLUTION
    return maps.mean(dim=(2, 3))
    # END SOLUTION


# %%
exercises.channel_means.check(channel_means)

# %% [markdown]
# ### Exercise: find the bug

# %% exercise="repaired"
def repaired(maps):
    # BEGIN SOLUTION
    return maps.relu()
    # END SOLUTION
    # BEGIN STUB
    # return maps * maps
    # END STUB


# %%
exercises.repaired.check(repaired)

# %% [markdown]
# ### Exercise: which value is the largest?

# %% exercise="largest"
# BEGIN SOLUTION
largest = 1
# END SOLUTION

# %%
exercises.largest.check(largest, values)

# %%
view = ipywidgets.IntSlider(value=3, description="How many")
text = ipywidgets.Output()


@text.capture(clear_output=True)
def show(change=None):
    print("the slider says", view.value)


view.observe(show, "value")
show()
ipywidgets.VBox([view, text])
'''


def write_demo(folder: Path, *changes: tuple[str, str], exercises: tuple[tuple[str, str], ...] = ()) -> Path:
    """Write the demonstration lesson into `folder`, with texts of it replaced; returns its source."""
    key = "".join(c for c in folder.parent.name if c.isalnum())  # an own module for every test
    source = folder / "source" / "01_demo.py"
    source.parent.mkdir(parents=True)
    (folder / f"demo_exercises_{key}.py").write_text(_replaced(EXERCISES, exercises), encoding="utf-8")
    source.write_text(_replaced(LESSON, changes).replace("{key}", key).lstrip(), encoding="utf-8")
    return source


def _replaced(text: str, changes: tuple[tuple[str, str], ...]) -> str:
    for old, new in changes:
        assert text.count(old) >= 1, f"{old!r} is not in the demonstration"
        text = text.replace(old, new, 1)
    return text
