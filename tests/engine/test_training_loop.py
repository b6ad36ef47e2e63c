import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from engine.toys import (
    At,
    Recorder,
    batches_for,
    compiled_pair,
    examples,
    fit_pair,
    held_out,
    values,
)

from inversenet_tf.engine.interruption import Interruption
from inversenet_tf.engine.training_loop import NotFinite, fit


def assert_same(one, other):
    for name, expected in values(one).items():
        np.testing.assert_array_equal(values(other)[name], expected, name)


def test_callbacks_are_called_as_keras_fit_calls_them(one_device):
    expected, recorded = Recorder(), Recorder()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(
        examples(0, 100, 4),
        validation_data=held_out(None),
        steps_per_epoch=3,
        epochs=2,
        callbacks=[expected],
        verbose=0,
    )
    assert not fit_pair(compiled_pair(), one_device, recorded, steps=6, steps_per_epoch=3)
    assert recorded.events == expected.events
    assert [event for event, _ in recorded.logs] == [event for event, _ in expected.logs]


def test_callbacks_know_the_model_and_the_extent_of_the_run(one_device):
    model, recorder = compiled_pair(), Recorder()
    fit_pair(model, one_device, recorder, steps=6, steps_per_epoch=3)
    assert recorder.model is model
    assert (recorder.params["epochs"], recorder.params["steps"]) == (2, 3)


def test_the_logs_of_an_epoch_are_means_over_its_steps(one_device):
    recorder = Recorder()
    fit_pair(compiled_pair(clip_norm=1.0), one_device, recorder, steps=6, steps_per_epoch=3)
    of_steps = [logs for event, logs in recorder.logs if event == "batch end"]
    of_epochs = [logs for event, logs in recorder.logs if event == "epoch end"]
    trained = {
        f"{n}_{v}" for n in ("first", "second") for v in ("loss", "gradient_norm", "clipped")
    }
    assert set(of_steps[0]) == trained and set(of_epochs[0]) == trained | {"val_error"}
    assert len({logs["first_loss"] for logs in of_steps}) == 6
    for epoch, logs in enumerate(of_epochs):
        for name in trained:
            mean = np.mean([step[name] for step in of_steps[3 * epoch : 3 * epoch + 3]])
            assert logs[name] == pytest.approx(mean, rel=1e-6)


def test_validation_weighs_images_alike(one_device):
    """Five come in batches of 2, 2 and 1."""
    model, recorder = compiled_pair(), Recorder()
    fit_pair(model, one_device, recorder)
    [(inputs, targets)] = examples(1000, 5, 5)
    expected = np.mean((model.first(inputs) - targets) ** 2)
    assert recorder.logs[-1][1]["val_error"] == pytest.approx(expected, rel=1e-5)


def test_a_long_validation_shows_how_far_it_is(one_device, monkeypatch, capsys):
    monkeypatch.setattr("inversenet_tf.engine.training_loop.SHOWN_AFTER", 0.0)
    fit_pair(compiled_pair(), one_device)
    assert "validating: " in (shown := capsys.readouterr().err) and "0/3" in shown


def interrupting(at_step):
    """(an `Interruption`, the callback that requests it when that step has been taken)"""
    interruption = Interruption()
    return interruption, At(at_step, lambda: setattr(interruption, "requested", True))


def test_a_run_goes_on_in_the_middle_of_an_epoch(one_device):
    options = {"steps": 8, "steps_per_epoch": 4}
    whole = compiled_pair(dropout=0.5)
    fit_pair(whole, one_device, **options)
    model, recorder = compiled_pair(dropout=0.5), Recorder()
    interruption, request = interrupting(5)
    assert fit_pair(model, one_device, request, interruption=interruption, **options)
    assert model.step == 6
    assert not fit_pair(model, one_device, recorder, **options)
    assert recorder.events == [
        ("train begin", None),
        ("epoch begin", 1),
        ("batch begin", 2),
        ("batch end", 2),
        ("batch begin", 3),
        ("batch end", 3),
        ("epoch end", 1),
        ("train end", None),
    ]
    assert_same(whole, model)
    fit_pair(model, one_device, recorder, **options)  # which is at its end
    assert recorder.events[-2:] == [("train begin", None), ("train end", None)]
    assert model.step == 8


def test_the_last_epoch_may_be_shorter(one_device):
    model, recorder = compiled_pair(), Recorder()
    fit_pair(model, one_device, recorder, steps=5, steps_per_epoch=3)
    assert model.step == 5
    assert recorder.events[-6:] == [
        ("batch begin", 0),
        ("batch end", 0),
        ("batch begin", 1),
        ("batch end", 1),
        ("epoch end", 1),
        ("train end", None),
    ]


def test_more_steps_go_on_in_the_middle_of_a_shorter_last_epoch(one_device):
    """As if they had been asked for at once, but for the validation that had come early."""
    whole, model, recorder = compiled_pair(), compiled_pair(), Recorder()
    fit_pair(whole, one_device, steps=6, steps_per_epoch=4)
    fit_pair(model, one_device, steps=5, steps_per_epoch=4)
    assert int(model.epochs_ended.numpy()) == 2
    fit_pair(model, one_device, recorder, steps=6, steps_per_epoch=4)
    assert_same(model, whole)
    assert [event for event in recorder.events if event[0].startswith("batch")] == [
        ("batch begin", 1),
        ("batch end", 1),
    ]


