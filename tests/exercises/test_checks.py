"""The three verdicts, and what a check says about an answer."""

import importlib

import numpy as np
import pytest
import torch
from torch import nn

from course_utils.teach.checks import NOT_ATTEMPTED, RIGHT, WRONG, Exercise, Mistake, Question, wrong_answer
from course_utils.teach.quiz import quiz


def tensors():
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(shape, generator=generator),) for shape in ((2, 3), (4, 5))]


def exercise(reference, cases=tensors, **more) -> Exercise:
    mistakes = {
        "minus": Mistake(lambda *args: -reference(*args), "the sign is wrong."),
        "double": Mistake(lambda *args: 2 * reference(*args), "a factor 2 is too much."),
    }
    made = Exercise("task", 1, 5, ("first", "second"), mistakes, reference, cases, **more)
    assert made.problems() == []
    return made


total = exercise(lambda x: x.sum(dim=1))


@pytest.mark.parametrize("answer", [None, ..., lambda x: None, lambda x: ...])
def test_not_attempted(answer):
    verdict = total.check(answer)
    assert verdict.state == NOT_ATTEMPTED
    assert "exercises.task.hint()" in str(verdict)


def test_not_implemented_is_not_attempted():
    def answer(x):
        raise NotImplementedError

    assert total.check(answer).state == NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: x.sum(dim=1),
        lambda x: x.double().sum(dim=1),
        lambda x: x.numpy().sum(axis=1),
        lambda x: [float(row.sum()) for row in x],
    ],
)
def test_right_whatever_the_kind_of_numbers(answer):
    assert total.check(answer).state == RIGHT


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda x: -x.sum(dim=1), "the sign is wrong."),
        (lambda x: x.sum(dim=0), "shape is (3,) and should be (2,)"),
        (lambda x: x.sum(dim=1) + 0.1, "off by up to 0.1"),
        (lambda x: x.sum(dim=1) / 0 * 0, "NaN"),
        (lambda x: "text", "text instead of a tensor"),
        (lambda x: x.sum(dim=7), "your code raised IndexError"),
        (lambda x, y: x, "your code raised TypeError"),
        (torch.ones(3), "a function is expected, and you passed a tensor"),
        (lambda x: x.add_(0.5).sum(dim=1), "changes its inputs in place"),
        (lambda x: None if len(x) == 2 else x.sum(dim=1), "`None`"),
    ],
)
def test_wrong_because(answer, reason):
    verdict = total.check(answer)
    assert verdict.state == WRONG
    assert reason in verdict.message


def test_values_that_are_not_numbers_are_named():
    share = exercise(lambda x: torch.stack([x.mean(), x[:0].mean()]))  # the second one is NaN
    assert share.check(share.reference).state == RIGHT
    zero_instead = share.check(lambda x: torch.stack([x.mean(), torch.tensor(0.0)]))
    assert "where the right value is NaN" in str(zero_instead)
    assert "it gives NaN" in str(total.check(lambda x: x.sum(dim=1) / 0 * 0))


def test_right_value_but_changed_inputs():
    def answer(x):
        result = x.sum(dim=1)
        x.zero_()
        return result

    assert "in place" in total.check(answer).message


def test_an_error_names_the_line():
    def answer(x):
        return x.no_such_thing()

    assert "`return x.no_such_thing()`" in total.check(answer).message


def test_small_numbers_are_not_taken_for_rounding():
    tiny = exercise(lambda x: x * 1e-6)
    assert tiny.check(lambda x: x * 1.01e-6).state == WRONG
    assert tiny.check(lambda x: (x.double() * 1e-6).float()).state == RIGHT


def test_random_answers_see_the_same_seed_and_leave_the_learners_alone():
    noisy = exercise(lambda x: x + torch.randn(x.shape))
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    assert noisy.check(lambda x: torch.randn(x.shape) + x).state == RIGHT
    assert torch.equal(torch.randn(3), expected)


