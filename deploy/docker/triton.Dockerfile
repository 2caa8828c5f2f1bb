# The server that looks at pictures: tritonserver with its Python backend, and the networks (torch).
# Build from the repository's root: docker build -f deploy/docker/triton.Dockerfile -t streamproc-triton .
# Weights are not in it: mount a hub cache at /weights (see docs/pictures.md).
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv --copies /opt/streamproc
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY streamproc streamproc
COPY deploy/triton deploy/triton
COPY plugins/mner plugins/mner
COPY plugins/vision plugins/vision
# Only the server's files are used of nvidia-pytriton, not what it would install beside them.
RUN /opt/streamproc/bin/pip install -c constraints.txt .[ocr,triton] ./plugins/mner[train] ./plugins/vision \
    && /opt/streamproc/bin/pip install --no-deps nvidia-pytriton==0.7.0 \
    && /opt/streamproc/bin/pip uninstall --yes pip

FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends tesseract-ocr \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /nonexistent streamproc
COPY --from=build /opt/streamproc /opt/streamproc
ENV PATH=/opt/streamproc/bin:$PATH PYTHONUNBUFFERED=1 HF_HOME=/weights HF_HUB_OFFLINE=1
USER 10001
EXPOSE 8000 8001 8002
ENTRYPOINT ["streamproc", "triton", "serve", "--host", "0.0.0.0"]
