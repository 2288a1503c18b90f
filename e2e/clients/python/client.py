"""What the matrix has the Python client do; ../README.md says what each word means.

It speaks HTTP/1.1 only (urllib3), and exec over WebSocket only: HTTP_VERSION and EXEC_OVER change
nothing.
"""

import os
import sys
import time

from kubernetes import client, config, watch
from kubernetes.stream import stream

NAME, NAMESPACE = "notes", "default"


def check(found, expected):
    if found != expected:
        sys.exit(f"expected {expected!r}, found {found!r}")


def set_to(core, value):
    return core.patch_namespaced_config_map(NAME, NAMESPACE, {"data": {"a": value}})


def create(core):
    notes = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=NAME), data={"a": "1"})
    check(core.create_namespaced_config_map(NAMESPACE, notes).data, {"a": "1"})


def list_(core):
    found = core.list_namespaced_config_map(NAMESPACE)
    check([item.data for item in found.items if item.metadata.name == NAME], [{"a": "1"}])


def watch_(core):
    before = core.list_namespaced_config_map(NAMESPACE).metadata.resource_version
    set_to(core, "2")
    seen = []
    watcher = watch.Watch()
    for event in watcher.stream(
        core.list_namespaced_config_map, NAMESPACE, resource_version=before, timeout_seconds=20
    ):
        seen.append((event["type"], event["object"].data["a"]))
        if len(seen) == 1:
            set_to(core, "3")
        else:
            watcher.stop()
    check(seen, [("MODIFIED", "2"), ("MODIFIED", "3")])


def patch(core):
    set_to(core, "4")
    check(core.read_namespaced_config_map(NAME, NAMESPACE).data, {"a": "4"})


def logs(core):
    check("ready" in core.read_namespaced_pod_log("web", NAMESPACE), True)


def exec_(core):
    program = stream(
        core.connect_get_namespaced_pod_exec,
        "web",
        NAMESPACE,
        command=["sh", "-c", "head -n 1; echo oops >&2; exit 3"],
        stdin=True,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )
    program.write_stdin("typed\n")
    program.run_forever(timeout=20)
    found = (program.read_stdout(), program.read_stderr(), program.returncode)
    check(found, ("typed\n", "oops\n", 3))


def idle(core):
    program = stream(
        core.connect_get_namespaced_pod_exec,
        "web",
        NAMESPACE,
        command=["cat"],
        stdin=True,
        stdout=True,
        _preload_content=False,
    )
    time.sleep(float(os.environ["IDLE_SECONDS"]))
    program.write_stdin("typed\n")
    check(program.readline_stdout(timeout=20), "typed")
    program.close()


def delete(core):
    core.delete_namespaced_config_map(NAME, NAMESPACE)
    try:
        core.read_namespaced_config_map(NAME, NAMESPACE)
    except client.ApiException as error:
        check(error.status, 404)
    else:
        sys.exit("it is still there")


config.load_kube_config()
words = {
    "create": create,
    "list": list_,
    "watch": watch_,
    "patch": patch,
    "logs": logs,
    "exec": exec_,
    "idle": idle,
    "delete": delete,
}
words[sys.argv[1]](client.CoreV1Api())
