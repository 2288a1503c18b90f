//! One request, as its audit events tell it.

use std::{borrow::Cow, net::IpAddr};

use jiff::fmt::temporal::DateTimePrinter;
use types::{Attributes, Status, StatusReason, Timestamp, User, json};

use crate::{Evaluation, Level};

/// When, in the course of a request, an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Once it is known who asks; nothing has been decided yet.
    RequestReceived,
    /// Once the response's head has been sent: only for long-running requests, and as the only
    /// event of a request that failed authentication.
    ResponseStarted,
    /// Once no more bytes will be sent.
    ResponseComplete,
    /// Once the handling of the request has broken down.
    Panic,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 4] =
        [Self::RequestReceived, Self::ResponseStarted, Self::ResponseComplete, Self::Panic];

    /// As it stands in events and policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestReceived => "RequestReceived",
            Self::ResponseStarted => "ResponseStarted",
            Self::ResponseComplete => "ResponseComplete",
            Self::Panic => "Panic",
        }
    }
}

/// What is known of a request when it arrives. It borrows everything; [`Record::new`] keeps what
/// events need.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The client's `Audit-ID`, or a new UUID.
    pub audit_id: &'a str,
    /// The request target, byte for byte as it is decided on and forwarded.
    pub request_uri: &'a [u8],
    /// Verb, object and requester. A request that failed authentication has `User::default()`.
    pub attributes: &'a Attributes<'a>,
    /// Where the request came from, client first.
    pub source_ips: &'a [IpAddr],
    /// The `User-Agent` header; empty for none.
    pub user_agent: &'a [u8],
    /// When the request's head was complete.
    pub at: Timestamp,
}

