# Builds TensorRT's plans of the models, in the chart's Job. From the checkout, of the same release as the servers:
#   docker build --file deploy/image/engines.Dockerfile --build-arg TENSORRT=<NVIDIA's TensorRT image, 26.09-py3>@sha256:… .
ARG TENSORRT
FROM ${TENSORRT}

WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
COPY benchmark benchmark
COPY client client
COPY deploy deploy
COPY ensemble ensemble
COPY export export
COPY model_repository model_repository
COPY phantom phantom
RUN pip install --no-cache-dir --break-system-packages --constraint constraints.txt '.[engines]' \
  && cp -R model_repository /models

WORKDIR /
USER 1000:1000
CMD ["python3", "-I", "-m", "histoserve.export.plan", "--repository=/models", "--out=/engines/models"]
