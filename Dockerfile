# Everything that `inversenet` does, training first: see docs/serving.md for how it is run.
FROM python:3.11-slim
WORKDIR /project
COPY setup.py pyproject.toml README.md LICENSE ./
COPY inversenet_tf inversenet_tf
COPY blind_gan_tf blind_gan_tf
COPY configs configs
COPY tools tools
RUN pip install --no-cache-dir ".[app,serving]"
# Results belong to whoever runs the container, who has no home in it.
ENV HOME=/tmp
WORKDIR /work
ENTRYPOINT ["inversenet"]
CMD ["--help"]
