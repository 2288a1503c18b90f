use super::*;
use crate::registry;

/// A length-delimited field.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = varint_of(u64::from(number) << 3 | 2);
    out.extend(varint_of(content.len() as u64));
    out.extend(content);
    out
}

fn number(field: u8, value: u64) -> Vec<u8> {
    let mut out = varint_of(u64::from(field) << 3);
    out.extend(varint_of(value));
    out
}

fn varint_of(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let meta = [bytes(1, api_version.as_bytes()), bytes(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), bytes(1, &meta), bytes(2, raw), bytes(3, b""), bytes(4, b"")].concat()
}

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn check(kind: &str, raw: Vec<u8>, expected: Value) {
    let kind = registry::all().find(|k| k.kind == kind).unwrap();
    let mut object = decode_protobuf(kind.schema, kind.kind, &envelope("v", kind.kind, &raw)).unwrap();
    let map = object.as_object_mut().unwrap();
    assert_eq!((map.remove("apiVersion"), map.remove("kind")), (Some(json!("v")), Some(json!(kind.kind))));
    assert_eq!(object, expected);
}

#[test]
fn maps_bytes_and_zeros() {
    let metadata = [
        bytes(1, b"s"),
        bytes(2, b""),
        bytes(8, b""),
        bytes(11, &[bytes(1, b"a"), bytes(2, b"b")].concat()),
        number(7, 0),
    ]
    .concat();
    let data = [bytes(1, b"k"), bytes(2, &[0, 255])].concat();
    check(
        "Secret",
        [bytes(1, &metadata), bytes(2, &data), bytes(3, b"Opaque"), number(5, 0)].concat(),
        json!({"metadata": {"name": "s", "labels": {"a": "b"}}, "data": {"k": "AP8="}, "type": "Opaque", "immutable": false}),
    );
}

#[test]
fn structs_inside_structs_and_in_their_place() {
    let quantity = bytes(1, b"100m");
    let limits = bytes(1, &[bytes(1, b"cpu"), bytes(2, &quantity)].concat());
    let http_get =
        [bytes(1, b"/x"), bytes(2, &[number(1, 0), number(2, 8080), bytes(3, b"")].concat())].concat();
    let probe = [bytes(1, &bytes(2, &http_get)), number(2, 5)].concat();
    let container = [bytes(1, b"c"), bytes(2, b"img"), bytes(8, &limits), bytes(10, &probe)].concat();
    let volume = [bytes(1, b"v"), bytes(2, &bytes(19, &bytes(1, &bytes(1, b"cm"))))].concat();
    let spec = [bytes(1, &volume), bytes(2, &container), number(4, 0), number(11, 0)].concat();
    check(
        "Pod",
        bytes(2, &spec),
        json!({"spec": {
            "volumes": [{"name": "v", "configMap": {"name": "cm"}}],
            "containers": [{
                "name": "c", "image": "img", "resources": {"limits": {"cpu": "100m"}},
                "livenessProbe": {"httpGet": {"path": "/x", "port": 8080}, "initialDelaySeconds": 5},
            }],
            "terminationGracePeriodSeconds": 0,
        }}),
    );
}

#[test]
fn times_lists_of_maps_and_pointers() {
    let extra = [bytes(1, b"k"), bytes(2, &[bytes(1, b"v"), bytes(1, b"w")].concat())].concat();
    check(
        "SubjectAccessReview",
        bytes(2, &[bytes(3, b"u"), bytes(4, b"g"), bytes(5, &extra)].concat()),
        json!({"spec": {"user": "u", "groups": ["g"], "extra": {"k": ["v", "w"]}}}),
    );
    let renewed = [number(1, 1_767_355_200), number(2, 5000)].concat();
    check(
        "Lease",
        bytes(2, &[bytes(1, b"h"), number(2, 0), bytes(4, &renewed)].concat()),
        json!({"spec": {"holderIdentity": "h", "leaseDurationSeconds": 0, "renewTime": "2026-01-02T12:00:00.000005Z"}}),
    );
}

#[test]
fn broken_bytes_are_told() {
    let pod = registry::by_kind("", "Pod").unwrap();
    let read = |body: &[u8]| decode_protobuf(pod.schema, "Pod", body);
    assert_eq!(read(b"{}"), Err(ProtobufError::NoEnvelope));
    let whole = envelope("v1", "Pod", &bytes(1, &bytes(1, b"name")));
    for cut in 4..whole.len() {
        // Whatever is cut, nothing panics; what still parses is a prefix.
        drop(read(&whole[..cut]));
    }
    assert_eq!(read(&[b"k8s\0".to_vec(), vec![0x0a, 0xff]].concat()), Err(ProtobufError::Broken));
    let other = envelope("apps/v1", "Deployment", &bytes(1, b""));
    assert_eq!(read(&other), Ok(json!({"apiVersion": "apps/v1", "kind": "Deployment"})));
}

#[test]
fn every_type_and_member_has_its_number() {
    fn walk(definition: &str, seen: &mut Vec<String>) {
        if seen.iter().any(|name| name == definition) {
            return;
        }
        seen.push(definition.into());
        let Some(properties) = DEFINITIONS[definition].get("properties").and_then(Value::as_object) else {
            return;
        };
        let table = table_name(definition);
        let mut named = Vec::new();
        collect(table, &mut named);
        for (member, schema) in properties {
            let envelope =
                matches!(member.as_str(), "apiVersion" | "kind") && properties.contains_key("metadata");
            assert!(
                envelope || named.contains(&member.as_str()) || definition.ends_with("DeleteOptions"),
                "{table}.{member}"
            );
            let inner = [Some(schema), schema.get("items"), schema.get("additionalProperties")];
            for name in inner.into_iter().flatten().filter_map(reference) {
                walk(name, seen);
            }
        }
    }
    fn collect(table: &str, named: &mut Vec<&'static str>) {
        for (_, member) in MEMBERS.get(table).unwrap_or_else(|| panic!("{table} is not in the table")) {
            if member.inline { collect(member.name, named) } else { named.push(member.name) }
        }
    }
    let mut seen = Vec::new();
    for kind in registry::all() {
        walk(&kind.schema.name(), &mut seen);
    }
    assert!(seen.len() > 250, "{}", seen.len());
}
