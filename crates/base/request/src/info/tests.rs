//! One case an edge; the recorded cases of kube-apiserver are run by `testing/conformance`.

use super::*;

fn shown(method: &str, target: &str) -> String {
    match RequestInfo::parse(method, target) {
        Ok(info) if info.is_resource_request() => format!(
            "{} {}/{} ns={} {}/{} name={} parts={}",
            info.verb(),
            info.api_group(),
            info.api_version(),
            info.namespace(),
            info.resource(),
            info.subresource(),
            info.name(),
            info.parts().collect::<Vec<_>>().join("|"),
        ),
        Ok(info) => format!("{} {}", info.verb(), info.path()),
        Err(RequestInfoError::NoKind { info, .. }) => format!("500 {} {}", info.verb(), info.path()),
        Err(RequestInfoError::Rejected(_)) => "400".to_owned(),
    }
}

#[test]
fn reads_paths_as_kube_apiserver_does() {
    fn check(line: &str, expected: &str) {
        let (method, target) = line.split_once(' ').unwrap();
        assert_eq!(shown(method, target), expected, "{line}");
    }
    check("GET /api/v1/namespaces/d/pods/x/log", "get /v1 ns=d pods/log name=x parts=pods|x|log");
    check("GET /apis/apps/v1/deployments", "list apps/v1 ns= deployments/ name= parts=deployments");
    check("HEAD /api/v1/namespaces//pods", "list /v1 ns= pods/ name= parts=pods");
    check(
        "PUT /api/v1/namespaces/d/finalize",
        "update /v1 ns=d namespaces/finalize name=d parts=namespaces|d|finalize",
    );
    check("GET /api/v1/namespaces/../secrets", "list /v1 ns=.. secrets/ name= parts=secrets");
    check("GET /api%2fv1%2fpods/", "list /v1 ns= pods/ name= parts=pods");
    check("GET //api/v1//x", "get /v1 ns= / name=x parts=|x");
    check("POST /api/v1/watch/pods", "watch /v1 ns= pods/ name= parts=pods");
    check("GET /api/v1/proxy/nodes/n/x", "proxy /v1 ns= nodes/ name=n parts=nodes|n|x");
    check("FOO /api/v1/pods", " /v1 ns= pods/ name= parts=pods");
    check("get /api/v1/pods", " /v1 ns= pods/ name= parts=pods");
    check("DELETE /api/v1/namespaces/d/pods", "deletecollection /v1 ns=d pods/ name= parts=pods");
    check("GET /apis/apps/v1", "get /apis/apps/v1");
    check("PURGE /", "purge /");
    check("GET ///", "get ///");
    check("GET /api/v1/watch/", "500 get /api/v1/watch/");
    check("GET /api/v1/%zz", "400");
    check("GET /api/v1/pods?watch=%zz", "list /v1 ns= pods/ name= parts=pods");
}

#[test]
fn reads_list_options_as_kube_apiserver_does() {
    fn check(query: &str, verb: &str, name: &str) {
        let info = RequestInfo::parse("GET", &format!("/api/v1/pods?{query}")).unwrap();
        assert_eq!((info.verb(), info.name()), (verb, name), "{query}");
    }
    check("watch", "watch", "");
    check("watch=FALSE&watch=1", "list", "");
    check("watch=fal%C5%BFe", "list", "");
    check("watch=fal%C5%BFe&limit=x", "watch", "");
    check("fieldSelector=metadata.name%3Dx", "list", "x");
    check("fieldSelector=metadata.name=x&limit=", "list", "");
    check("fieldSelector=metadata.name=x&limit=1&timeoutSeconds=1.5&watch=1", "watch", "");
    check("fieldSelector=metadata.name=x&labelSelector=!!", "list", "");
    check("fieldSelector=metadata.name=..", "list", "");
}

#[test]
fn selectors_belong_to_collections_only() {
    fn check(line: &str, expected: bool) {
        let (method, target) = line.split_once(' ').unwrap();
        let info =
            RequestInfo::parse(method, &format!("{target}?labelSelector=a&fieldSelector=b=c")).unwrap();
        assert_eq!(
            !info.label_selector().is_empty() && !info.field_selector().is_empty(),
            expected,
            "{line}"
        );
        assert_eq!(info.selectors() != &Selectors::NONE, expected, "{line}");
    }
    check("GET /api/v1/pods", true);
    check("DELETE /api/v1/pods", true);
    check("GET /api/v1/pods/x", false);
    check("GET /api/v1/watch/pods", false);
    check("POST /api/v1/pods", false);
    check("GET /healthz", false);
}

#[test]
fn long_running_is_kubernetes_own_list() {
    fn check(line: &str, expected: bool) {
        let (method, target) = line.split_once(' ').unwrap();
        assert_eq!(RequestInfo::parse(method, target).unwrap().is_long_running(), expected, "{line}");
    }
    check("GET /api/v1/pods?watch", true);
    check("GET /api/v1/watch/pods", true);
    check("POST /api/v1/namespaces/d/pods/x/exec", true);
    check("GET /api/v1/namespaces/d/services/x/proxy/y", true);
    check("GET /debug/pprof/profile", true);
    check("GET /api/v1/pods", false);
    check("GET /api/v1/namespaces/d/pods/x/status", false);
    check("GET /exec/exec/exec", false);
}
