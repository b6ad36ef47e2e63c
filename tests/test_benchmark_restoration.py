import json

from programs import run

WAYS = {
    "Keras predict", "Restorer", "SavedModel", "SavedModel, bfloat16", "restore_bytes",
    "LiteRT, none", "LiteRT, float16", "LiteRT, dynamic_range",
}  # fmt: skip


def test_the_benchmark_times_every_way_and_tells_of_itself(trained, tmp_path):
    output = tmp_path / "benchmark.json"
    done = run(
        "benchmark_restoration", f"--workdir={trained}", "--repetitions=2", "--sizes=32",
        "--batch=2", "--tiled_sizes=448", f"--output={output}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())
    assert [(case["size"], case["batch"]) for case in results["cases"]] == [(32, 1), (32, 2)]
    for case in results["cases"]:
        assert set(case["times"]) == WAYS
        for times in case["times"].values():
            lower, upper = times["quartiles"]
            assert len(times["seconds"]) == 2 and 0 < lower <= times["median"] <= upper
    (tiled,) = results["tiled"]
    assert 0 <= tiled["largest_difference"] < 0.1 and 0.9 < tiled["share_within_a_level"] <= 1
    assert 0 < tiled["tile"][0] < 448 and set(tiled["times"]) == {"whole", "tiles"}
    assert results["settings"]["repetitions"] == 2 and results["machine"]["cores"] >= 1
    assert {"config", "versions", "step"} <= results.keys()
    assert all(name in done.stdout for name in WAYS)
    assert "448 px: whole" in done.stdout
