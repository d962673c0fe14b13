"""Random small Keras and QKeras models with the outputs that QKeras gives.

    python make_models.py FOLDER [COUNT [SEED]]

writes FOLDER/N/model.h5 (or model.json and weights.hdf5), inputs.npy, outputs.npy and note.txt for N = 0 … COUNT-1.
Needs qkeras 0.9 and TensorFlow 2.13. note.txt says "exact" where every sum is a sum of integer codes
that float32 holds without rounding, so that every framework must give the same bits; "scaled" where
scales are no powers of two, "float" for ordinary layers, "weights" where the outputs are the
quantized weights of one layer.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf
from tensorflow.python.ops import array_ops
from tensorflow.keras import layers as K
import qkeras as Q

# QConv2DTranspose of QKeras 0.9 calls array_ops.stack, which TensorFlow 2.13 has elsewhere.
array_ops.stack = tf.stack

rng = np.random.default_rng()


def choice(*options):
    return options[rng.integers(len(options))]


def chance(p):
    return rng.random() < p


def weight_quantizer(exact):
    """A quantizer of kernels whose scale is a power of two where `exact`."""
    bits = int(rng.integers(2, 8))
    integer = int(rng.integers(0, 2))
    options = [
        lambda: Q.quantized_bits(bits, integer, int(chance(0.5)), alpha=1),
        lambda: Q.quantized_bits(bits, integer, 0, keep_negative=chance(0.7), alpha=1.0),
        lambda: Q.quantized_bits(bits, integer, alpha="auto_po2"),
        lambda: Q.quantized_bits(bits, integer),  # kernels: None means auto_po2
        lambda: Q.quantized_bits(1, 0, alpha=1),
        lambda: Q.ternary(alpha=choice(0.5, 1, 2), threshold=choice(None, 0.25, 0.1)),
        lambda: Q.ternary(alpha="auto_po2"),
        lambda: Q.stochastic_ternary(alpha="auto_po2"),
        lambda: Q.binary(alpha=choice(0.5, 1)),
        lambda: Q.binary(alpha="auto_po2"),
        lambda: Q.stochastic_binary(alpha="auto_po2"),
        lambda: Q.quantized_po2(4, choice(None, 2)),
        lambda: Q.quantized_relu(bits, integer),
    ]
    if not exact:
        options += [
            lambda: Q.quantized_bits(bits + 1, integer, alpha="auto"),
            lambda: Q.quantized_bits(bits, integer, alpha=0.3),
            lambda: Q.ternary(alpha="auto"),
            lambda: Q.binary(alpha="auto"),
            lambda: Q.binary(use_01=True, alpha="auto"),
        ]
    return choice(*options)()


def bias_quantizer(exact):
    return choice(
        lambda: Q.quantized_bits(8, 2, alpha=1) if exact else None,
        lambda: Q.quantized_bits(5, 1, 1, alpha=1),
        lambda: Q.quantized_bits(6, 1),
        lambda: Q.quantized_po2(4, 2),
    )()


def activation_quantizer():
    bits = int(rng.integers(2, 7))
    integer = int(rng.integers(0, 3))
    return choice(
        lambda: f"quantized_relu({bits},{integer})",
        lambda: Q.quantized_relu(bits, integer),
        lambda: Q.quantized_relu(bits + 2, integer, negative_slope=choice(0.25, 0.5)),
        lambda: Q.quantized_relu(bits, integer, use_sigmoid=1),
        lambda: f"quantized_relu({bits},2,is_quantized_clip=False,relu_upper_bound=1)",
        lambda: f"quantized_bits({bits},{integer},{int(chance(0.5))})",
        lambda: Q.quantized_bits(bits, integer, alpha=choice(1, 0.5, 2)),
        lambda: Q.quantized_bits(bits, integer, keep_negative=False),
        lambda: Q.quantized_bits(1, 0),
        lambda: Q.quantized_tanh(bits, symmetric=chance(0.5)),
        lambda: Q.quantized_sigmoid(bits, symmetric=chance(0.5)),
        lambda: Q.ternary(threshold=choice(None, 0.5)),
        lambda: "ternary()",
        lambda: "binary()",
        lambda: Q.binary(alpha=1),
        lambda: Q.binary(use_01=True),
        lambda: "hard_tanh",
        lambda: "binary_tanh",
    )()


def quantized_model(exact):
    """Convolutions and dense layers, an activation quantizer before each of them."""
    flat = chance(0.3)
    shape = (int(rng.integers(3, 20)),) if flat else (
        int(rng.integers(4, 9)), int(rng.integers(4, 9)), int(rng.integers(1, 4)))
    lines = not flat and chance(0.2)
    if lines:
        shape = shape[1:]
    x = inputs = K.Input(shape)
    x = Q.QActivation(f"quantized_bits({int(rng.integers(3, 7))},1)")(x)

    def options():
        return dict(
            kernel_quantizer=weight_quantizer(exact), bias_quantizer=bias_quantizer(exact),
            use_bias=chance(0.7), padding=choice("same", "valid"),
            kernel_initializer="random_normal", bias_initializer="random_normal")

    if not flat:
        for _ in range(int(rng.integers(1, 3))):
            kind = "conv1d" if lines else choice("conv", "conv", "depthwise", "transposed", "branch")
            size = int(rng.integers(1, 4))
            filters = int(rng.integers(1, 5))
            before = x
            if kind == "conv1d":
                x = Q.QConv1D(filters, size, strides=int(rng.integers(1, 3)), **options())(x)
            elif kind == "conv":
                x = Q.QConv2D(filters, (size, int(rng.integers(1, 4))),
                              strides=int(rng.integers(1, 3)), **options())(x)
            elif kind == "depthwise":
                o = options()
                o["depthwise_quantizer"] = o.pop("kernel_quantizer")
                o["depthwise_initializer"] = o.pop("kernel_initializer")
                x = Q.QDepthwiseConv2D(size, strides=int(rng.integers(1, 3)), **o)(x)
            elif kind == "transposed":
                x = Q.QConv2DTranspose(filters, size, strides=int(rng.integers(1, 3)), **options())(x)
            else:
                o = options()
                o["padding"] = "same"
                layer = Q.QConv2D(int(x.shape[-1]), size, **o)  # shared by two calls
                y = layer(x)
                z = layer(Q.QActivation(activation_quantizer())(y))
                x = K.Add()([y, z]) if chance(0.5) else K.Concatenate()([y, z])
            x = Q.QActivation(activation_quantizer())(x)
            if min(x.shape[1:-1]) >= 2 and not lines and chance(0.3):
                x = K.MaxPooling2D(2, padding=choice("same", "valid"))(x)
            if min(x.shape[1:-1]) < 3:
                break
        x = K.Flatten()(x)
    for _ in range(int(rng.integers(1, 3))):
        o = options()
        o.pop("padding")
        x = Q.QDense(int(rng.integers(2, 9)), **o)(x)
        last = x
        x = Q.QActivation(activation_quantizer())(x)
    return tf.keras.Model(inputs, choice(x, last))


def float_model():
    """Ordinary layers, nested models, branches."""
    shape = (int(rng.integers(6, 11)), int(rng.integers(6, 11)), int(rng.integers(1, 4)))
    x = inputs = K.Input(shape)
    for _ in range(int(rng.integers(1, 4))):
        c = int(x.shape[-1])
        small = min(x.shape[1:-1]) < 4
        x = choice(
            lambda: K.Conv2D(int(rng.integers(1, 4)) * 2, 3, padding="same", dilation_rate=choice(1, 2),
                             activation=choice("relu", "tanh", "elu", "selu", "swish", "gelu", "softplus",
                                               "softsign", "sigmoid", "hard_sigmoid", "exponential"))(x),
            lambda: K.Conv2D(2 * c, 3, strides=2, padding="same", groups=c)(x),
            lambda: K.SeparableConv2D(3, 3, padding="same", depth_multiplier=choice(1, 2))(x),
            lambda: K.DepthwiseConv2D(choice(2, 3), padding="same", depth_multiplier=choice(1, 2))(x),
            lambda: K.Conv2DTranspose(2, choice(2, 3), strides=choice(1, 2), padding=choice("same", "valid"),
                                      output_padding=None)(x),
            lambda: K.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1)(x),
            lambda: K.BatchNormalization(scale=chance(0.7), center=chance(0.7))(x),
            lambda: K.LayerNormalization()(x),
            lambda: K.ReLU(max_value=choice(None, 1.0), negative_slope=choice(0.0, 0.1),
                           threshold=choice(0.0, 0.2))(x),
            lambda: K.LeakyReLU(0.1)(x),
            lambda: K.PReLU(alpha_initializer="random_normal",
                            shared_axes=choice(None, [1, 2]))(x),
            lambda: K.ELU(0.5)(x),
            lambda: K.ThresholdedReLU(0.3)(x),
            lambda: K.Softmax()(x),
            lambda: K.Permute(choice((2, 1, 3), (3, 1, 2)))(x),
            lambda: K.ZeroPadding2D(((0, 1), (2, 1)))(x),
            lambda: x if small else K.Cropping2D(((1, 0), (0, 2)))(x),
            lambda: x if small else K.AveragePooling2D(choice(2, 3), strides=2,
                                                       padding=choice("same", "valid"))(x),
            lambda: x if small else K.MaxPooling2D(3, strides=choice(1, 2),
                                                   padding=choice("same", "valid"))(x),
            lambda: K.UpSampling2D(choice(2, (1, 3)), interpolation=choice("nearest", "bilinear"))(x),
            lambda: K.Rescaling(0.5, 0.25)(x),
            lambda: K.Reshape((x.shape[2], x.shape[1], c))(x),
            lambda: K.Dense(3, activation="relu")(x),
            lambda: choice(K.Add, K.Multiply, K.Average, K.Maximum, K.Minimum, K.Subtract)()(
                [x, K.Conv2D(c, 1)(x)]),
            lambda: K.Concatenate(axis=choice(-1, 1, 2))([x, K.Dropout(0.5)(x)]),
            lambda: nested(x),
        )()
    x = choice(K.Flatten(), K.GlobalAveragePooling2D(), K.GlobalMaxPooling2D(),
               K.GlobalAveragePooling2D(keepdims=True))(x)
    if len(x.shape) == 2:
        x = K.Dense(4, activation=choice(None, "softmax"))(x)
    return tf.keras.Model(inputs, x)


def weights_model():
    """One layer whose outputs for one-hot inputs are its quantized weights."""
    quantizer = weight_quantizer(False)
    if chance(0.5):
        inputs = K.Input((int(rng.integers(1, 200)),))
        x = Q.QDense(int(rng.integers(1, 12)), kernel_quantizer=quantizer, use_bias=False)(inputs)
    else:
        inputs = K.Input((int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(1, 9))))
        x = Q.QConv2D(int(rng.integers(1, 12)), inputs.shape[1:3], kernel_quantizer=quantizer,
                      use_bias=False)(inputs)
    return tf.keras.Model(inputs, x)


def nested(x):
    """A model in a model, used twice."""
    c = int(x.shape[-1])
    if chance(0.5):
        inner = tf.keras.Sequential([
            K.Conv2D(c, 3, padding="same", activation="relu"), K.BatchNormalization()])
    else:
        a = K.Input(x.shape[1:])
        b = K.BatchNormalization()(K.Conv2D(c, 2, padding="same")(a))
        inner = tf.keras.Model(a, K.Add()([a, b]))
    return inner(inner(x)) if chance(0.5) else inner(x)


def randomize(model):
    """Weights as training may leave them: also out of range, exactly on ties, zero."""
    for layer in model.layers:
        values = []
        for w in layer.weights:
            v = rng.normal(0, 0.6, w.shape)
            tie = rng.random(w.shape)
            v = np.where(tie < 0.1, np.round(v * 16) / 16, v)
            v = np.where(tie > 0.97, 0.0, v)
            v = np.where((tie > 0.9) & (tie < 0.95), v * 6, v)
            if "variance" in w.name:
                v = np.abs(v) + 0.1
            values.append(v.astype(np.float32))
        # A layer may list its weights in another order than get_weights(): assign one by one.
        for w, v in zip(layer.weights, values):
            w.assign(v)


def main():
    global rng
    folder = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 120
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    done = tries = 0
    while done < count:
        rng = np.random.default_rng([seed, tries])
        tf.keras.utils.set_random_seed(seed * 100003 + tries)
        tries += 1
        kind = ("exact", "exact", "scaled", "float", "weights")[done % 5]
        try:
            model = (float_model() if kind == "float" else weights_model() if kind == "weights"
                     else quantized_model(kind == "exact"))
            randomize(model)
            shape = model.input_shape[1:]
            x = rng.normal(0, 1.5, (24,) + shape)
            x[:8] = np.round(x[:8] * 8) / 8
            if kind in ("exact", "scaled"):
                x[8] = 0
                x[9] *= 100  # Saturates.
            if kind == "weights":
                x = np.eye(int(np.prod(shape))).reshape((-1,) + shape)
            x = x.astype(np.float32)
            y = model(x, training=False).numpy()
        except (TypeError, ValueError, tf.errors.OpError) as error:
            print(f"# try {tries}: {str(error)[:300]!r}", file=sys.stderr)
            continue
        if not np.isfinite(y).all():
            continue
        where = os.path.join(folder, str(done))
        os.makedirs(where, exist_ok=True)
        if chance(0.3):
            with open(os.path.join(where, "model.json"), "w") as f:
                f.write(model.to_json())
            model.save_weights(os.path.join(where, "weights.hdf5"), save_format="h5")
        else:
            model.save(os.path.join(where, "model.h5"), include_optimizer=False)
        np.save(os.path.join(where, "inputs.npy"), x)
        np.save(os.path.join(where, "outputs.npy"), y.astype(np.float32))
        with open(os.path.join(where, "note.txt"), "w") as f:
            f.write(kind + "\n")
        done += 1
        tf.keras.backend.clear_session()


if __name__ == "__main__":
    main()
