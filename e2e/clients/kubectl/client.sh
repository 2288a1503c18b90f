#!/usr/bin/env bash
# What the matrix has kubectl do; ../README.md says what each word means.
set -euo pipefail

# client-go offers HTTP/2 unless this is set.
[ "${HTTP_VERSION:-2}" = 2 ] || export DISABLE_HTTP2=1
# Only newer ones know it: before 1.29 exec is SPDY.
[ "${EXEC_OVER:-websocket}" = websocket ] && websockets=true || websockets=false
export KUBECTL_REMOTE_COMMAND_WEBSOCKETS=$websockets

is() {
    [ "$1" = "$2" ] || { printf 'expected `%s`, found `%s`\n' "$2" "$1" >&2; exit 1; }
}
value() {
    kubectl get configmap notes -o 'jsonpath={.data.a}'
}
set_to() {
    kubectl patch configmap notes --type merge -p "{\"data\":{\"a\":\"$1\"}}" >/dev/null
}

case $1 in
create)
    is "$(kubectl create configmap notes --from-literal=a=1 -o 'jsonpath={.data.a}')" 1
    ;;
list)
    is "$(kubectl get configmaps -o name | grep notes)" configmap/notes
    ;;
watch)
    set_to 2
    exec 3< <(exec timeout 20 kubectl get configmap notes --watch -o 'jsonpath={.data.a}{"\n"}')
    watching=$!
    while read -r a <&3 && [ "$a" != 3 ]; do
        is "$a" 2
        set_to 3
    done
    kill "$watching"
    is "$a" 3
    ;;
patch)
    set_to 4
    is "$(value)" 4
    ;;
logs)
    kubectl logs web | grep -q ready
    ;;
exec)
    errors=$(mktemp)
    trap 'rm -f "$errors"' EXIT
    status=0
    output=$(echo typed | kubectl exec -i web -- sh -c 'head -n 1; echo oops >&2; exit 3' 2>"$errors") || status=$?
    is "$output $status" "typed 3"
    is "$(grep -x oops "$errors")" oops
    ;;
delete)
    kubectl delete configmap notes >/dev/null
    [[ $(value 2>&1 || true) == *NotFound* ]]
    ;;
esac
