"""Claims of companion 02c, on scenes that no lesson shows."""

import torch
from replication import claim

from course_utils.labs import load_lab
from course_utils.lessons import l02c_one_number as inner


def _fresh(seed):
    lab = load_lab("scenes", model="zfnet", seed=seed, n=10)
    return lab, [inner.layer_outputs(lab.model, x[None]) for x in lab.inputs]


@claim(
    "§1",
    "What lies outside the frame changes nothing; each edge of it moves the strongest number of relu4, in a "
    "quarter of the cases that of pool2, in nearly half that of pool5.",
    shown="relu4: 4 of 4 edges move it",
    holds=lambda v: (
        v["outside"].max() < 1e-4
        and v["relu4"].min() == 1
        and 0.15 < v["pool2"].mean() < 0.35
        and 0.35 < v["pool5"].mean() < 0.55
    ),
)
def test_the_frame_is_what_can_matter(seed):
    lab, outputs = _fresh(seed)
    outside, moved = 0.0, {"relu4": [], "pool2": [], "pool5": []}
    for x, maps in zip(lab.inputs, outputs, strict=True):
        for layer, found in moved.items():
            channel, *place = inner.strongest(maps[layer])
            left, top, right, bottom = inner.seen(lab.model, maps, layer, place)["pixels"][0]

            def change(picture, layer=layer, place=(channel, *place), own=maps[layer]):
                return (inner.layer_outputs(lab.model, picture[None])[layer][place] - own[place]).abs().item()

            white = torch.ones_like(x)
            white[:, top:bottom, left:right] = x[:, top:bottom, left:right]
            outside = max(outside, change(white))
            rows, columns = slice(top, bottom), slice(left, right)
            for edge in ((top, columns), (bottom - 1, columns), (rows, left), (rows, right - 1)):
                brighter = x.clone()
                brighter[:, edge[0], edge[1]] += 0.5
                found.append(change(brighter) > 1e-6)
    return {"outside": outside} | {layer: sum(found) / len(found) for layer, found in moved.items()}


@claim(
    "§5",
    "The unit with the largest share in the winner's score is another one than that with the largest share in its "
    "difference from the second-best class, in about three pictures of four.",
    shown="100 scenes of the lab: 0.78",
    holds=lambda v: 0.65 < v.mean() < 0.9 and v.min() >= 0.5,
)
def test_the_largest_share_is_not_the_largest_difference(seed):
    lab, outputs = _fresh(seed)
    other = 0
    for maps in outputs:
        shares = lab.model.fc7.weight.detach() * maps["relu6"]
        first, second = maps["fc7"].topk(2).indices.tolist()
        other += int(shares[first].argmax() != (shares[first] - shares[second]).argmax())
    return other / len(outputs)
