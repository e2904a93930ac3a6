# syncd as an image: built from the hashed lock, run by a user of its own on a read-only file system.

FROM python:3.11-slim-bookworm AS wheel
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/build && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY syncd ./syncd
COPY adapters ./adapters
COPY config/templates ./config/templates
COPY config/escalation ./config/escalation
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.11-slim-bookworm AS venv
COPY requirements-run.lock /
RUN python -m venv /opt/syncd && /opt/syncd/bin/pip install --no-cache-dir --require-hashes -r /requirements-run.lock
COPY --from=wheel /wheels /wheels
RUN /opt/syncd/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 syncd \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/syncd --shell /usr/sbin/nologin syncd \
    && install -d -m 0700 -o syncd -g syncd /var/lib/syncd /run/syncd
COPY --from=venv /opt/syncd /opt/syncd
COPY config/syncd.example.toml /etc/syncd/syncd.toml
ENV PATH=/opt/syncd/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    SYNCD_CONFIG=/etc/syncd/syncd.toml \
    SYNCD_DAEMON__DATA_DIR=/var/lib/syncd \
    SYNCD_DAEMON__SOCKET=/run/syncd/syncd.sock \
    SYNCD_HTTP__LISTEN=0.0.0.0:8377
USER 10001:10001
VOLUME /var/lib/syncd
EXPOSE 8377
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=90s --retries=3 CMD ["syncd", "healthcheck"]
ENTRYPOINT ["syncd"]
CMD ["run"]
