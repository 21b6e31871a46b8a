#!/usr/bin/env python3
"""Prints layers/ops/pytorch_numbers.inc: what layers give in PyTorch, in float64, with all gradients.

    python3 pytorch_numbers.py > pytorch_numbers.inc

Of each case: the layer's text, the shape of an image, y for a batch of two, and the gradient of
sum_i seed_i y_i by the input and by each parameter, in the order in which the text makes them.
"""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def fill(shape, a, m, shift, scale):
    count = 1
    for extent in shape:
        count *= extent
    return ((torch.arange(count) * a % m - shift) / scale).reshape(shape)


def values(shape):
    return fill(shape, 37, 101, 50.5, 20.0)


def parameter(shape, k):
    return fill(shape, 5 + 2 * k, 17, 7.5, 16.0)


def seeds(shape):
    return fill(shape, 3, 7, 2.5, 2.0)


def attention(x, heads, in_w, in_b, out_w, out_b):
    n, c, h, w = x.shape
    layer = torch.nn.MultiheadAttention(c, heads, batch_first=True)
    state = {
        "in_proj_weight": in_w.reshape(3 * c, c),
        "in_proj_bias": in_b,
        "out_proj.weight": out_w.reshape(c, c),
        "out_proj.bias": out_b,
    }
    tokens = x.flatten(2).transpose(1, 2)
    y = torch.func.functional_call(layer, state, (tokens, tokens, tokens), {"need_weights": False})[0]
    return y.transpose(1, 2).reshape(n, c, h, w)


def one(text):
    return "layer { " + text + " }"


