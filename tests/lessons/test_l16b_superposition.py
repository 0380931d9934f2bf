"""Companion 16b's set-ups: planted sums, a norm that is opened exactly, states as the model gives them."""

import pytest
import torch

from course_utils.labs import load_lab
from course_utils.lessons import l16_transformer, l16b_superposition
from course_utils.methods import sparse_coding


@pytest.fixture(scope="module")
def encoder():
    lab = load_lab("text", model="encoder")
    lab.model.requires_grad_(False)
    return lab


def test_states_are_sums_of_the_planted_directions_and_the_truth_is_found():
    world = l16b_superposition.planted(n=5, d=8, p=0.3, n_states=200, seed=3)
    torch.testing.assert_close(world.states, world.sizes @ world.directions)
    assert ((world.sizes == 0) | (world.sizes >= 0.5)).all()
    zero = torch.zeros(8)
    truth = sparse_coding.Autoencoder(world.directions, torch.zeros(5), world.directions, zero, None)
    assert l16b_superposition.score(world, truth)["found"] == 1


def test_a_world_at_right_angles_has_no_interference():
    world = l16b_superposition.at_right_angles(d=6, p=0.3, n_states=200, seed=4)
    torch.testing.assert_close(world.states @ world.directions.T, world.sizes, atol=1e-5, rtol=0)
    assert l16b_superposition.correlations(world).shape == (6, 6)


@pytest.mark.parametrize("p", [0, -0.1, 2, float("nan"), "0.1", True])
def test_a_probability_that_is_none_is_refused(p):
    for make in (l16b_superposition.planted, l16b_superposition.at_right_angles):
        with pytest.raises(ValueError, match=r"^p "):
            make(p=p)
    with pytest.raises(ValueError, match=r"^p "):
        l16b_superposition.train_toy(p)


def test_a_world_of_nothing_is_refused():
    with pytest.raises(ValueError, match="n must be a whole number"):
        l16b_superposition.planted(n=0)


@pytest.mark.parametrize("layer", [0, 5])
def test_the_parts_before_a_norm_add_up_to_what_the_model_computes(encoder, layer):
    parts, norm = l16b_superposition.before_norm(encoder, encoder.texts[:2], layer)
    assert len(parts) == 2 + encoder.model.config.num_attention_heads
    seen = []
    handle = norm.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    tokens = encoder.tokenize(list(encoder.texts[:2]))
    encoder.model(**tokens)
    handle.remove()
    expected = seen[0][tokens["attention_mask"].bool()]
    torch.testing.assert_close(sum(parts.values()), expected, atol=1e-4, rtol=1e-4)
    off = l16b_superposition.off_by_the_norm(parts, norm)
    assert off["sum"] < 1e-3 and len(off["one head"]) == 12


def test_states_are_the_models_own(encoder):
    texts = encoder.texts[:3]
    states, ids, owner = l16b_superposition.states_after(encoder, encoder.model, texts, 2)
    tokens = encoder.tokenize(texts[1])
    own = encoder.model(**tokens, output_hidden_states=True).hidden_states[2][0]
    mine = states[owner == 1]
    assert torch.equal(ids[owner == 1], tokens["input_ids"][0])
    differences = [values - values.mean(dim=0) for values in (mine, own)]
    ratio = differences[0].norm() / differences[1].norm()  # shifted and scaled for all tokens alike
    torch.testing.assert_close(differences[0], differences[1] * ratio, atol=1e-3, rtol=1e-3)


def test_the_twin_is_random_and_the_model_stays(encoder):
    before = encoder.model.encoder.layer[0].output.dense.weight.clone()
    twin = l16b_superposition.random_twin(encoder.model)
    after = twin.encoder.layer[0].output.dense.weight
    assert torch.equal(encoder.model.encoder.layer[0].output.dense.weight, before)
    assert not torch.equal(after, before) and after.std() == pytest.approx(before.std().item(), rel=0.02)


def test_the_rule_is_right_for_different_letters_and_unsure_for_repeated_ones():
    different = torch.tensor([[0, 1, 2, 3, 1, 2, 3]])
    assert l16_transformer.by_the_circuit(different, 3).tolist() == [[1, 1, 1]]
    repeated = torch.tensor([[0, 1, 2, 1, 3, 1, 2]])  # before the last place, 1 was followed by 2 and by 3
    assert l16_transformer.by_the_circuit(repeated, 5).tolist() == [[0.5]]
