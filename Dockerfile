# Countersign's gateway. No model weights inside: mount a folder and run `countersign models pull` once.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/bootstrap.lock requirements/build.lock requirements/run.lock requirements/
RUN python -m venv /opt/countersign \
 && /opt/countersign/bin/pip install --no-cache-dir --require-hashes -r requirements/bootstrap.lock
# GGML_NATIVE=OFF: the image runs on other machines than the one that built it; on x86-64 they need AVX2.
RUN /opt/countersign/bin/uv pip sync --python /opt/countersign/bin/python --require-hashes -b requirements/build.lock \
    --config-settings-package llama-cpp-python:cmake.define.GGML_NATIVE=OFF requirements/run.lock
COPY pyproject.toml README.md ./
COPY gateway gateway
COPY smart_app smart_app
COPY fhir_profiles fhir_profiles
RUN /opt/countersign/bin/uv pip install --python /opt/countersign/bin/python --no-deps -b requirements/build.lock .

FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home --shell /usr/sbin/nologin countersign \
 && install -d -o countersign -g countersign -m 0700 /var/lib/countersign /var/lib/countersign/models
COPY --from=build /opt/countersign /opt/countersign
COPY config /etc/countersign
USER countersign
ENV PATH=/opt/countersign/bin:$PATH \
    COUNTERSIGN_CONFIG_DIR=/etc/countersign \
    COUNTERSIGN_STATE_DIR=/var/lib/countersign \
    COUNTERSIGN_MODELS_DIR=/var/lib/countersign/models \
    COUNTERSIGN_HOST=0.0.0.0 \
    COUNTERSIGN_PORT=8000
EXPOSE 8000
VOLUME /var/lib/countersign
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:8000/health', timeout=4)"]
CMD ["countersign", "serve"]
