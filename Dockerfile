# Guichet itself. It needs a Docker engine somewhere else (GUICHET_DOCKER_HOSTS) whose hosts hold the runtimes' images;
# the engine's socket of the machine that runs this container will do for a trial.

FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /src
# The page's Node comes from PyPI.
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv
COPY . .
RUN scripts/build.sh

FROM docker.io/library/debian:bookworm-slim AS service
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 guichet \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin guichet \
    && install -d -o guichet -g guichet -m 700 /data
COPY --from=build /src/target/release/guichet /src/target/release/guichet-agent /usr/local/bin/
COPY runtimes /usr/local/bin/runtimes
COPY scripts/container.sh /usr/local/bin/container.sh
ENV GUICHET_LISTEN=0.0.0.0:8080 GUICHET_DATA_DIR=/data
WORKDIR /data
VOLUME /data
EXPOSE 8080
# The program's own commands: `docker run IMAGE --help` works too.
ENTRYPOINT ["/usr/local/bin/container.sh"]
CMD ["serve"]

# What makes the languages' images: `docker build --target images .`
FROM service AS images
RUN apt-get update \
    && apt-get install -y --no-install-recommends mmdebstrap debian-archive-keyring \
    && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["guichet"]
CMD ["runtime", "build", "c", "python"]

FROM service
