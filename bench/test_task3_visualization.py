"""Task 3 of the 2016 experiment: what networks and their data look like, and the claims behind the pictures.

DLCV04 (2016), slides 10 to 13: filters of the CIFAR-10 net's four convolutions and of VGG16's conv5_1, by 20 steps of
gradient ascent from grey noise; t-SNE of 2,500 MNIST images, coloured by class; a kitten with parts of it blacked out,
classified by VGG16 as it comes. Where in a picture the object stands is known of drawn buildings alone, so local
classification is judged on these whatever the data, by a small network trained here.

Measured at `standard` on real data (commit f4f519f, 2026-11-28, two busy cores of an Intel Xeon, TensorFlow 2.21): the
spectral entropy of a filter's picture is lower than a random net's by .95 nats [.73, 1.19] for the CIFAR-10 net (n =
40 filters) and .30 [.25, .36] for VGG16 (n = 16). Of the ten nearest neighbours in the t-SNE map .77 [.68, .88] more
share a class than with shuffled labels (n = 10 classes). A bar over a building lowers the probability of its class by
.17 [.12, .29] more than a bar beside it (n = 12 buildings).
"""

from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest
from gallery import gallery
from trunks import stored_weights

from dlcv04 import claim, planted, reference_everywhere
from dlcv04.lazy import LazyModule

if TYPE_CHECKING:
    import numpy as np

    from dlcv04 import datasets, weights
    from dlcv04.visualization import classifiers, embedding, occlusion
else:
    np = LazyModule("numpy")
    datasets = LazyModule("dlcv04.datasets")
    embedding = LazyModule("dlcv04.visualization.embedding")
    occlusion = LazyModule("dlcv04.visualization.occlusion")
    classifiers = LazyModule("dlcv04.visualization.classifiers")
    weights = LazyModule("dlcv04.weights")


def arm(description, compute):
    """A function of a seed, as the report shall call it."""
    compute.description = description
    return compute


# -- filters -----------------------------------------------------------------------------------------------------------

#: Nats of spectral entropy. Pictures of a random net's deep filters differ by 0.01; the margins are a quarter of what
#: pilots showed (seed 100; VGG16: 0.13, sd 0.05, of 16 filters; the CIFAR-10 net's conv3: 1.06, sd 0.56, of
#: 28 on CIFAR-10, 1.19, sd 0.67, of 29 on the stand-in; its other layers less than their sd).
PATTERN = 0.03
PATTERN_OF_SMALL = 0.25
OF_SMALL = 40  # of 64, 47 or more of which are alive; by pilot seeds 101 to 104 94 % beat the margin (stand-in)
SAME = 0.5  # grey levels: half of the smallest difference that a picture can show
SMOOTHER = 0.05  # cycles a pixel; white noise has 0.38
TRAINED_SMOOTHER = 0.01  # after standard's 8 epochs most filters are still near their random start
NATS = "spectral entropy in nats"

one_step_more = planted("one step more", lambda arm: partial(arm, steps_more=1), only="batched")
random_weights = planted("random weights", lambda arm: partial(arm, trained=False, draw=1), only="trained")


@pytest.fixture
def show(request, profile, progress):
    """The filters of this profile and data."""
    return gallery(profile, request.config.getoption("dl_data"), progress)


@claim(
    "The third convolution of the trained CIFAR-10 net looks for patterns, a random net's for noise",
    slide=10,
    published="conv1: plain colours, edges, fine stripes; conv4: curved patches; many filters of all layers stay noise",
    control=random_weights,
    judged_from="standard",
)
def test_filters_of_the_cifar_net_look_for_patterns(show, computed, claim, picture):
    """Over how many frequencies their pictures are spread, filter by filter that is not dead."""
    entropy = partial(show.entropy, layer="conv3", count=OF_SMALL)
    found = computed(trained=entropy, random=partial(entropy, trained=False))
    claim.higher(found.random, than=found.trained, by=PATTERN_OF_SMALL, over="filters", what=NATS)
    for layer in ("conv1", "conv2", "conv3", "conv4"):
        picture(
            f"Filters of {layer} of the CIFAR-10 net",
            show.grid(layer),
            caption=show.caption(layer),
            published="two rows of eight; what a filter did not answer to stayed grey noise (slide 10)",
        )


@claim(
    "VGG16's conv5_1 looks for patterns, that of random weights for noise",
    slide=11,
    published="curved strokes, meshes, eyes and feathers, each all over its picture, on grey",
    control=random_weights,
)
def test_filters_of_vgg16_look_for_patterns(show, computed, claim, picture):
    """As for the CIFAR-10 net."""
    source = stored_weights(claim)
    if source is None:
        return
    entropy = partial(show.entropy, layer="conv5_1", weights=source)
    found = computed(trained=entropy, random=partial(entropy, trained=False))
    claim.higher(found.random, than=found.trained, by=PATTERN, over="filters", what=NATS)
    picture(
        "Filters of VGG16's conv5_1",
        show.grid("conv5_1", source),
        caption=show.caption("conv5_1", source),
        published="a grid of four by eight: meshes, arcs, feathers, eyes, in faint colours on grey (slide 11)",
    )


