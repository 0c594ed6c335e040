"""The expression encoder on a drawn face, and the detector under it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from emollama.base.errors import EmollamaError
from emollama.encoders.expression import CLASSES, ExpressionEncoder, MiniXception
from emollama.encoders.table import ENCODERS, parse_encoder
from emollama.media.clip import Clip, Frames
from emollama.media.decode import decode_clip
from emollama.media.faces import Face, FaceDetector, square_crops


def drawn(x: int, y: int, size: int, canvas: tuple[int, int] = (224, 224)) -> np.ndarray:
    """A face about (x, y), `size` pixels high, smiling."""
    image = Image.new("RGB", canvas, (120, 130, 140))
    draw = ImageDraw.Draw(image)
    skin, dark = (224, 178, 150), (50, 35, 30)

    def oval(dx: float, dy: float, w: float, h: float, colour: tuple[int, int, int]) -> None:
        cx, cy = x + dx * size, y + dy * size
        draw.ellipse((cx - w * size, cy - h * size, cx + w * size, cy + h * size), fill=colour)

    oval(0, -0.06, 0.42, 0.56, dark)
    oval(0, 0, 0.37, 0.5, skin)
    for side in (-1, 1):
        oval(0.16 * side, -0.08, 0.08, 0.045, (245, 245, 245))
        oval(0.16 * side, -0.08, 0.038, 0.042, dark)
        left = x + (0.16 * side - 0.09) * size
        top = y - 0.2 * size
        draw.arc((left, top, left + 0.18 * size, top + 0.1 * size), 200, 340, dark, size // 25)
    oval(0, 0.09, 0.05, 0.05, (196, 144, 118))
    box = (x - 0.17 * size, y + 0.1 * size, x + 0.17 * size, y + 0.33 * size)
    draw.chord(box, 10, 170, (170, 60, 60))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(size / 110)))


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector.from_asset()


@pytest.mark.parametrize(("canvas", "size"), [((224, 224), 140), ((640, 360), 160)])
def test_the_box_and_points_are_where_the_face_is(
    detector: FaceDetector, canvas: tuple[int, int], size: int
) -> None:
    x, y = canvas[0] * 2 // 5, canvas[1] // 2
    (face,) = detector.detect(drawn(x, y, size, canvas)[None])
    assert face is not None and face.score > 0.8
    left, top, right, bottom = face.box
    assert abs((left + right) / 2 - x) < 0.12 * size
    assert abs((top + bottom) / 2 - y) < 0.2 * size
    assert 0.5 * size < bottom - top < 1.3 * size
    eyes, nose, mouth = face.points[:2], face.points[2], face.points[3:]
    assert eyes[0, 0] < nose[0] < eyes[1, 0] and mouth[0, 0] < nose[0] < mouth[1, 0]
    assert eyes[:, 1].max() < nose[1] < mouth[:, 1].min()
    expected = [[x - 0.16 * size, y - 0.08 * size], [x + 0.16 * size, y - 0.08 * size]]
    np.testing.assert_allclose(eyes, expected, atol=0.1 * size)


def test_frames_are_found_each_by_itself(detector: FaceDetector) -> None:
    frames = np.stack([drawn(90, 110, 130), np.full((224, 224, 3), 127, np.uint8),
                       drawn(130, 120, 150)])  # fmt: skip
    together = detector.detect(frames)
    assert together[1] is None
    for i in (0, 2):
        (alone,) = detector.detect(frames[i : i + 1])
        both = together[i]
        assert alone is not None and both is not None
        np.testing.assert_allclose(alone.box, both.box, atol=0.05)


def test_crops_fall_back_to_the_nearest_face_then_to_the_middle() -> None:
    images = np.zeros((3, 40, 80, 3), np.uint8)
    images[:, 10:20, 60:70] = 255
    face = Face((60.0, 10.0, 70.0, 20.0), 0.9, np.zeros((5, 2), np.float32))
    crops = square_crops(images, [face, None, None], 16)
    assert crops.shape == (3, 16, 16, 3) and (crops == 255).all()
    assert square_crops(images, [face] * 3, 16, margin=0.5)[0].mean() == pytest.approx(64, abs=8)
    nothing = square_crops(images, [None] * 3, 40)
    np.testing.assert_array_equal(nothing[0], images[0, :, 20:60])
    outside = Face((70.0, -10.0, 100.0, 20.0), 0.9, np.zeros((5, 2), np.float32))
    assert square_crops(images, [outside] * 3, 8).shape == (3, 8, 8, 3)


def still(image: np.ndarray, count: int = 8) -> Clip:
    frames = Frames(np.stack([image] * count), np.arange(count) / 4)
    return Clip(frames, None, count / 4)


def test_columns_are_what_they_are_called() -> None:
    encoder = ExpressionEncoder()
    (track,) = encoder.encode([still(drawn(112, 112, 150))])
    assert track is not None
    assert track.values.shape == (8, encoder.width) == (8, len(encoder.columns))
    assert len(set(encoder.columns)) == encoder.width
    row = dict(zip(encoder.columns, track.values[0].tolist(), strict=True))
    logits = np.array([row[f"logit {name}"] for name in CLASSES])
    chances = np.array([row[f"probability {name}"] for name in CLASSES])
    np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(), chances, atol=1e-5)
    assert row["face found"] == 1
    np.testing.assert_allclose(track.times, np.arange(8) / 4)


def test_a_clip_without_face_or_frames_is_absent() -> None:
    blank = still(np.full((120, 160, 3), 90, np.uint8))
    assert ExpressionEncoder().encode([blank, Clip(None, None, 1.0)]) == [None, None]


@pytest.mark.parametrize("shown", [range(30, 40), range(10)])
def test_a_face_that_comes_late_or_goes_is_read(tmp_path: Path, shown: range) -> None:
    """Forty numbered pictures as a video: in three of four of them nobody is there."""
    for i in range(40):
        seen = drawn(112, 112, 150) if i in shown else np.full((224, 224, 3), 90, np.uint8)
        Image.fromarray(seen).save(tmp_path / f"{i + 1}.png")
    (track,) = ExpressionEncoder().encode([decode_clip(tmp_path, frames=8)])
    assert track is not None
    found = track.values[:, -1].tolist()
    assert found == ([0.0] * 6 + [1.0] * 2 if shown[0] else [1.0] * 2 + [0.0] * 6)


def test_batch_mates_change_nothing_and_spare_frames_are_left_out() -> None:
    encoder = ExpressionEncoder(frames=4)
    clips = [still(drawn(100, 112, 150)), still(drawn(120, 100, 120, (320, 240)), 3)]
    together = encoder.encode(clips)
    for clip, track in zip(clips, together, strict=True):
        (alone,) = encoder.encode([clip])
        assert alone is not None and track is not None
        np.testing.assert_array_equal(alone.values, track.values)
    assert [len(t.values) for t in together if t is not None] == [4, 3]


def test_the_network_tells_a_smile_from_a_frown_on_the_same_face() -> None:
    """Turned upside down, only the mouth's region differs: 'happy' must be the smiling one."""
    net = MiniXception.from_asset()
    smile = drawn(112, 112, 150)
    frown = smile.copy()
    frown[126:164, 86:139] = smile[126:164, 86:139][::-1]
    face = Face((56.0, 42.0, 168.0, 182.0), 1.0, np.zeros((5, 2), np.float32))
    logits, _ = net.look(square_crops(np.stack([smile, frown]), [face, face], 64, 0.0))
    happy = CLASSES.index("happy")
    assert logits[0, happy] > logits[1, happy]


def test_specs_are_read_strictly() -> None:
    encoder = parse_encoder("whisper-tiny.en+segments=4+layer=all")
    assert encoder.key == "whisper-tiny.en+layer=all+segments=4"
    assert parse_encoder(encoder.key).fingerprint == encoder.fingerprint
    assert parse_encoder("expression").key == "expression+frames=8"
    for spec, words in [
        ("whisper-tiny.an", "did you mean 'whisper-tiny.en'"),
        ("expression+frame=8", "did you mean 'frames'"),
        ("expression+frames", "a value is missing"),
        ("expression+frames=x", "'x' is not a valid value"),
        ("expression+frames=8+frames=4", "given twice"),
        ("expression+frames=0", "frames must be 1 to 256"),
    ]:
        with pytest.raises(EmollamaError) as caught:
            parse_encoder(spec)
        assert words in str(caught.value) and "\n" not in str(caught.value)
    assert {"whisper-tiny.en", "expression", "prosody"} <= set(ENCODERS)