class TestModels:
    """Cases that hold a model and one of its layers."""

    @staticmethod
    def cases():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
        return [(model, model[1], torch.randn(5, 3))]

    @staticmethod
    def reference(model, layer, x):
        kept = []
        handle = layer.register_forward_hook(lambda module, args, output: kept.append(output))
        try:
            model(x)
        finally:
            handle.remove()
        return kept[0]

    def test_the_layer_stays_the_models_own(self):
        assert exercise(self.reference, self.cases).check(self.reference).state == RIGHT

    def test_a_forgotten_hook_is_named(self):
        def answer(model, layer, x):
            kept = []
            layer.register_forward_hook(lambda module, args, output: kept.append(output))
            model(x)
            return kept[0]

        assert "leaves a hook" in exercise(self.reference, self.cases).check(answer).message

    def test_a_changed_mode_is_named(self):
        def answer(model, layer, x):
            model.train()
            return TestModels.reference(model, layer, x)

        assert "leaves the model changed" in exercise(self.reference, self.cases).check(answer).message

    def test_a_side_effect_can_be_a_typical_mistake(self):
        def forgets(model, layer, x):
            layer.register_forward_hook(lambda *_: None)
            return TestModels.reference(model, layer, x)

        task = exercise(self.reference, self.cases)
        task.mistakes["forgets"] = Mistake(forgets, "the hook stays.")
        assert task.check(forgets).mistake == "forgets"


def test_a_mistake_may_be_an_error():
    task = exercise(lambda x: x.sum(dim=1))
    task.mistakes["axis"] = Mistake(lambda x: x.sum(dim=2), "there is no third axis.")
    assert task.check(lambda x: x.sum(dim=2)).mistake == "axis"


def test_given_code_is_not_attempted():
    task = exercise(lambda x: x.relu(), given=lambda x: x * x)
    verdict = task.check(lambda x: x**2)
    assert verdict.state == NOT_ATTEMPTED
    assert "given" in verdict.message


def test_dictionaries_tuples_and_texts():
    task = exercise(lambda x: {"sum": x.sum(), "names": ("a", "b")})
    task.mistakes.clear()
    assert task.check(lambda x: {"names": ["A", " b"], "sum": float(x.sum())}).state == RIGHT
    assert "keys" in task.check(lambda x: {"sum": x.sum()}).message
    assert task.check(lambda x: {"sum": x.sum(), "names": ("a",)}).message.startswith("it gives 1 values")


def test_hints_come_one_at_a_time():
    task = exercise(lambda x: x)
    shown = [str(task.hint()) for _ in range(3)]
    assert shown[0] == "Hint 1 of 2: first"
    assert shown[1] == shown[2]
    assert shown[1].startswith("Hint 2 of 2: second")
    assert "solution" in shown[1]


def test_a_verdict_says_in_words_what_its_colour_says():
    verdict = total.check(lambda x: -x.sum(dim=1))
    assert str(verdict) == "✗ Wrong, because the sign is wrong."
    assert "<strong>✗ Wrong, because</strong> the sign is wrong." in verdict._repr_html_()
    assert str(total.check(lambda x: x.sum(dim=1))) == "✓ Right."


def test_html_is_escaped():
    def answer(x):
        raise ValueError("<script>")

    assert "<script>" not in total.check(answer)._repr_html_()


class TestQuestion:
    question = Question(
        "layer",
        2,
        3,
        ("look",),
        {
            "unknown": Mistake(lambda a, scores: a not in scores, "no such layer.", lambda scores: "x"),
            "worst": Mistake(lambda a, scores: a == min(scores, key=scores.get), "that is the worst.", min),
        },
        expected=lambda scores: max(scores, key=scores.get),
        examples=lambda: [({"a": 1.0, "b": 2.0, "c": 1.5},)],
    )

    @pytest.mark.parametrize(
        ("answer", "state", "reason"),
        [
            (None, NOT_ATTEMPTED, "gives a hint"),
            ("b", RIGHT, ""),
            (" B ", RIGHT, ""),
            ("a", WRONG, "that is the worst."),
            ("c", WRONG, "not this one"),
        ],
    )
    def test_verdicts(self, answer, state, reason):
        verdict = self.question.check(answer, {"a": 1.0, "b": 2.0, "c": 1.5})
        assert verdict.state == state
        assert reason in verdict.message

    def test_the_learners_own_run_decides(self):
        assert self.question.check("a", {"a": 3.0, "b": 2.0}).state == RIGHT

    def test_values_of_another_kind_from_the_run_are_named(self):
        verdict = self.question.check("a", 3.0)  # a cell above was changed, and gives no dictionary
        assert verdict.state == NOT_ATTEMPTED
        assert "(AttributeError: 'float' object has no attribute 'get'). Run the cells" in str(verdict)

    def test_a_number_may_be_off_by_the_tolerance(self):
        share = Question("n", 1, 1, ("h",), {}, expected=lambda: 0.0, tolerance=0.15, within=(0, 1))
        assert [share.check(x).state for x in (0, 0.1, np.float32(0.1))] == [RIGHT] * 3
        assert [share.check(x).state for x in (-0.1, 0.2, np.nan, False, "0")] == [WRONG] * 5
        number = Question("n", 1, 1, ("h",), {}, expected=lambda: np.float64(0.734), tolerance=0.01)
        assert number.check(0.73).state == RIGHT
        assert number.check(0.7).state == WRONG


