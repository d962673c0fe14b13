"""The networks of the FKeras study: what is run on which samples, and the figures that the papers (Weng et al., "FKeras: A
Sensitivity Analysis Tool for Edge Neural Networks", ACM JATS 2024, and the short paper of 2023) give for them."""

import dataclasses
import pathlib

HERE = pathlib.Path(__file__).parent


@dataclasses.dataclass
class Network:
    name: str
    about: str                       # what is run, for the tables
    model: str
    samples: list                    # options that name the judged samples
    ranked_on: list                  # options that name the samples that rankings see: others
    loss: str
    score: list = dataclasses.field(default_factory=list)
    layers: str = "*"
    sampled: int = 0                 # faults of the oracle; 0: all
    without: tuple = ()              # metrics that would take too long
    also: tuple = ()                 # metrics that elsewhere would
    variant: list = dataclasses.field(default_factory=list)  # options that change the model as it is read
    published: dict = dataclasses.field(default_factory=dict)


def econt(size, data, inputs, rows, published):
    model = data / f"econt/{size}/autoencoder_{size}"
    samples = ["--inputs", str(inputs), "--targets", "inputs"]
    score = ["--score", "emd", "--emd-cost", str(data / "hgcal/hex_metric_48x48.csv"),
             "--emd-cells", str(HERE / "econt_cells.csv")]
    about = f"Rankings on 1,000 HGCAL rows, judged on {rows:,} others by the exact EMD."
    return Network(f"ECON-T {size.title()}", about, f"{model}.json:{model}.hdf5", samples + ["--skip", "1000", "--first", str(rows)],
                   samples + ["--first", "1000"], f"groups:{inputs.parent / 'groups.csv'}", score, "encoder/*", published=published)


def five_bits(data, inputs):
    """The short paper's setting: weights of 5 bits, 32 inputs, and the trace of the Hessian with each flip in place."""
    medium = econt("medium", data, inputs, 32, {"sensitive": 0.03})
    seen = [*medium.ranked_on[:-1], "32"]
    about = "The short paper's setting: weights rounded to 5 bits, rankings on 32 rows, judged on 32 others by the exact EMD."
    return dataclasses.replace(medium, name="ECON-T Medium, 5 bits", about=about, ranked_on=seen, also=("trace",),
                               variant=["--requantize", "encoder/*=fixed:5,2"])


def networks(data, inputs):
    """`inputs`: rows of HGCAL charges as 8 x 8, of which rankings see the first 1,000."""
    cifar = ["--inputs", str(data / "cifar10/test_batch_first1017.bin")]
    training = ["--inputs", str(data / "cifar10/data_batch_1_first1017.bin")]
    mnist = ["--inputs", str(data / "mnist/t10k-images-idx3-ubyte.gz"), "--labels", str(data / "mnist/t10k-labels-idx1-ubyte.gz")]
    unit = ["--scale", "1/255"]
    colours = unit + ["--mean", "0.4914,0.4822,0.4465", "--std", "0.2023,0.1994,0.2010"]
    seen, judged = ["--first", "256"], ["--skip", "1000", "--first", "256"]
    correct = ["--count-only-correct"]
    digits = "Mispredictions among 256 images of t10k that the golden run gets right; rankings on 256 others."
    return [
        econt("small", data, inputs, 2000, {"sensitive": 1.0}),
        econt("medium", data, inputs, 20000, {"sensitive": 0.635, "golden": 1.100, "rho_msb": 0.508, "rho_lsb": 0.098,
                                              "msb_share": 40.91 / 57.37, "top1_hessian": 0.18, "top1_binfi": 0.41,
                                              "binfi_flips": 6000, "binfi_missed": 676}),
        econt("large", data, inputs, 500, {"sensitive": 0.0655, "golden": 0.807}),
        five_bits(data, inputs),
        Network("CIFAR-10 CNN", "Mispredictions among the first 256 test images that the golden run gets right; rankings on 256 training images.",
                str(data / "cifar10_hls4ml/tiny2_model_best.h5"), cifar + unit + ["--first", "256"],
                training + unit + seen, "cross-entropy", correct, published={"sensitive": 0.8272}),
        Network("jet tagging", "QONNX; decisions on 256 samples of normal noise, since the data set is not at hand; rankings on 256 others.",
                str(data / "qonnx/qkeras_jettagging.onnx"), ["--inputs", str(inputs.parent / "normal16.npy"), *judged],
                ["--inputs", str(inputs.parent / "normal16.npy"), *seen], "cross-entropy", ["--score", "mispredict"]),
        Network("TFC_2W2A", f"Weights and activations of 2 bits. {digits}", str(data / "qonnx/TFC_2W2A.onnx"), mnist + unit + judged,
                mnist + unit + seen, "cross-entropy", correct),
        Network("mnist-8", f"float32. {digits}", str(data / "mnist/mnist-8.onnx"), mnist + judged, mnist + seen, "cross-entropy", correct),
        Network("ResNet-20", "float32. 2,000 random faults; mispredictions among 128 test images that the golden run gets right; rankings "
                "of all bits on 32 training images. `hessian`, as its code computes it, needs up to 4,000 products: not run.",
                str(data / "resnet_cifar10/resnet20.onnx"), cifar + colours + ["--first", "128"], training + colours + ["--first", "32"],
                "cross-entropy", correct, sampled=2000, without=("hessian-code",)),
    ]
