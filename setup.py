from setuptools import find_packages, setup

SHIPPED = [
    f"inversenet_tf.{folder}"
    for folder in (
        "configs.inversenet",
        "configs.blind_gan",
        "tools",
        "tools.benchmarks",
        "tools.pytorch_baselines",
        "tools.endurance",
    )
]

setup(
    name="inversenet-tf",
    version="0.1.0",
    description="Imaging inverse problems with InverseNet and blind GAN inversion, in Keras",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=[
        *find_packages(include=["inversenet_tf*", "blind_gan_tf*"]),
        # The programs and the experiments are installed inside the package, see shipped.py.
        *SHIPPED,
    ],
    package_data={"inversenet_tf": ["presets/*/*"]},
    package_dir={name: name.removeprefix("inversenet_tf.").replace(".", "/") for name in SHIPPED},
    entry_points={"console_scripts": ["inversenet = inversenet_tf.command:main"]},
    # The lowest versions are those of tests/lowest_versions.txt, which `make lowest` tries.
    install_requires=[
        "absl-py>=2.1",
        'array_record>=0.5.1; platform_system != "Windows"',  # for prepared sets
        "dacite>=1.8",
        # Of tensorflow-datasets. 1.14 needs Python 3.11; where an index does not tell that, pip
        # finds it out late, and goes back through the releases of everything else.
        'etils>=1.6,<1.14; python_version < "3.11"',
        'etils>=1.9.1; python_version >= "3.11"',
        "h5py>=3.11",
        "importlib_resources>=6.1",  # tensorflow-datasets uses it without asking for it
        # Below 3.10 the layers of a functional model have another order in bfloat16, by which
        # checkpoints know them. Private names are in use: of its functional models, of its
        # optimizers, and the module that TensorFlow imports of it.
        "keras>=3.10,<3.16",
        "matplotlib>=3.9",
        "ml_collections>=1.0",
        "numpy>=2.0",
        "pillow>=11.3",
        "psutil>=5.9.6",
        "scikit-image>=0.24",
        "PyWavelets>=1.7",  # by which scikit-image estimates noise
        "scikit-learn>=1.5",
        "scipy>=1.13",
        "tensorboard>=2.18",
        "tensorflow>=2.18",
        "tensorflow-datasets>=4.9.7",
        "tensorflow-metadata>=1.16",  # without it, pip goes back through all releases of it
        "threadpoolctl>=3.5",
        "tifffile>=2025.5.10",
        "tqdm>=4.66",
    ],
    extras_require={
        "app": ["gradio>=6"],
        "heif": ["pillow-heif"],
        "tiff": ["imagecodecs"],  # for TIFFs of 16 bits with compressions other than deflate
        "onnx": ["onnx>=1.23", "onnxruntime>=1.32", "tf2onnx>=1.17"],
        # The version that was tried; it keeps Protobuf below 7, which TensorFlow takes, too.
        "beam": ["apache-beam>=2.77"],
        "gpu": ["tensorflow[and-cuda]"],
        "serving": [
            "grpcio>=1.62",
            "requests>=2.31",
            "tenacity>=9",
            "tensorflow-serving-api>=2.18",
            "urllib3>=2.2",
        ],
        "dev": ["pytest>=8", "pytest-xdist>=3.8", "ruff"],
        # From 0.5 on deepinv has its Wiener filter.
        "bench": ["deepinv>=0.5", "torch"],
        "docs": ["mkdocs<2", "mkdocs-material", "mkdocstrings[python]"],
    },
)
