"""Damaged files: whatever is in them, the answer is an error that says so, or an answer. Nothing else is read, or hangs."""

from __future__ import annotations

import os
import random
import resource
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813 (its name in coremltools' documentation)
from coremltools.converters.mil.mil import types
from coremltools.proto import Model_pb2

from edgekit.errors import InputError, UsageError
from edgekit_coreml.reference import ReferenceModel

CASES = 500  # of each kind of damage to each package
MEMORY_BYTES = 2 * 2**30  # beyond what the process has: a tensor of damaged size must not end it
SLOWEST_S = 20.0  # of the processor: a damaged loop runs to its end
EXTREMES = (0, 1, -1, 2, 3, 7, 127, 128, 255, 2**15, 2**31 - 1, -(2**31), 2**31, 2**40, 2**62, 2**63 - 1, -(2**63), 2**64 - 1)
MODEL, WEIGHTS = Path("Data/com.apple.CoreML/model.mlmodel"), Path("Data/com.apple.CoreML/weights/weight.bin")


def network(x: Any) -> Any:
    """Of operators whose numbers are sizes."""
    numbers = np.random.default_rng(3).random(216, np.float32)
    y = mb.conv(x=x, weight=numbers.reshape(8, 3, 3, 3), strides=[2, 1], pad_type="custom", pad=[1, 0, 2, 1])
    y = mb.max_pool(x=mb.pad(x=y, pad=[1, 1, 0, 2]), kernel_sizes=[2, 2], strides=[1, 2], pad_type="same")
    z = mb.reshape(x=mb.transpose(x=mb.relu(x=y), perm=[0, 2, 3, 1]), shape=[1, -1, 8])
    z = mb.concat(values=[z, mb.tile(x=z, reps=[1, 2, 1])], axis=1)
    z = mb.linear(x=mb.slice_by_index(x=z, begin=[0, 1, 0], end=[1, 9, 8], stride=[1, 3, 1]), weight=numbers[:40].reshape(5, 8))
    z = mb.add(x=mb.fill(shape=[1, 5], value=2.0), y=mb.reduce_mean(x=z, axes=[1], keep_dims=False))
    return mb.cast(x=mb.cast(x=mb.gather(x=z, indices=[0, 2, 1, 4], axis=1), dtype="fp16"), dtype="fp32")


def memory(x: Any, total: Any) -> Any:
    """Of a state, compressed constants, a list, a loop and a branch."""
    table = np.linspace(-1, 1, 4, dtype=np.float16).reshape(1, 1, 4, 1)
    indices = (np.arange(18) % 4).reshape(6, 3).astype(types.np_uint2_dtype)
    y = mb.coreml_update_state(state=total, value=mb.add(x=mb.read_state(input=total), y=x))
    y = mb.linear(x=y, weight=mb.constexpr_lut_to_dense(indices=indices, lut=table))
    number, ls = mb.while_loop(
        _cond=lambda n, ls: mb.less(x=n, y=np.int32(2)),
        _body=lambda n, ls: (mb.add(x=n, y=np.int32(1)), mb.list_write(ls=ls, index=n, value=y)),
        loop_vars=(np.int32(0), mb.make_list(init_length=1, dynamic_length=True, elem_shape=(2, 6), dtype="fp16")),
    )
    z = mb.list_gather(ls=ls, indices=np.array([0, 1], np.int32))
    return mb.cond(pred=mb.greater(x=number, y=np.int32(1)), _true_fn=lambda: z, _false_fn=lambda: mb.mul(x=z, y=np.float16(2)))


@pytest.fixture(scope="module", params=["network", "memory"])
def package(request: pytest.FixtureRequest, save_program: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fuzz") / "tiny.mlpackage"
    if request.param == "network":
        program = mb.program(input_specs=[mb.TensorSpec((1, 3, 6, 7))], opset_version=ct.target.iOS16)(network)
        save_program(program, path, pass_pipeline=ct.PassPipeline.EMPTY)
    else:
        halves = {"shape": (2, 3), "dtype": types.fp16}
        specs = [mb.TensorSpec(**halves), mb.StateTensorSpec(**halves)]
        program = mb.program(input_specs=specs, opset_version=ct.target.iOS18)(memory)
        save_program(program, path, pass_pipeline=ct.PassPipeline.EMPTY, minimum_deployment_target=ct.target.iOS18)
    return path


class Opened:
    """The files that are opened while it watches; a hook cannot be taken away again."""

    def __init__(self) -> None:
        self.paths: set[str] | None = None
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "os.listdir", "os.scandir", "subprocess.Popen", "socket.connect") and self.paths is not None:
            self.paths.add(f"{event} {arguments[0]}")


@pytest.fixture(scope="module")
def opened() -> Opened:
    return Opened()


@pytest.fixture(autouse=True)
def _bounded_memory() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def damaged(content: bytes, dice: random.Random) -> bytes:
    """Flip bits, write extremes, cut out, put in, repeat, cut off."""
    changed = bytearray(content)
    for _ in range(dice.choice([1, 1, 1, 3, 20])):
        at, length = dice.randrange(len(changed) + 1), dice.choice([1, 2, 8, 64, 256])
        match dice.randrange(6):
            case 0:
                changed[at : at + 1] = bytes(byte ^ 1 << dice.randrange(8) for byte in changed[at : at + 1])
            case 1:
                changed[at : at + 8] = (dice.choice(EXTREMES) % 2**64).to_bytes(8, "little")
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = dice.randbytes(length)
            case 4:
                other = dice.randrange(len(changed) + 1)
                changed[at : at + length] = changed[other : other + length]
            case 5 if dice.random() < 0.2:
                del changed[at:]
    return bytes(changed)


def altered(content: bytes, dice: random.Random) -> bytes:
    """Change fields of the message, so that what is read is whole, and wrong."""
    model = Model_pb2.Model.FromString(content)
    fields = list(_fields(model))
    texts = [text for message, field, _ in fields if field.type == field.TYPE_STRING for text in _values(message, field)]
    for _ in range(dice.choice([1, 1, 2, 3])):
        message, field, key = dice.choice(fields)
        try:
            _alter(message, field, key, texts, dice)
        except (ValueError, TypeError, LookupError, AttributeError):  # not a value of this field; or it has gone with another
            continue
    return bytes(model.SerializeToString())


def _fields(message: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Every field that is set, in the whole tree; for a map, with each of its keys."""
    for field, value in message.ListFields():
        is_map = field.type == field.TYPE_MESSAGE and field.message_type.GetOptions().map_entry
        if is_map:
            yield from ((message, field, key) for key in value)
        else:
            yield message, field, None
        if field.type == field.TYPE_MESSAGE:
            inner = [value[key] for key in value] if is_map else value if field.is_repeated else [value]
            for each in inner:
                if hasattr(each, "ListFields"):
                    yield from _fields(each)


def _values(message: Any, field: Any) -> list[Any]:
    value = getattr(message, field.name)
    return list(value) if field.is_repeated else [value]


def _alter(message: Any, field: Any, key: Any, texts: list[str], dice: random.Random) -> None:
    value = getattr(message, field.name)
    if key is not None:
        if dice.random() < 0.4:
            del value[key]
        else:
            value[dice.choice([*value, *texts])].CopyFrom(value[dice.choice(list(value))])
    elif field.type == field.TYPE_MESSAGE:
        if not field.is_repeated:
            message.ClearField(field.name)
        elif dice.random() < 0.5:
            value[dice.randrange(len(value))].CopyFrom(dice.choice(value))
        else:
            del value[dice.randrange(len(value))]
    elif field.is_repeated:
        value[dice.randrange(len(value))] = _other(field, value[0], texts, dice)
    else:
        setattr(message, field.name, _other(field, value, texts, dice))


def _other(field: Any, value: Any, texts: list[str], dice: random.Random) -> Any:
    match field.type:
        case field.TYPE_STRING:
            return dice.choice([*texts, ""])
        case field.TYPE_BYTES:
            return damaged(value, dice)
        case field.TYPE_BOOL:
            return not value
        case field.TYPE_FLOAT | field.TYPE_DOUBLE:
            return dice.choice([0.0, -1.0, float("nan"), float("inf"), 1e30, 2 * value])
        case field.TYPE_ENUM:
            return dice.choice(field.enum_type.values).number
        case _:
            return dice.choice([*EXTREMES, value + 1, value - 1, 2 * value])


@pytest.mark.parametrize(
    ("file", "damage"), [(MODEL, damaged), (WEIGHTS, damaged), (MODEL, altered)], ids=["bytes", "weights", "message"]
)
def test_damage_is_an_error_that_says_so(
    package: Path, tmp_path: Path, opened: Opened, file: Path, damage: Callable[[bytes, random.Random], bytes]
) -> None:
    copy = Path(shutil.copytree(package, tmp_path / "tiny.mlpackage"))
    content = (copy / file).read_bytes()
    given = ReferenceModel(copy).inputs[0]
    x = np.ones([size or 1 for size in given.shape or ()], np.float32)
    outcomes: Counter[str] = Counter()
    for seed in range(CASES):
        (copy / file).write_bytes(damage(content, random.Random(seed)))
        start_s, opened.paths = time.process_time(), set()
        try:
            model = ReferenceModel(copy)
            state = model.make_state()
            model.predict({variable.name: x for variable in model.inputs}, state)
            outcomes["answer"] += 1
        except (InputError, UsageError) as error:
            outcomes[type(error).__name__ if str(error) else "silence"] += 1
        read, opened.paths = opened.paths, None
        assert time.process_time() - start_s < SLOWEST_S, f"seed {seed}"
        outside = [path for path in read if not path.startswith(f"open {copy}/")]
        assert not outside, f"seed {seed}"
    assert outcomes["silence"] == 0
    assert outcomes["answer"] > 0
    assert outcomes["InputError"] > CASES / 10


def test_a_damaged_file_is_damaged_in_the_same_way_again() -> None:
    content = bytes(range(256))
    assert damaged(content, random.Random(5)) == damaged(content, random.Random(5)) != content