/// How a request ended, or how its response begins.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// A response that is not a refusal of ours: its status code.
    Code(u16),
    /// A refusal in kube-apiserver's words.
    Status(&'a Status),
    /// A refusal whose body could not be written as the client accepts it: status code and message.
    // UPSTREAM: a 401 under an unacceptable `Accept` is recorded with `Authentication failed,
    // attempted: bearer` instead of its status (kube-apiserver 1.36)
    Message(u16, &'a str),
    /// Our code panicked; the connection broke off.
    // UPSTREAM: recorded as a 500, with the panic in the message (kube-apiserver 1.36)
    Panicked,
    /// The client was gone before there was a response.
    ClosedEarly,
}

/// The audit record of one request. It is made once and writes an event a stage.
#[derive(Clone, Debug)]
pub struct Record {
    evaluation: Evaluation,
    /// `,"requestURI":…,"verb":…,"user":{…}`
    before_impersonation: Box<[u8]>,
    /// `,"impersonatedUser":{…},"authenticationMetadata":{…}`, or empty.
    impersonation: Vec<u8>,
    /// `,"sourceIPs":…,"userAgent":…,"objectRef":{…}`
    after_impersonation: Box<[u8]>,
    audit_id: Box<str>,
    at: Timestamp,
    /// Sorted by key, no key twice.
    annotations: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

/// The longest `User-Agent` on record, in bytes.
// UPSTREAM: a longer one is cut there and gets this suffix (kube-apiserver 1.36)
const USER_AGENT_LIMIT: usize = 1024;
const USER_AGENT_CUT: &[u8] = b"...TRUNCATED";

impl Record {
    /// Puts a request on record; `None` when the policy leaves it out.
    pub fn new(evaluation: Evaluation, received: &Received<'_>) -> Option<Self> {
        if evaluation.level == Level::None {
            return None;
        }
        let attributes = received.attributes;
        let mut before = Vec::with_capacity(384);
        before.extend_from_slice(b",\"requestURI\":");
        json::write_string(&mut before, received.request_uri);
        before.extend_from_slice(b",\"verb\":");
        json::write_string(&mut before, attributes.verb.as_bytes());
        before.extend_from_slice(b",\"user\":");
        write_user(&mut before, attributes.user);

        let mut after = Vec::with_capacity(256);
        write_source_ips(&mut after, received.source_ips);
        write_user_agent(&mut after, received.user_agent);
        if attributes.resource_request {
            after.extend_from_slice(b",\"objectRef\":");
            write_object_ref(&mut after, attributes);
        }
        Some(Self {
            evaluation,
            before_impersonation: before.into(),
            impersonation: Vec::new(),
            after_impersonation: after.into(),
            audit_id: received.audit_id.into(),
            at: received.at,
            annotations: Vec::new(),
        })
    }

    /// On whose behalf the request is made; `constraint` is the verb of constrained impersonation
    /// that allowed it, if one did.
    pub fn impersonated(&mut self, user: &User, constraint: Option<&str>) {
        self.impersonation.clear();
        self.impersonation.extend_from_slice(b",\"impersonatedUser\":");
        write_user(&mut self.impersonation, user);
        if let Some(constraint) = constraint {
            self.impersonation
                .extend_from_slice(b",\"authenticationMetadata\":{\"impersonationConstraint\":");
            json::write_string(&mut self.impersonation, constraint.as_bytes());
            self.impersonation.push(b'}');
        }
    }

    /// Adds an annotation. A key that is there keeps its first value.
    pub fn annotate(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Cow<'static, str>>) {
        let key = key.into();
        if let Err(at) = self.annotations.binary_search_by(|(known, _)| known.cmp(&key)) {
            self.annotations.insert(at, (key, value.into()));
        }
    }

    /// How much memory the record holds, without its annotations.
    pub fn bytes(&self) -> usize {
        self.before_impersonation.len() + self.impersonation.len() + self.after_impersonation.len()
    }

    /// The audit ID, as the client is told it.
    pub fn audit_id(&self) -> &str {
        &self.audit_id
    }

    /// Appends the event of `stage` and a line feed. Nothing is written for a stage that the policy
    /// omits; the answer says whether an event was written.
    ///
    /// `now` is when the stage was reached; [`Stage::RequestReceived`] always carries the time of
    /// arrival. `outcome` is `None` before there is a response.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        stage: Stage,
        outcome: Option<Outcome<'_>>,
        now: Timestamp,
    ) -> bool {
        if self.evaluation.omitted.contains(stage) {
            return false;
        }
        out.reserve(512 + self.before_impersonation.len() + self.after_impersonation.len());
        out.extend_from_slice(b"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"");
        out.extend_from_slice(self.evaluation.level.as_str().as_bytes());
        out.extend_from_slice(b"\",\"auditID\":");
        json::write_string(out, self.audit_id.as_bytes());
        out.extend_from_slice(b",\"stage\":\"");
        out.extend_from_slice(stage.as_str().as_bytes());
        out.push(b'"');
        out.extend_from_slice(&self.before_impersonation);
        out.extend_from_slice(&self.impersonation);
        out.extend_from_slice(&self.after_impersonation);
        if let Some(outcome) = outcome {
            write_outcome(out, outcome);
        }
        // UPSTREAM: the stage timestamp of RequestReceived is the time of arrival (kube-apiserver 1.36)
        let reached = if stage == Stage::RequestReceived { self.at } else { now };
        out.extend_from_slice(b",\"requestReceivedTimestamp\":\"");
        write_time(out, self.at);
        out.extend_from_slice(b"\",\"stageTimestamp\":\"");
        write_time(out, reached);
        out.push(b'"');
        let mut opening: &[u8] = b",\"annotations\":{";
        for (key, value) in &self.annotations {
            out.extend_from_slice(opening);
            json::write_string(out, key.as_bytes());
            out.push(b':');
            json::write_string(out, value.as_bytes());
            opening = b",";
        }
        out.extend_from_slice(if self.annotations.is_empty() { b"}\n" } else { b"}}\n" });
        true
    }
}

fn write_user(out: &mut Vec<u8>, user: &User) {
    let mut members = Members::open(out);
    members.text("username", &user.name);
    members.text("uid", &user.uid);
    if !user.groups.is_empty() {
        write_texts(members.name("groups"), &user.groups);
    }
    if !user.extra.is_empty() {
        let out = members.name("extra");
        let mut opening = b'{';
        for (key, values) in &user.extra {
            out.push(opening);
            json::write_string(out, key.as_bytes());
            out.push(b':');
            write_texts(out, values);
            opening = b',';
        }
        out.push(b'}');
    }
    members.close();
}

fn write_object_ref(out: &mut Vec<u8>, attributes: &Attributes<'_>) {
    let mut members = Members::open(out);
    members.text("resource", attributes.resource);
    members.text("namespace", attributes.namespace);
    members.text("name", attributes.name);
    members.text("apiGroup", attributes.api_group);
    members.text("apiVersion", attributes.api_version);
    members.text("subresource", attributes.subresource);
    members.close();
}

fn write_source_ips(out: &mut Vec<u8>, addresses: &[IpAddr]) {
    use std::io::Write;
    let mut opening: &[u8] = b",\"sourceIPs\":[\"";
    for address in addresses {
        out.extend_from_slice(opening);
        // A Vec takes every byte. Go prints an IPv4 address in IPv6 clothes as IPv4.
        drop(write!(out, "{}", address.to_canonical()));
        opening = b"\",\"";
    }
    if !addresses.is_empty() {
        out.extend_from_slice(b"\"]");
    }
}

fn write_user_agent(out: &mut Vec<u8>, user_agent: &[u8]) {
    if user_agent.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"userAgent\":");
    match user_agent.get(..USER_AGENT_LIMIT) {
        Some(head) if user_agent.len() > USER_AGENT_LIMIT => {
            json::write_string(out, &[head, USER_AGENT_CUT].concat());
        }
        _ => json::write_string(out, user_agent),
    }
}

fn write_outcome(out: &mut Vec<u8>, outcome: Outcome<'_>) {
    out.extend_from_slice(b",\"responseStatus\":{\"metadata\":{}");
    let code = match outcome {
        Outcome::Code(code) => code,
        Outcome::Status(status) => {
            let word = if status.code < 400 { "Success" } else { "Failure" };
            write_status(out, word);
            write_message(out, &status.message, status.reason);
            if let Some(details) = &status.details {
                out.extend_from_slice(b",\"details\":");
                // Strings and numbers always serialise, and a Vec takes every byte.
                drop(json::write_compact(out, details));
            }
            status.code
        }
        Outcome::Message(code, message) => {
            write_message(out, message, StatusReason::Unknown);
            code
        }
        Outcome::Panicked => {
            write_status(out, "Failure");
            write_message(out, "the gate panicked", StatusReason::InternalError);
            500
        }
        // UPSTREAM: a request that ends without a response is recorded like this (kube-apiserver 1.36)
        Outcome::ClosedEarly => {
            write_status(out, "Success");
            write_message(out, "Connection closed early", StatusReason::Unknown);
            200
        }
    };
    out.extend_from_slice(b",\"code\":");
    write_number(out, code);
    out.push(b'}');
}

fn write_status(out: &mut Vec<u8>, status: &'static str) {
    out.extend_from_slice(b",\"status\":\"");
    out.extend_from_slice(status.as_bytes());
    out.push(b'"');
}

fn write_message(out: &mut Vec<u8>, message: &str, reason: StatusReason) {
    if !message.is_empty() {
        out.extend_from_slice(b",\"message\":");
        json::write_string(out, message.as_bytes());
    }
    if reason != StatusReason::Unknown {
        out.extend_from_slice(b",\"reason\":\"");
        out.extend_from_slice(reason.as_str().as_bytes());
        out.push(b'"');
    }
}

fn write_texts(out: &mut Vec<u8>, texts: &[String]) {
    out.push(b'[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::write_string(out, text.as_bytes());
    }
    out.push(b']');
}

fn write_number(out: &mut Vec<u8>, number: u16) {
    use std::io::Write;
    drop(write!(out, "{number}"));
}

/// RFC 3339 in UTC with six digits after the second: `metav1.MicroTime`.
fn write_time(out: &mut Vec<u8>, time: Timestamp) {
    const MICROSECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
    // A Vec takes every byte.
    drop(MICROSECONDS.print_timestamp(&time, out));
}

/// The members of one JSON object, empty texts left out.
struct Members<'a> {
    out: &'a mut Vec<u8>,
    opening: u8,
}

impl<'a> Members<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        Self { out, opening: b'{' }
    }

    /// Begins a member; the caller appends its value. `name` needs no escaping.
    fn name(&mut self, name: &'static str) -> &mut Vec<u8> {
        self.out.push(std::mem::replace(&mut self.opening, b','));
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    fn text(&mut self, name: &'static str, text: &str) {
        if !text.is_empty() {
            json::write_string(self.name(name), text.as_bytes());
        }
    }

    fn close(self) {
        if self.opening == b'{' {
            self.out.push(b'{');
        }
        self.out.push(b'}');
    }
}

#[cfg(test)]
mod tests;