def test_what_is_left_out_is_said():
    assert Exercise("x").problems() == [
        "has no difficulty (1, 2 or 3)",
        "has no minutes",
        "has no hints",
        "has 0 typical mistakes, at least two are needed",
        "has no reference",
        "has no cases",
    ]


def test_a_broken_reference_is_not_the_learners_fault():
    task = exercise(lambda x: x.nonsense())
    with pytest.raises(RuntimeError, match="reference of exercise 'task' fails"):
        task.check(lambda x: x)


def test_quiz_unfolds_without_a_kernel():
    shown = quiz("Which <one>?", ["this", "that"], 1, ["no", "yes"])
    page = shown._repr_html_()
    assert page.count("<details>") == 2
    assert "✓ Right.</strong> yes" in page
    assert "&lt;one&gt;" in page
    assert "a) this" in str(shown)
    with pytest.raises(ValueError, match="one for each"):
        quiz("?", ["a", "b"], 0, ["only one"])
    with pytest.raises(ValueError, match="correct is 2"):
        quiz("?", ["a", "b"], 2, ["x", "y"])


def number_question() -> Question:
    mistakes = {
        "from one": wrong_answer(lambda values: int(values.argmax()) + 1, "you counted from one."),
        "set": Mistake(lambda answer, values: answer in {7}, "seven.", example=lambda values: 7),
    }
    return Question(
        "task", 1, 1, ("look",), mistakes, lambda values: int(values.argmax()), lambda: [(torch.eye(3)[1],)]
    )


def test_a_wrong_answer_is_made_from_one_expression():
    task, values = number_question(), torch.eye(3)[1]
    assert task.problems() == []
    assert task.check(1, values).state == RIGHT
    assert task.check(torch.tensor(2.0), values).mistake == "from one"
    assert task.mistakes["from one"].example(values) == 2


@pytest.mark.parametrize("answer", [[1], [1, [2]], {1: 2}, np.arange(3), "1", {1}, (), object()])
def test_an_answer_of_another_type_is_wrong_and_never_an_error(answer):
    verdict = number_question().check(answer, torch.eye(3)[1])
    assert verdict.state == WRONG
    assert verdict.mistake is None


def test_a_gradient_left_in_the_inputs_is_named():
    """A second call on the same inputs would return twice the gradient."""
    module = importlib.import_module("course_utils.exercises.l08_saliency_smoothgrad_ig")

    def leaves_it(model, inputs, target, other):
        inputs.requires_grad_()
        logits = model(inputs)
        (logits.gather(1, target[:, None]) - logits.gather(1, other[:, None])).sum().backward()
        return inputs.grad

    verdict = module.contrast_gradient.check(leaves_it)
    assert verdict.state == WRONG
    assert "leaves a gradient" in verdict.message


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda x: x.sum(dim=1) + 1j, "a complex tensor"),
        (lambda x: x.sum(dim=1).numpy() + 1j, "a complex array"),
        (lambda x: np.ma.masked_array(x.sum(dim=1).numpy(), mask=True), "a masked array"),
        (lambda x: x.sum(dim=1).to_sparse(), "a sparse tensor"),
        (lambda x: torch.quantize_per_tensor(x.sum(dim=1), 0.1, 0, torch.qint8), "a quantised tensor"),
    ],
    ids=["complex tensor", "complex array", "masked", "sparse", "quantised"],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_public_report_an_unusual_array_is_named_and_never_right(answer, kind):
    verdict = total.check(answer)
    assert verdict.state == WRONG
    assert f"it gives {kind} instead of a tensor" in str(verdict)


def test_public_report_what_an_answer_sets_is_put_back():
    def answer(x):
        torch.set_default_dtype(torch.float64)
        np.random.seed(0)  # noqa: NPY002
        return x.sum(dim=1)

    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    assert total.check(answer).state == RIGHT
    assert torch.get_default_dtype() == torch.float32
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
