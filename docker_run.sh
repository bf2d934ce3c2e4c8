#!/usr/bin/env bash
# Builds and starts one service in a container of its own; docker-compose.yml starts them all together.
#
#   ./docker_run.sh daemon              classifyd with its bundled model; inbox ./data/inbox, port 5000
#   ./docker_run.sh tensorflow-serving  fetches the official model, then serves it on ports 8500 and 8501
#   ./docker_run.sh kafka               one broker on localhost:9092
#   ./docker_run.sh stop                stops and removes all three; what they stored stays
#
# Services find one another by these names on the network "classifyd". A daemon that is to use the others
# reads their addresses from .env, which all its settings may stand in:
#   CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS=kafka:19092
#   CLASSIFYD_MODELS__RESNET__URL=http://tensorflow-serving:8501
#   CLASSIFYD_MODELS__RESNET__LABELS=/models/resnet50_v2_tfserving/labels.txt
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

ENGINE=${ENGINE:-docker}
NETWORK=classifyd

usage() { sed -n '2,/^set /{s/^# \{0,1\}//;/^set /!p;}' "$0"; }

start() { # NAME ARGUMENT...
  local name=$1
  shift
  "$ENGINE" network inspect "$NETWORK" >/dev/null 2>&1 || "$ENGINE" network create "$NETWORK" >/dev/null
  remove "$name"
  "$ENGINE" run --detach --name "classifyd-$name" --network "$NETWORK" --network-alias "$name" \
    --restart unless-stopped "$@" >/dev/null
  echo "$name is started; its log: $ENGINE logs --follow classifyd-$name"
}

remove() { # NAME
  "$ENGINE" stop "classifyd-$1" >/dev/null 2>&1 || true
  "$ENGINE" rm "classifyd-$1" >/dev/null 2>&1 || true
}

build_daemon() { "$ENGINE" build --file Dockerfile-daemon --target daemon --tag classifyd-daemon .; }

daemon() {
  local settings=(--env-file config/containers.env)
  [ ! -f .env ] || settings=(--env-file .env "${settings[@]}")
  build_daemon
  mkdir -p data/inbox
  start daemon "${settings[@]}" --user "$(id -u):$(id -g)" --stop-timeout 45 \
    --cap-drop ALL --security-opt no-new-privileges --read-only --tmpfs /tmp \
    --publish 127.0.0.1:5000:5000 --volume "$PWD/data:/data" \
    --volume classifyd-database:/var/lib/classifyd --volume classifyd-models:/models:ro \
    classifyd-daemon
}

tensorflow_serving() {
  build_daemon
  "$ENGINE" run --rm --volume classifyd-models:/models \
    --env HTTP_PROXY --env HTTPS_PROXY --env NO_PROXY --env http_proxy --env https_proxy --env no_proxy \
    classifyd-daemon classifyd models pull resnet50_v2_tfserving --into /models
  "$ENGINE" build --file Dockerfile-TF --platform linux/amd64 --tag classifyd-tensorflow-serving .
  start tensorflow-serving --platform linux/amd64 \
    --publish 127.0.0.1:8500:8500 --publish 127.0.0.1:8501:8501 --volume classifyd-models:/models:ro \
    classifyd-tensorflow-serving
}

kafka() {
  start kafka --env-file config/kafka/broker.env --env KAFKA_AUTO_CREATE_TOPICS_ENABLE=true \
    --publish 127.0.0.1:9092:9092 --volume classifyd-kafka:/var/lib/kafka/data \
    apache/kafka:4.1.0
}

stop() {
  local name
  for name in daemon tensorflow-serving kafka; do
    remove "$name"
  done
}

case ${1:-} in
  daemon) daemon ;;
  tensorflow-serving) tensorflow_serving ;;
  kafka) kafka ;;
  stop) stop ;;
  *)
    usage
    exit 2
    ;;
esac
