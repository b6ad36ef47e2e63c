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
    install_requires=[
        "absl-py",
        'array_record; platform_system != "Windows"',  # for prepared sets; not made for Windows
        "dacite",
        "h5py",
        "importlib_resources",  # tensorflow-datasets uses it without asking for it
        "keras>=3.8",
        "matplotlib",
        "ml_collections>=1.0",
        "numpy",
        "pillow>=10.1",
        "psutil",
        "scikit-image>=0.22",
        "PyWavelets>=1.4",  # by which scikit-image estimates noise
        "scikit-learn",
        "scipy",
        "tensorboard",
        "tensorflow>=2.18",
        "tensorflow-datasets",
        "threadpoolctl",
        "tifffile",
        "tqdm",
    ],
    extras_require={
        "app": ["gradio>=6"],
        "heif": ["pillow-heif"],
        "tiff": ["imagecodecs"],  # for TIFFs of 16 bits with compressions other than deflate
        "gpu": ["tensorflow[and-cuda]"],
        "serving": ["grpcio", "requests", "tenacity>=9", "tensorflow-serving-api"],
        "dev": ["pytest", "pytest-xdist>=3.7", "ruff"],
        "bench": ["deepinv", "torch"],
        "docs": ["mkdocs<2", "mkdocs-material", "mkdocstrings[python]"],
    },
)
