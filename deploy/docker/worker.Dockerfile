# The worker, and every other command: the core, the default model, OCR, a Triton client. No torch.
# Build from the repository's root: docker build -f deploy/docker/worker.Dockerfile -t streamproc-worker .
FROM python:3.12-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/streamproc
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY streamproc streamproc
COPY deploy/triton deploy/triton
COPY plugins/mner plugins/mner
COPY plugins/mner_tweets_sm plugins/mner_tweets_sm
RUN /opt/streamproc/bin/pip install -c constraints.txt .[ocr,triton] ./plugins/mner ./plugins/mner_tweets_sm \
    && /opt/streamproc/bin/pip uninstall --yes pip

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /nonexistent streamproc
COPY --from=build /opt/streamproc /opt/streamproc
ENV PATH=/opt/streamproc/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
ENTRYPOINT ["streamproc"]
CMD ["worker"]