def test_a_callback_may_stop_the_run(one_device):
    model, recorder = compiled_pair(), Recorder()
    model.learning_rate_factor.assign(0.0)  # so that nothing improves
    stopping = keras.callbacks.EarlyStopping("val_error", patience=1, mode="min")
    assert not fit_pair(model, one_device, stopping, recorder, steps=20)
    assert model.step == 4 and stopping.stopped_epoch == 1
    assert recorder.events[-2:] == [("epoch end", 1), ("train end", None)]
    model.learning_rate_factor.assign(1.0)
    assert not fit_pair(model, one_device, steps=20)
    assert model.step == 20


def test_an_interruption_ends_the_run_after_the_next_step(one_device):
    (interruption, request), recorder = interrupting(4), Recorder()
    model = compiled_pair()
    assert fit_pair(
        model,
        one_device,
        request,
        recorder,
        steps=12,
        steps_per_epoch=6,
        interruption=interruption,
    )
    assert model.step == 5
    assert recorder.events[-2:] == [("batch end", 4), ("train end", None)]
    assert not any(event == "epoch end" for event, _ in recorder.events)


@pytest.mark.parametrize("at_step", [2, 3])
def test_what_an_interruption_leaves_of_an_epoch_is_its_end(one_device, at_step):
    """It comes before the epoch's last step, or so late that only the validation is left."""
    (interruption, request), recorder = interrupting(at_step), Recorder()
    model, whole = compiled_pair(), compiled_pair()
    options = {"steps": 6, "steps_per_epoch": 3}
    assert fit_pair(model, one_device, request, recorder, interruption=interruption, **options)
    assert (model.step, int(model.epochs_ended.numpy())) == (3, 0)
    assert recorder.events[-2:] == [("batch end", 2), ("train end", None)]
    first, again = Recorder(), Recorder()
    fit_pair(whole, one_device, first, **options)
    assert not fit_pair(model, one_device, again, **options)
    assert again.events[:3] == [("train begin", None), ("epoch begin", 0), ("epoch end", 0)]
    ends = [[logs for event, logs in r.logs if event == "epoch end"] for r in (first, again)]
    assert ends[1] == [{"val_error": ends[0][0]["val_error"]}, ends[0][1]]
    assert_same(whole, model)


def test_an_interruption_breaks_a_validation_off(one_device):
    """Also that of the last epoch."""
    interruption, model = Interruption(), compiled_pair()
    measured = []

    def interrupted(context):
        def watched():
            for index in range(1000):
                measured.append(index)
                interruption.requested = index > 0
                yield np.zeros((2, 3), np.float32), np.zeros((2, 1), np.float32)

        return tf.data.Dataset.from_generator(
            watched, output_signature=(tf.TensorSpec((2, 3)), tf.TensorSpec((2, 1)))
        )

    options = {"steps": 2, "steps_per_epoch": 2, "interruption": interruption}
    assert fit(model, one_device, batches_for(model), interrupted, **options)
    assert model.step == 2 and int(model.epochs_ended.numpy()) == 0
    assert len(measured) < 100


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_named(one_device, value):
    def changed(model, name, loss):
        wrong = (name == "second") & (model.steps_taken == 2)
        return loss + tf.where(wrong, value, 0.0)

    model, recorder = compiled_pair(changed=changed), Recorder()
    with pytest.raises(NotFinite, match=f"^second_loss is {value}$") as raised:
        fit_pair(model, one_device, recorder)
    np.testing.assert_equal(raised.value.values, {"second_loss": value})
    assert recorder.events[-2:] == [("batch begin", 0), ("train end", None)]


def test_an_infinite_gradient_is_not_finite(one_device):
    def changed(model, name, loss):
        return tf.sqrt(loss * 0.0)

    with pytest.raises(NotFinite, match="first_gradient_norm is nan, second_gradient_norm is nan"):
        fit_pair(compiled_pair(changed=changed), one_device)


def test_two_replicas_train_and_log_as_one(one_device, two_replicas):
    expected, recorded = Recorder(), Recorder()
    one = compiled_pair(clip_norm=0.5)
    fit_pair(one, one_device, expected)
    with two_replicas.scope():
        two = compiled_pair(clip_norm=0.5)
    fit_pair(two, two_replicas, recorded)
    assert recorded.events == expected.events
    for (event, logs), (_, others) in zip(expected.logs, recorded.logs, strict=True):
        assert others == pytest.approx(logs, rel=1e-5), event
    for name, value in values(one).items():
        np.testing.assert_allclose(values(two)[name], value, atol=1e-6, err_msg=name)


def test_a_compiled_step_is_the_same_step(one_device, monkeypatch):
    compiled = []
    function = tf.function

    def spy(*arguments, jit_compile=None, **options):
        compiled.append(bool(jit_compile))
        return function(*arguments, jit_compile=jit_compile, **options)

    monkeypatch.setattr(tf, "function", spy)
    plain, faster = compiled_pair(), compiled_pair()
    fit_pair(plain, one_device)
    assert not any(compiled)
    fit_pair(faster, one_device, xla=True)
    assert sum(compiled) == 1
    for name, value in values(plain).items():
        np.testing.assert_allclose(values(faster)[name], value, atol=1e-6, err_msg=name)