@claim("A batch of filters gives the pictures that one filter at a time gives", slide=10, control=one_step_more)
def test_a_batch_gives_what_one_by_one_gives(show, computed, claim):
    """Each pixel, on a few filters of the third convolution."""
    found = computed(batched=show.pictures, one_by_one=partial(show.pictures, batch_size=1))
    claim.identical(found.batched, found.one_by_one, within=SAME, what="grey levels")


@claim(
    "Trained first-layer filters are smoother than random ones",
    slide=11,
    published="not on the slides: pictures of conv1 are plain colours and edges",
    control=random_weights,
)
def test_vgg16s_first_filters_are_smooth(show, computed, claim):
    """Mean spatial frequency of the power spectrum of conv1_1's kernels, paired with those of a random start."""
    source = stored_weights(claim)
    if source is None:
        return
    roughness = partial(show.roughness, layer="conv1_1", weights=source)
    found = computed(trained=roughness, random=partial(roughness, trained=False))
    claim.higher(found.random, than=found.trained, by=SMOOTHER, over="filters", what="cycles a pixel")


@claim(
    "The CIFAR-10 net's first filters grow smoother by training",
    slide=10,
    published="not on the slides: pictures of conv1 are plain colours and edges",
    control=random_weights,
    judged_from="paper",
)
def test_the_cifar_nets_first_filters_grow_smooth(show, computed, claim):
    """As for VGG16, after the recipe of Task 2."""
    roughness = partial(show.roughness, layer="conv1")
    found = computed(trained=roughness, random=partial(roughness, trained=False))
    claim.higher(found.random, than=found.trained, by=TRAINED_SMOOTHER, over="filters", what="cycles a pixel")


# -- t-SNE -------------------------------------------------------------------------------------------------------------

MAPPED = {"smoke": 1000, "standard": 2500, "paper": 2500}  # pictures; the 2016 experiment's 2,500 (slide 12)
PURER = 0.4  # half of the neighbours of one class, where chance gives a tenth
MORE_TRUSTWORTHY = 0.3  # 0.8 or more, where chance gives a half


@pytest.fixture(scope="session")
def mapped(dataset, request):
    """The pictures that a seed draws, and their map."""
    count = min(MAPPED[request.config.getoption("dl_profile")], len(dataset.x_train))

    @cache
    def draw(seed):
        chosen = dataset.subset(train=count, seed=seed)
        return chosen, embedding.tsne(chosen.x_train, seed)

    return draw


def show_map(mapped, picture, seed):
    """The picture of slide 12."""
    chosen, drawn = mapped(seed)
    names = chosen.class_names or [str(label) for label in range(chosen.classes)]
    picture(
        f"t-SNE map of {len(chosen.x_train):,} digits, a colour and a shape a class",
        embedding.draw(drawn, chosen.y_train, names),
        caption=f"KL divergence {drawn.kl_divergence:.2f}, perplexity {drawn.perplexity:g}, of {chosen.provenance}. "
        "Distances between crowds mean nothing.",
        published="ten crowds, one a class, some of them close or mixed (4 with 9, 3 with 5 and 8), of 2,500 images",
    )


@claim(
    "In a t-SNE map of digits neighbours are mostly of one class",
    slide=12,
    published="2,500 images lie in ten crowds, nearly one colour each",
    control=reference_everywhere("shuffled_labels"),
)
def test_neighbours_in_the_map_share_their_class(mapped, computed, dataset, picture, first_seed, claim):
    """The 10 nearest neighbours in the map, against the same map with its labels shuffled; paired by class."""

    def shares(seed):
        chosen, drawn = mapped(seed)
        return embedding.purity(drawn.points, chosen.y_train)

    def shuffled(seed):
        chosen, drawn = mapped(seed)
        return embedding.purity(drawn.points, np.random.RandomState([seed, 1]).permutation(chosen.y_train))

    values = computed(
        data=dataset, map=arm("t-SNE map", shares), shuffled_labels=arm("t-SNE map, labels shuffled", shuffled)
    )
    what = "share of the 10 nearest neighbours of the same class"
    classes = mapped(first_seed)[0].y_train.tolist()
    claim.higher(values.map, than=values.shuffled_labels, by=PURER, over="classes", what=what, clusters=classes)
    show_map(mapped, picture, first_seed)


