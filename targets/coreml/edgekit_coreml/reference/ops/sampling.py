"""Pictures sampled at computed points."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from edgekit_coreml.reference.ops.registry import op
from edgekit_coreml.reference.ops.resizing import SamplingMode, points
from edgekit_coreml.reference.ops.size import bounded

_Coordinates = Literal["unnormalized", "normalized_minus_one_to_one", "normalized_zero_to_one"]
_Padding = Literal["constant", "border", "reflection", "symmetric"]
_Box = Literal["CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST", "CENTER_SIZE_HEIGHT_FIRST", "CENTER_SIZE_WIDTH_FIRST"]

_EDGE = 1e-6  # of a pixel: a point on the edge of the picture stays on it, however its place was rounded


@op("crop_resize", own=("roi", "boxes", "box_indices"))
def crop_resize(  # noqa: PLR0913, PLR0917 (MIL's inputs)
    x: Tensor,
    roi: Tensor | None = None,
    boxes: Tensor | None = None,
    box_indices: Tensor | None = None,
    target_height: int = 1,
    target_width: int = 1,
    normalized_coordinates: bool = False,
    spatial_scale: float = 1.0,
    box_coordinate_mode: _Box = "CORNERS_HEIGHT_FIRST",
    sampling_mode: SamplingMode = "DEFAULT",
    pad_value: float = 0.0,
) -> Tensor:
    """Boxes of the pictures, each resized by linear interpolation; points outside the picture have pad_value.

    Up to iOS 16 the boxes are `roi`, [N, 1, 4, 1, 1] for all pictures or [N, 1, 5, 1, 1] with the number of the picture first;
    since iOS 17 they are `boxes`, [N, 4].

    Raises:
        ValueError: there is no such picture; a box goes backwards and sampling_mode is not (STRICT_)ALIGN_CORNERS; or it is
            UNALIGN_CORNERS and a box leaves the picture, where Core ML does not do as documented.
    """
    if x.ndim != 4 or (roi is None) == (boxes is None):
        raise ValueError(f"x has {x.ndim} axes, not four" if x.ndim != 4 else "one of roi and boxes is needed, and only one")
    pictures, corners = _boxes(boxes, box_indices, x.shape[0]) if boxes is not None else _rois(roi, x.shape[0])
    bounded([4, *pictures.shape, x.shape[1], target_height, target_width])  # for each, four pixels are looked at
    if normalized_coordinates and not corners.is_floating_point():
        raise ValueError("normalized coordinates are of integers")
    starts, ends = _height_first(corners.double() * spatial_scale, box_coordinate_mode)
    last = torch.tensor(x.shape[2:]).double() - 1
    if normalized_coordinates:
        starts, ends = starts * last, ends * last
    rows = points(starts[:, 0], ends[:, 0], target_height, sampling_mode)
    columns = points(starts[:, 1], ends[:, 1], target_width, sampling_mode)
    rows = rows.reshape(len(rows), *[1] * (pictures.ndim - 1), -1, 1)
    columns = columns.reshape(len(columns), *[1] * (pictures.ndim - 1), 1, -1)
    outside = (rows < -_EDGE) | (rows > last[0] + _EDGE) | (columns < -_EDGE) | (columns > last[1] + _EDGE)
    if sampling_mode == "UNALIGN_CORNERS" and bool(outside.any()):
        # Core ML gives no padding then, and nothing else that the formula explains: coremltools' test of it, mil/ops/tests/iOS15/
        # test_image_resizing.py, TestCropResize
        raise ValueError("what sampling_mode UNALIGN_CORNERS gives for a box that leaves the picture is not documented")
    rows, columns = rows.clamp(min=0, max=float(last[0])), columns.clamp(min=0, max=float(last[1]))
    values = _between(x, pictures[..., None, None], rows, columns)
    return torch.where(outside.unsqueeze(-3), x.new_tensor(pad_value), values)


@op("affine")
def affine(
    x: Tensor,
    transform_matrix: Tensor,
    output_height: int,
    output_width: int,
    sampling_mode: Literal["bilinear"],
    padding_mode: Literal["constant"],
    padding_value: float,
    coordinates_mode: Literal["normalized_minus_one_to_one"],
    align_corners: bool,
) -> Tensor:
    """The picture at a0 x + a1 y + a2, b0 x + b1 y + b2 for each pixel x, y of the result, zero outside.

    Raises:
        ValueError: padding_value is not 0 or align_corners is false, as in Core ML; or an axis of the result has one pixel, and
            where that lies is not documented.
    """
    if padding_value or not align_corners:
        raise ValueError("a padding_value other than 0, and align_corners=False, are not supported by Core ML")
    if min(output_height, output_width) < 2:
        raise ValueError("where the one pixel of an axis of the result lies, from -1 to 1, is not documented")
    if x.ndim != 4 or transform_matrix.ndim != 2 or transform_matrix.shape[1] != 6 or len(transform_matrix) not in (1, len(x)):
        raise ValueError(f"a transform_matrix of shape {list(transform_matrix.shape)} for x of shape {list(x.shape)}")
    bounded([4, *x.shape[:2], output_height, output_width])
    down = torch.linspace(-1, 1, output_height, dtype=torch.float64)[:, None]
    across = torch.linspace(-1, 1, output_width, dtype=torch.float64)
    numbers = transform_matrix.double().expand(len(x), 6)[:, :, None, None]
    coordinates = torch.stack([numbers[:, i] * across + numbers[:, i + 1] * down + numbers[:, i + 2] for i in (0, 3)], -1)
    return resample(x, coordinates, sampling_mode, padding_mode, padding_value, coordinates_mode, align_corners)


@op("resample", own=("coordinates",))
def resample(
    x: Tensor,
    coordinates: Tensor,
    sampling_mode: Literal["bilinear", "nearest"],
    padding_mode: _Padding,
    padding_value: float,
    coordinates_mode: _Coordinates,
    align_corners: bool,
) -> Tensor:
    """The picture at the coordinates x, y of each pixel of the result. Halfway between two pixels, the even one is nearest.

    Raises:
        ValueError: a coordinate is infinite or NaN.
    """
    # of halves, coremltools' test knows one: 0.5, to which symmetric padding brings 6.5 on an axis of 2 pixels, is pixel 0
    if x.ndim != 4 or coordinates.ndim != 4 or coordinates.shape[3] != 2 or len(coordinates) != len(x):
        raise ValueError(f"coordinates of shape {list(coordinates.shape)} for x of shape {list(x.shape)}")
    bounded([4, *x.shape[:2], *coordinates.shape[1:3]])
    if not bool(torch.isfinite(coordinates).all()):
        raise ValueError("there is an infinite coordinate, or NaN")
    columns, rows = (
        _padded(_placed(at, size, coordinates_mode, align_corners), size, padding_mode)
        for at, size in zip(coordinates.double().unbind(-1), (x.shape[3], x.shape[2]), strict=True)
    )
    picture = torch.arange(len(x))[:, None, None]
    outside = padding_value if padding_mode == "constant" else None
    if sampling_mode == "bilinear":
        return _between(x, picture, rows, columns, outside)
    return _pixels(x, picture, rows.round(), columns.round(), outside).movedim(-1, -3)


def _rois(roi: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
    """The pictures that boxes are cut from, and the four numbers of each box."""
    assert roi is not None
    if roi.ndim != 5 or list(roi.shape[1:]) not in ([1, 4, 1, 1], [1, 5, 1, 1]):
        raise ValueError(f"roi has shape {list(roi.shape)}, not [N, 1, 4, 1, 1] or [N, 1, 5, 1, 1]")
    numbers = roi.flatten(1)
    if numbers.shape[1] == 4:
        return torch.arange(count).expand(len(numbers), count), numbers
    return _existing(numbers[:, :1], count), numbers[:, 1:]


def _boxes(boxes: Tensor, indices: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
    pictures = torch.arange(len(boxes)) if indices is None else indices
    if boxes.ndim != 2 or boxes.shape[1] != 4 or pictures.shape != boxes.shape[:1]:
        raise ValueError(f"boxes have shape {list(boxes.shape)}, not [N, 4], or box_indices {list(pictures.shape)}, not [N]")
    return _existing(pictures, count), boxes


def _existing(pictures: Tensor, count: int) -> Tensor:
    numbers = pictures.long()
    if bool(((numbers != pictures) | (numbers < 0) | (numbers >= count)).any()):
        raise ValueError(f"boxes are of pictures {pictures.flatten().tolist()}, of which there are {count}")
    return numbers


def _height_first(corners: Tensor, mode: _Box) -> tuple[Tensor, Tensor]:
    """Start and end of each box, height and width of each: [N, 2]."""
    first, second = corners[:, :2], corners[:, 2:]
    if mode.endswith("WIDTH_FIRST"):
        first, second = first.flip(1), second.flip(1)
    if mode.startswith("CENTER_SIZE"):
        return first - second / 2, first + second / 2
    return first, second


def _placed(at: Tensor, size: int, mode: _Coordinates, align_corners: bool) -> Tensor:
    """Where on an axis of pixels a coordinate is: 0 is the centre of the first one."""
    if mode == "unnormalized":
        return at
    share = at if mode == "normalized_zero_to_one" else (at + 1) / 2
    return share * (size - 1) if align_corners else share * size - 0.5


def _padded(at: Tensor, size: int, mode: _Padding) -> Tensor:
    """Which point of the picture stands at a point of the padded one; constant padding stays outside."""
    match mode:
        case "constant":
            return at.clamp(-2, size + 1)
        case "border":
            return at.clamp(0, size - 1)
        case "reflection":
            return _reflected(at, 0, size - 1)
        case "symmetric":
            return _reflected(at, -0.5, size - 0.5).clamp_(0, size - 1)


def _reflected(at: Tensor, low: float, high: float) -> Tensor:
    span = high - low
    return low + span - (span - (at - low).remainder(2 * span)).abs() if span else torch.full_like(at, low)


def _between(x: Tensor, picture: Tensor, rows: Tensor, columns: Tensor, outside: float | None = None) -> Tensor:
    """Interpolate between four pixels: [..., C, rows, columns]."""
    top, left = rows.floor(), columns.floor()
    down, right = ((at - pixel).to(x.dtype).unsqueeze(-1) for at, pixel in ((rows, top), (columns, left)))
    upper, lower = (
        torch.lerp(_pixels(x, picture, row, left, outside), _pixels(x, picture, row, left + 1, outside), right)
        for row in (top, top + 1)
    )
    return torch.lerp(upper, lower, down).movedim(-1, -3)


def _pixels(x: Tensor, picture: Tensor, rows: Tensor, columns: Tensor, outside: float | None) -> Tensor:
    """All channels of these pixels, last; the nearest of the picture where there is no value for those outside."""
    row, column = rows.clamp(0, x.shape[2] - 1).long(), columns.clamp(0, x.shape[3] - 1).long()
    values = x.movedim(1, -1)[picture, row, column]
    if outside is None:
        return values
    return torch.where(((row == rows) & (column == columns)).unsqueeze(-1), values, x.new_tensor(outside))
