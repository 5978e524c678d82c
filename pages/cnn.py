"""CNN: what a convolutional network makes of a picture, layer by layer; trained, judged, explained, transferred."""

from components import lesson, transport
from components.cnn import evaluate, explain, inside, train, transfer
from models import cnn
from models.core import device
from models.training.changes import LIVE

TOPIC = transport.Topic[cnn.Spec]("cnn", "models.cnn", live=(*LIVE, "epochs"))

lesson.page(
    TOPIC.page,
    "CNN",
    "What does each layer make of a picture? Draw a digit and see the network decide.",
)
VIEWS = {
    "Look inside": lambda: inside.show(TOPIC),
    "Build and train": lambda: train.show(TOPIC),
    "Evaluate": lambda: evaluate.show(TOPIC),
    "Explain": lambda: explain.show(TOPIC),
    "Transfer": lambda: transfer.show(TOPIC),
}
view = lesson.views("cnn", tuple(VIEWS), "What to do")
with device.one_thread():
    VIEWS[view]()
lesson.footer()
