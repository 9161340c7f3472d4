"""Every stream of random numbers is its own."""

from numpyvae.training.chance import Stream


def test_the_numbers_of_the_streams_are_those_of_old_checkpoints():
    numbers = {stream.name: stream.value for stream in Stream}
    assert (
        numbers
        | {
            "WEIGHTS": 0,
            "TRAINING": 1,
            "VALIDATION": 2,
            "PICTURES": 3,
            "HELD_OUT": 4,
            "MEASURED_SAMPLES": 5,
            "BINARY_TEST_IMAGES": 6,
            "LIKELIHOOD": 7,
            "EXPERIMENT_PICTURES": 8,
            "NEW_IMAGES": 9,
            "PAIRS": 10,
            "GRADCHECK": 11,
        }
        == numbers
    )


def test_each_stream_and_each_seed_gives_other_numbers_and_always_the_same():
    def first(stream, seed):
        return float(stream.generator(seed).random())

    numbers = [first(stream, seed) for stream in Stream for seed in (0, 1)]
    assert len(set(numbers)) == 2 * len(Stream)
    assert numbers == [first(stream, seed) for stream in Stream for seed in (0, 1)]
