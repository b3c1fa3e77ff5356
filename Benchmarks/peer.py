"""One of Resin's peers, timed in a process of its own: started by measure.py, which speaks to it in JSON lines.

    python3 peer.py PEER MODE NETWORK CHANNELS SIDE BATCH THREADS

PEER is one of TRAINING or INFERENCE below; MODE train or infer. Takes two steps to warm up and prints when the first was
done; then, for each number of seconds that it reads, it takes steps for so long, at least three, and prints images a
second of the median step. A training step is forward, backward and SGD with momentum 0.9; an inference step is the forward pass in
the network's prediction form. All in float32; the images lie in memory already.
"""

import json
import os
import pathlib
import resource
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.append(str(pathlib.Path(__file__).parents[1] / "Tests/Networks/Goldens"))

CLASSES = 10


def make_network(name, channels, side):
    """The zoo's network with ten classes, what `resin bench` times: with the book's dropout and one channel, or torchvision's
    with three."""
    import networks

    if channels == 3:
        import torchvision

        # Auxiliary heads are no part of what is compared.
        more = {"aux_logits": False, "init_weights": True} if name in ["googlenet", "inception_v3"] else {}
        return getattr(torchvision.models, name)(num_classes=CLASSES, **more)

    makers = {
        "nin": lambda: networks.nin(1, dropout=0.5),
        "resnet18": lambda: networks.book_resnet(1, (2, 2, 2, 2)),
        "googlenet": lambda: networks.googlenet(1),
        "densenet": lambda: networks.densenet(1),
        "vgg11": lambda: networks.vgg(1, (1, 1, 2, 2, 2), side, dropout=0.5),
        "residual-mnist": lambda: networks.ResidualMNIST("identity"),
        "inception-mnist": lambda: networks.InceptionMNIST(),
        "lenet": lambda: networks.lenet(1),
    }
    return makers[name]()


class Setting:
    """A network with a batch of noise."""

    def __init__(self, network, channels, side, batch, threads):
        import torch

        torch.manual_seed(0)
        torch.set_num_threads(threads)
        self.threads = threads
        self.network = make_network(network, channels, side)
        self.images = torch.randn(batch, channels, side, side)
        self.labels = torch.randint(0, CLASSES, (batch,))
        self.parameters = sum(parameter.numel() for parameter in self.network.parameters())

    def laid_out(self, is_channels_last):
        import torch

        layout = torch.channels_last if is_channels_last else torch.contiguous_format
        self.network = self.network.to(memory_format=layout)
        self.images = self.images.contiguous(memory_format=layout)


def torch_training(setting, is_channels_last, compiles=False):
    import torch

    setting.laid_out(is_channels_last)
    network, images, labels = setting.network, setting.images, setting.labels
    # The fused form is the fastest that PyTorch has on a CPU.
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9, fused=True)
    forward = torch.compile(network) if compiles else network

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(forward(images), labels).backward()
        optimizer.step()

    return step


def torch_inference(setting, is_channels_last, compiles=False):
    """Batch norm is folded into the convolutions; `compiles` with constant weights besides."""
    import torch
    import torch._inductor.config
    from torch.fx.experimental import optimization

    setting.network = optimization.fuse(setting.network.eval())
    setting.laid_out(is_channels_last)
    forward, images = setting.network, setting.images
    if compiles:
        torch._inductor.config.freezing = True
        forward = torch.compile(forward)

    def step():
        with torch.inference_mode():
            forward(images)

    return step


def export(setting, folder):
    """The network as ONNX, for the runtimes that read it."""
    import torch

    path = os.path.join(folder, "network.onnx")
    torch.onnx.export(
        setting.network.eval(), (setting.images,), path, input_names=["images"], output_names=["logits"], dynamo=True,
        verbose=False)  # fmt: skip
    return path


def onnx_runtime(setting):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = setting.threads, 1
    with tempfile.TemporaryDirectory() as folder:
        session = onnxruntime.InferenceSession(
            export(setting, folder), options, providers=["CPUExecutionProvider"])
    feed = {"images": setting.images.numpy()}
    return lambda: session.run(None, feed)


def openvino(setting):
    import openvino

    # Float32: by itself it would take bfloat16 where the processor has it.
    settings = {
        "INFERENCE_NUM_THREADS": setting.threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY"}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        model = openvino.Core().compile_model(export(setting, folder), "CPU", settings)
    request, feed = model.create_infer_request(), {"images": setting.images.numpy()}
    return lambda: request.infer(feed)


TRAINING = {
    "NCHW": lambda setting: torch_training(setting, False),
    "channels_last": lambda setting: torch_training(setting, True),
    "compiled NCHW": lambda setting: torch_training(setting, False, compiles=True),
    "compiled channels_last": lambda setting: torch_training(setting, True, compiles=True),
}
INFERENCE = {
    "NCHW": lambda setting: torch_inference(setting, False),
    "channels_last": lambda setting: torch_inference(setting, True),
    "compiled NCHW": lambda setting: torch_inference(setting, False, compiles=True),
    "compiled channels_last": lambda setting: torch_inference(setting, True, compiles=True),
    "ONNX Runtime": onnx_runtime,
    "OpenVINO": openvino,
}


def peak_byte_count():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(step, batch, seconds):
    """At least three steps, so that there is a median, and at least so many seconds."""
    times = []
    start = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        step()
        times.append(time.perf_counter() - before)
    return {"images_per_second": batch / statistics.median(times), "steps": len(times), "peak_bytes": peak_byte_count()}


def main():
    # Libraries print what they like; the answers go where standard output went.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    peer, mode, network, channels, side, batch, threads = sys.argv[1:]
    setting = Setting(network, *map(int, [channels, side, batch, threads]))
    step = {"train": TRAINING, "infer": INFERENCE}[mode][peer](setting)
    step()
    # The parent's clock when it started this process: it is one clock for all processes.
    first_step = time.monotonic() - float(os.environ["RESIN_PEER_STARTED"])
    step()
    print(json.dumps({"parameters": setting.parameters, "first_step_seconds": first_step}), file=answers)
    for line in sys.stdin:
        print(json.dumps(run(step, int(batch), float(line))), file=answers)


if __name__ == "__main__":
    main()
