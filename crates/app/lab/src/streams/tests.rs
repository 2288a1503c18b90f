use super::*;

#[test]
fn outcomes_are_told_as_a_kubelet_does() {
    let check = |exit: Exit, pointer: &str, expected: Value| {
        assert_eq!(outcome(&exit).pointer(pointer), Some(&expected), "{exit:?} {pointer}");
    };
    check(Exit::Status(0), "/status", "Success".into());
    check(Exit::Status(3), "/reason", "NonZeroExitCode".into());
    check(Exit::Status(3), "/details/causes/0", json!({"reason": "ExitCode", "message": "3"}));
    check(Exit::NoSuchProgram("x".into()), "/reason", "InternalError".into());
}
