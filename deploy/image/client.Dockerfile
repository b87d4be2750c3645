# The command `histoserve` alone, to analyse slides with servers elsewhere:
#   docker build --file deploy/image/client.Dockerfile --build-arg PYTHON=<an image of Python 3.12, slim>@sha256:… .
ARG PYTHON
FROM ${PYTHON}

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
RUN pip install --no-cache-dir --constraint constraints.txt .

WORKDIR /out
USER 1000:1000
ENTRYPOINT ["histoserve"]
