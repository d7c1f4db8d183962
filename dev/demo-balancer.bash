# shellcheck shell=bash
# The demo PKI and a load balancer before one build of `respond`, for scripts that source this file. It reads `target`, the
# folder of cargo, and ends with the script.

target=${target:?the folder of cargo}
work=$(mktemp -d)
pki=$work/pki
log=$work/log
balancer=
finish() {
    [[ -z $balancer ]] || { kill "$balancer" 2>/dev/null && wait "$balancer"; } || true
    rm -rf "$work"
}
trap finish EXIT

fail() {
    cat "$log"
    echo "$1"
    exit 1
}

# start FUNCTION [OPTION...]: FUNCTION is a program, the options are those of `alb-mtls local`.
start() {
    "$target/debug/alb-mtls" pki init --dir "$pki" >/dev/null
    "$target/debug/alb-mtls" local --listen 127.0.0.1:0 \
        --server-certificate "$pki/server.pem" --server-key "$pki/server.key" \
        --function "respond=$1" --env "MTLS_ANCHORS=file:$pki/anchors.pem" \
        --env "MTLS_INTERMEDIATES=file:$pki/issuing-ca.pem" "${@:2}" >"$log" 2>&1 &
    balancer=$!
    until address >/dev/null; do
        kill -0 "$balancer" || fail "the load balancer did not start"
        sleep 0.2
    done
}

address() { grep -oE -m 1 'https://(localhost|127\.0\.0\.1):[0-9]+' "$log"; }

# expect STATUS [CLIENT]: sends a request, with the certificate of a client of the demo PKI.
expect() {
    local status client=()
    [[ -z ${2:-} ]] || client=(--cert "$pki/$2.pem" --key "$pki/$2.key")
    status=$(curl --silent --show-error --cacert "$pki/server-ca.pem" --output /dev/null --write-out '%{http_code}' \
        --max-time 60 "${client[@]}" "$(address)/")
    [[ $status == "$1" ]] || fail "${2:-no certificate}: $status in place of $1"
}