GATE = "layer { name: 'gate' global_average_pool {} } layer { %s input: 'input' input: 'gate' }"
POOL = "kernel: 3 stride: 2 ceil: true"
CASES = [
    (GATE % "multiply {}", (3, 2, 3), [], lambda x: x * x.mean((2, 3), keepdim=True)),
    (GATE % "elementwise { formula: 'a * sigmoid(b)' }", (3, 2, 3), [],
     lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True))),
    (one("group_norm { groups: 2 }"), (4, 2, 3), [(4,), (4,)],
     lambda x, w, b: F.group_norm(x, 2, w, b)),
    (one("group_norm { groups: 3 scale: false shift: false epsilon: 0.1 }"), (3, 2, 3), [],
     lambda x: F.group_norm(x, 3, eps=0.1)),
    (one("layer_norm { axes: CHANNELS }"), (5, 2, 2), [(5,), (5,)],
     lambda x, w, b: F.layer_norm(x.permute(0, 2, 3, 1), (5,), w, b).permute(0, 3, 1, 2)),
    (one("scale {}"), (3, 2, 2), [(3,)], lambda x, w: x * w.reshape(1, 3, 1, 1)),
    (one("scale { per_channel: false }"), (3, 2, 2), [(1,)], lambda x, w: x * w),
    (one("prelu {}"), (3, 2, 2), [(3,)], F.prelu),
    (one("prelu { per_channel: false }"), (3, 2, 2), [(1,)], F.prelu),
    (one("slice { begin: 1 channels: 3 }"), (5, 2, 2), [], lambda x: x[:, 1:4]),
    (one("channel_shuffle { groups: 2 }"), (6, 1, 2), [], lambda x: F.channel_shuffle(x, 2)),
    (one("resize { times: 2 }"), (2, 2, 3), [],
     lambda x: F.interpolate(x, scale_factor=2, mode="nearest")),
    (one("resize { size: [5, 2] }"), (2, 3, 4), [],
     lambda x: F.interpolate(x, (5, 2), mode="nearest")),
    (one("resize { times: [2, 3] mode: BILINEAR }"), (2, 2, 3), [],
     lambda x: F.interpolate(x, scale_factor=(2, 3), mode="bilinear", align_corners=False)),
    (one("resize { size: [2, 5] mode: BILINEAR }"), (2, 5, 3), [],
     lambda x: F.interpolate(x, (2, 5), mode="bilinear", align_corners=False)),
    (one("adaptive_average_pool { size: [2, 3] }"), (2, 5, 7), [],
     lambda x: F.adaptive_avg_pool2d(x, (2, 3))),
    (one("max_pool { %s }" % POOL), (2, 6, 4), [],
     lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True)),
    (one("max_pool { kernel: 3 ceil: true }"), (2, 7, 4), [],
     lambda x: F.max_pool2d(x, 3, ceil_mode=True)),
    (one("average_pool { %s }" % POOL), (2, 6, 4), [],
     lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True)),
    (one("average_pool { %s pad: 1 }" % POOL), (2, 6, 5), [],
     lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True)),
    (one("average_pool { %s pad: 1 count_padding: false }" % POOL), (2, 6, 4), [],
     lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False)),
    (one("attention { heads: 2 }"), (4, 2, 3), [(12, 4, 1, 1), (12,), (4, 4, 1, 1), (4,)],
     lambda x, *p: attention(x, 2, *p)),
    (one("position {}"), (2, 2, 3), [(2, 2, 3)], lambda x, w: x + w),
    (one("class_token {}"), (3, 2, 2), [(3,)],
     lambda x, w: torch.cat([w.reshape(1, 3, 1).expand(2, 3, 1), x.flatten(2)], 2).unsqueeze(2)),
    (one("token { index: 4 }"), (3, 2, 3), [], lambda x: x[:, :, 1:2, 1:2]),
    (one("activation { kind: HARD_SIGMOID }"), (3, 2, 2), [], F.hardsigmoid),
    (one("activation { kind: HARD_SWISH }"), (3, 2, 2), [], F.hardswish),
    (one("activation { kind: RELU6 }"), (3, 2, 2), [], F.relu6),
    # What was reported of other libraries: a last window that would begin in the padding (tracel-ai/burn#5791), windows
    # beyond the padded image (onnx/onnx#5276, apple/coremltools#2844), overlapping windows with padding
    # (pytorch/pytorch#188344), columns that no kernel reaches (pytorch/pytorch#25101), a 2x2 image in one pixel
    # (pytorch/pytorch#30565), groups of one number (pytorch/pytorch#19250).
    (one("max_pool { kernel: 2 pad: 1 ceil: true }"), (2, 5, 4), [],
     lambda x: F.max_pool2d(x, 2, 2, 1, ceil_mode=True)),
    (one("average_pool { kernel: 2 pad: 1 ceil: true }"), (2, 5, 4), [],
     lambda x: F.avg_pool2d(x, 2, 2, 1, ceil_mode=True)),
    (one("average_pool { kernel: 2 stride: 3 ceil: true }"), (1, 7, 7), [],
     lambda x: F.avg_pool2d(x, 2, 3, ceil_mode=True)),
    (one("average_pool { kernel: [1, 7] stride: [1, 3] pad: [0, 3] ceil: true }"), (1, 2, 9), [],
     lambda x: F.avg_pool2d(x, (1, 7), (1, 3), (0, 3), ceil_mode=True)),
    # Padding that differs between the ends of an axis, of which windows beyond it are no part.
    (one("average_pool { kernel: 2 ceil: true pad: [0, 1, 0, 1] }"), (1, 5, 3), [],
     lambda x: F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 2, ceil_mode=True)),
    (one("average_pool { %s pad: [1, 0, 1, 0] }" % POOL), (1, 5, 7), [],
     lambda x: F.avg_pool2d(F.pad(x, (1, 0, 1, 0)), 3, 2, ceil_mode=True)),
    (one("average_pool { kernel: 4 stride: 3 ceil: true pad: [1, 2, 1, 2] }"), (1, 6, 6), [],
     lambda x: F.avg_pool2d(F.pad(x, (1, 2, 1, 2)), 4, 3, ceil_mode=True)),
    (one("average_pool { kernel: 2 stride: 1 pad: 1 }"), (2, 4, 4), [],
     lambda x: F.avg_pool2d(x, 2, 1, 1)),
    (one("convolution { channels: 2 kernel: 5 stride: 3 pad: 1 }"), (2, 8, 9), [(2, 2, 5, 5), (2,)],
     lambda x, w, b: F.conv2d(x, w, b, 3, 1)),
    (one("convolution { channels: 4 kernel: [2, 3] stride: [1, 2] dilation: [2, 1] groups: 2 }"),
     (4, 4, 6), [(4, 2, 2, 3), (4,)], lambda x, w, b: F.conv2d(x, w, b, (1, 2), 0, (2, 1), 2)),
    (one("transposed_convolution { channels: 2 kernel: 2 stride: 2 output_padding: 1 }"), (3, 2, 3),
     [(3, 2, 2, 2), (2,)], lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 0, 1)),
    (one("transposed_convolution { channels: 4 kernel: 3 stride: 2 pad: 1 output_padding: [1, 0] "
         "dilation: [1, 2] groups: 2 }"), (2, 3, 2), [(2, 2, 3, 3), (4,)],
     lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1, (1, 0), 2, (1, 2))),
    (one("resize { size: 1 mode: BILINEAR }"), (1, 2, 2), [],
     lambda x: F.interpolate(x, (1, 1), mode="bilinear", align_corners=False)),
    (one("group_norm { groups: 3 }"), (3, 1, 1), [(3,), (3,)],
     lambda x, w, b: F.group_norm(x, 3, w, b)),
    (one("attention { heads: 1 }"), (3, 1, 1), [(9, 3, 1, 1), (9,), (3, 3, 1, 1), (3,)],
     lambda x, *p: attention(x, 1, *p)),
    (one("adaptive_average_pool { size: [3, 5] }"), (2, 2, 4), [],
     lambda x: F.adaptive_avg_pool2d(x, (3, 5))),
    (one("local_response_norm { size: 4 }"), (6, 1, 2), [],
     lambda x: F.local_response_norm(x, 4)),
]


def numbers(tensor):
    return "{" + ", ".join("%.10g" % v for v in tensor.detach().flatten().tolist()) + "}"


print("// Expected results, computed by PyTorch %s. Generated by pytorch_numbers.py; do not edit." % torch.__version__.split("+")[0])
for text, image, shapes, function in CASES:
    x = values((2,) + image).requires_grad_()
    parameters = [parameter(s, k).requires_grad_() for k, s in enumerate(shapes)]
    y = function(x, *parameters)
    gradients = torch.autograd.grad((seeds(y.shape) * y).sum(), [x] + parameters)
    print('{"%s",' % text.replace("'", '\\"'))
    print(" {%d, %d, %d}," % image)
    print(" " + numbers(y) + ",")
    print(" {" + ",\n  ".join(numbers(g) for g in gradients) + "}},")
