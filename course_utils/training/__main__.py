"""Make the shipped models and samples again.

    python -m course_utils.training scenes --model resnet|zfnet|zfnet_robust [--seed 0] [--out FILE]
    python -m course_utils.training watermark|wolves|monsters --model shortcut|clean [--seed 0] [--out FILE]
    python -m course_utils.training samples               the pictures that the labs come with
    python -m course_utils.training report [--seeds 3]    train over several seeds and measure: data/README.md
    python -m course_utils.training manifest              data/manifest.json from the files that are there

Without --out a model goes to data/weights and into the manifest. Other labs (text, …) have their own page:
`python -m course_utils.training text-… --help`.
"""

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path

OTHER_WORKSHOPS = (
    "dice",
    "text",
    "digits",
    "detective",
    "masked_word",
    "induction",
)  # modules with their own main(arguments)


def main(arguments: list[str]) -> None:
    workshop = arguments[0].partition("-")[0] if arguments else ""
    if workshop in OTHER_WORKSHOPS:
        import_module(f"course_utils.training.{workshop}").main(arguments)
        return

    from course_utils.labs.files import write_manifest
    from course_utils.training import pictures

    parser = argparse.ArgumentParser(
        prog="python -m course_utils.training",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for lab, models in pictures.MODELS.items():
        command = commands.add_parser(lab, help=f"train one of {', '.join(models)}")
        command.add_argument("--model", choices=models, required=True)
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--out", type=Path, help="file to write instead of the shipped one")
    commands.add_parser("samples", help="render the pictures that the labs come with")
    commands.add_parser("manifest", help="write data/manifest.json anew")
    report = commands.add_parser("report", help="train over several seeds and write the table")
    report.add_argument("--seeds", type=int, default=3)
    report.add_argument("--labs", nargs="*", choices=pictures.MODELS, default=list(pictures.MODELS))
    options = parser.parse_args(arguments)

    if options.command == "samples":
        from course_utils.training.samples import write_samples

        write_samples()
    elif options.command == "manifest":
        write_manifest()
    elif options.command == "report":
        from course_utils.training.report import write_report

        write_report(options.seeds, options.labs)
    else:
        _train(options.command, options.model, options.seed, options.out)


def _train(lab: str, model: str, seed: int, out: Path | None) -> None:
    from course_utils.labs.files import DATA, write_manifest
    from course_utils.training import pictures

    start = time.perf_counter()
    network, copies = pictures.train_model(lab, model, seed)
    path = out or pictures.weights_file(lab, model)
    pictures.save_model(network, copies, path, ships_copies=out is None)
    if out is None:
        written = path.relative_to(DATA).as_posix()
        write_manifest(lambda name: name == written or (copies and name.startswith("weights/zfnet-steps/")))
    minutes = (time.perf_counter() - start) / 60
    seen = "random" if model == "clean" else "planted"
    reached = pictures.accuracy(network, pictures.test_pictures(lab, seen))
    print(f"{lab} {model}, seed {seed}: test accuracy {reached:.4f}, {minutes:.1f} min, wrote {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