@claim(
    "Neighbours in a t-SNE map were neighbours before: the map can be trusted",
    slide=12,
    published="similarities between pictures become probabilities; t-SNE makes their KL divergence small",
    control=reference_everywhere("random_map"),
)
def test_the_map_is_trustworthy(mapped, computed, dataset, first_seed, claim):
    """Trustworthiness of each picture's 10 neighbours, against the same points dealt at random; paired by class."""

    def trust(seed):
        chosen, drawn = mapped(seed)
        return embedding.trustworthiness(embedding.features(chosen.x_train), drawn.points)

    def random(seed):
        chosen, drawn = mapped(seed)
        dealt = np.random.RandomState([seed, 2]).permutation(drawn.points)
        return embedding.trustworthiness(embedding.features(chosen.x_train), dealt)

    values = computed(
        data=dataset, map=arm("t-SNE map", trust), random_map=arm("the same points, dealt at random", random)
    )
    classes = mapped(first_seed)[0].y_train.tolist()
    by, what = MORE_TRUSTWORTHY, "trustworthiness"
    claim.higher(values.map, than=values.random_map, by=by, over="classes", what=what, clusters=classes)


# -- local classification ----------------------------------------------------------------------------------------------

SIDES = {"smoke": 48, "standard": 48, "paper": 64}  # of the drawn buildings, in pixels; at 32 effects are too small
SMALLEST_BAR = 0.04  # of the picture's area: what has no more room beside its building is left out
BAR_LOWERS = 0.03  # of probability; half of the published 0.113 - 0.0493
OBJECT_KEEPS = 0.05  # of probability; a third of the published 0.25 - 0.113
SAME_PROBABILITY = 1e-4  # of probability: sums of float32 in another order
SLIDE_13 = "0.113 for the whole kitten, 0.0493 with a bar over half of it, 0.25 with its face alone"


@dataclass(frozen=True)
class Masked:
    """An arm: the probability of each whole picture's class when a box of it is masked.

    `keep` masks all but the box. `at_random` is the control's: boxes of the same size at places drawn by the seed.
    """

    description: str
    scene: Any
    boxes: str
    keep: bool = False
    at_random: bool = False

    def __call__(self, seed):
        """One probability a picture."""
        pictures, boxes = self.scene.pictures, getattr(self.scene, self.boxes)
        if self.at_random:
            random = np.random.RandomState([seed, crc32(self.description.encode())])  # apart from the other arm's
            boxes = occlusion.moved_at_random(boxes, *pictures.shape[1:3], random)
        variant = occlusion.masked(pictures, boxes, keep=self.keep)
        _, (_, found) = occlusion.of_whole_class(self.scene.classifier, pictures, [variant])
        return found


@dataclass(frozen=True, eq=False)
class Scene:
    """Pictures with a building each: where it stands, a bar over it and one beside it, and who classifies them."""

    classifier: Any
    data: Any
    pictures: Any
    labels: Any
    objects: Any
    bars_over: Any
    bars_beside: Any
    nothing: Any
    left_out: int

    @property
    def buildings(self):
        """The building of each picture: pictures of one are no independent units."""
        return [self.data.class_names[label] for label in self.labels]


def scene_of(classifier, data, boxes):
    """The validation pictures that have room for a bar beside their building."""
    height, width, _ = data.input_shape
    over, beside = occlusion.bars(boxes, height, width)
    room = occlusion.areas(over) >= SMALLEST_BAR * height * width
    return Scene(
        classifier,
        data,
        pictures=data.x_val[room],
        labels=data.y_val[room],
        objects=boxes[room],
        bars_over=over[room],
        bars_beside=beside[room],
        nothing=np.zeros_like(over[room]),
        left_out=int((~room).sum()),
    )


@pytest.fixture(scope="session")
def scene(request, workbench):
    """The drawn buildings, which know where they stand; trained on once, then kept on disk."""
    profile = request.config.getoption("dl_profile")
    data = datasets.load("terrassa", "embedded", size=SIDES[profile], unknown=False)
    return scene_of(classifiers.trained(data, profile), data, data.boxes_val)


def show_masks(scene, picture, published):
    """Three pictures that the network knows, as on slide 13, with a heat map each."""
    side = scene.pictures.shape[1]
    found, _ = occlusion.of_whole_class(scene.classifier, scene.pictures, [])
    known = np.flatnonzero(found == scene.labels)
    _, first = np.unique(scene.labels[known], return_index=True)  # of each building
    for number, at in enumerate(known[first[:: -(-len(first) // 3)]]):
        shown = occlusion.panels(scene.classifier, scene.pictures[at], scene.objects[at], side // 5, side // 16)
        caption = (
            f"The class of the whole picture by {scene.classifier.name}, and its probability. Heat map: dark red where "
            "a black patch lowers it most, blue where it raises it. "
            f"{scene.left_out} pictures without room for a bar were left out."
        )
        picture(
            f"{scene.data.name}, a picture of {scene.buildings[at]}: parts of it masked, and its heat map",
            occlusion.draw([shown[:3], shown[3:]]),
            caption="" if number else caption,
            published="" if number else published,
        )


random_boxes = planted("every box at a random place, of the same size", lambda one: replace(one, at_random=True))
random_kept_boxes = planted(
    "each arm keeps a box of the building's size at a random place", lambda one: replace(one, at_random=True, keep=True)
)


@claim(
    "A bar over a drawn building lowers the probability of its class more than an equal bar beside it",
    slide=13,
    published=SLIDE_13,
    control=random_boxes,
)
def test_a_bar_over_the_object_lowers_the_probability(scene, computed, picture, claim):
    """Paired over pictures, clustered by building."""
    values = computed(
        data=scene.data,
        bar_beside=Masked("bar beside the building", scene, "bars_beside"),
        bar_over=Masked("bar over the building", scene, "bars_over"),
    )
    claim.higher(
        values.bar_beside,
        than=values.bar_over,
        by=BAR_LOWERS,
        over="buildings",
        what="probability of the whole picture's class",
        clusters=scene.buildings,
    )
    show_masks(scene, picture, "a kitten, the same with a black bar over its left half, and its face alone on black")


@claim(
    "Of a drawn picture the building alone keeps more of the probability of its class than all the rest",
    slide=13,
    published=SLIDE_13,
    control=random_kept_boxes,
)
def test_the_object_alone_keeps_the_probability(scene, computed, claim):
    """Paired over pictures, clustered by building."""
    values = computed(
        data=scene.data,
        object_only=Masked("the building's box only", scene, "objects", keep=True),
        background_only=Masked("all but the building's box", scene, "objects"),
    )
    claim.higher(
        values.object_only,
        than=values.background_only,
        by=OBJECT_KEEPS,
        over="buildings",
        what="probability of the whole picture's class",
        clusters=scene.buildings,
    )


@dataclass(frozen=True)
class Slid:
    """An arm: the heat map of one picture, made `batch` masked copies at once."""

    scene: Any
    batch: int
    at: int = 0

    @property
    def description(self):
        """As the report calls it."""
        return f"heat map of picture {self.at}, {self.batch} masks at once"

    def __call__(self, seed):
        """Shape (rows, columns)."""
        classifier, chosen = replace(self.scene.classifier, batch_size=self.batch), self.scene.pictures[self.at]
        return occlusion.heat_map(classifier, chosen, patch=len(chosen) // 5, stride=3).probabilities


@claim(
    "A heat map made in batches is the one that is made mask by mask",
    control=planted("another picture", lambda one: replace(one, at=1), only="one_by_one"),
)
def test_a_heat_map_in_batches_is_the_one_mask_by_mask(scene, computed, claim):
    """The same probabilities, up to the order in which float32 numbers are added."""
    values = computed(data=scene.data, batched=Slid(scene, 32), one_by_one=Slid(scene, 1))
    claim.identical(values.batched, values.one_by_one, within=SAME_PROBABILITY, what="probabilities")


@claim(
    "Keeping only the middle of a photo raises the probability of its class, a bar over it lowers it (VGG16, ImageNet)",
    slide=13,
    published=SLIDE_13,
    control=reference_everywhere("whole"),
    judged_from="paper",
)
def test_only_the_object_raises_what_imagenets_vgg16_sees(request, workbench, computed, picture, claim):
    """Photos of buildings, whose region is not known: the middle stands for it. Clustered by building."""
    if request.config.getoption("dl_data") == "embedded":
        claim.lacks("ImageNet's classes are of photos, and the stand-in is drawn: run it with --dl-data auto or real.")
        return
    try:
        classifier = classifiers.imagenet()
        data = datasets.load("terrassa", "real", size=224, unknown=False)
    except (weights.WeightsError, datasets.DataError) as lack:
        claim.lacks(str(lack))
        return
    photos = scene_of(classifier, data, occlusion.central_boxes(len(data.x_val), 224, 224))
    values = computed(
        data=data,
        object_only=Masked("the middle only", photos, "objects", keep=True),
        whole=Masked("the whole photo", photos, "nothing"),
        bar_over=Masked("bar over the middle", photos, "bars_over"),
    )
    shared = {"over": "buildings", "what": "probability of the whole picture's class", "clusters": photos.buildings}
    claim.higher(values.object_only, than=values.whole, by=OBJECT_KEEPS, **shared)
    claim.higher(values.whole, than=values.bar_over, by=BAR_LOWERS, **shared)
    show_masks(photos, picture, SLIDE_13)
