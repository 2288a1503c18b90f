//! One authorization webhook: sending a review and getting an answer, or none.

mod counts;

use std::{
    error::Error as StdError,
    fmt,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    sync::Arc,
    time::Duration,
};

use authz::webhook::{FailurePolicy, Refusal, ReviewVersion, read_answer, read_content_type, read_refusal};
use bytes::Bytes;
use config::{ClusterAccess, authorization::WebhookConfiguration};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, uri::PathAndQuery};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use moka::sync::Cache;
use tls::HandshakeError;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};
use types::{AccessFailure, AccessStatus, FailureClass, Timestamp, duration};
use upstream::{IdentityHeaders, Limits, Pool, PooledBody, SendError, Upstream, UpstreamError};

pub(crate) use self::counts::Counts;
pub use self::counts::{BOUNDS, TryCounts, TryResult, WebhookCounts};
use crate::remote::is_young;

/// How long the first pause between two tries is; each further one is half as long again.
// UPSTREAM: 500 ms, a factor of 1.5, up to a fifth more at random (kube-apiserver 1.36)
pub const RETRY_AFTER: Duration = Duration::from_millis(500);

// UPSTREAM: five tries in all (kube-apiserver 1.36)
const TRIES: usize = 5;

/// How often a try obeys `Retry-After`.
// UPSTREAM: ten times, within the try's own time limit (client-go 1.36)
const OBEYS: usize = 10;

/// For all tries and pauses together. A request of kube-apiserver's ends after this time.
const LONGEST: Duration = Duration::from_secs(60);

/// No verdict with a reason that somebody reads is larger. kube-apiserver has no limit.
const MAX_BODY_BYTES: usize = 1 << 20;

/// How many questions are asked of one webhook at a time; more wait within their time.
const MAX_ASKING: usize = 1024;

// UPSTREAM: this many answers are remembered, of each webhook (kube-apiserver 1.36)
const MAX_KEPT: u32 = 8192;

/// How many bytes of reviews and answers are remembered, of each webhook. kube-apiserver has no limit:
/// whoever has many groups, or asks for long names, could fill its memory.
const MAX_KEPT_BYTES: u32 = 64 << 20;

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION")));
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a webhook's client needs to know.
#[derive(Debug)]
pub struct WebhookSettings<'a> {
    /// What questions call it.
    pub name: &'a str,
    /// Its server, and the gate's credential for it.
    pub access: &'a ClusterAccess,
    /// Where on the server: `/authorize`.
    pub path: &'a str,
    /// What it speaks.
    pub version: ReviewVersion,
    /// For one try.
    pub timeout: Duration,
    /// For how long an Allow is remembered; zero: not at all.
    pub authorized_ttl: Duration,
    /// For how long any other answer is remembered; zero: not at all.
    pub unauthorized_ttl: Duration,
    /// The first pause between two tries: [`RETRY_AFTER`].
    pub retry_after: Duration,
    /// Whether the next authorizer is asked when this one gives no answer; for the metrics.
    pub fails_open: bool,
}

impl<'a> WebhookSettings<'a> {
    /// Those of a configured webhook, whose kubeconfig says `access` and `path`.
    pub fn of(
        name: &'a str,
        configuration: &WebhookConfiguration,
        access: &'a ClusterAccess,
        path: &'a str,
    ) -> Self {
        let (authorized_ttl, unauthorized_ttl) = configuration.ttls();
        Self {
            name,
            access,
            path,
            version: configuration.subject_access_review_version,
            timeout: configuration.timeout,
            authorized_ttl,
            unauthorized_ttl,
            retry_after: RETRY_AFTER,
            fails_open: configuration.failure_policy == FailurePolicy::NoOpinion,
        }
    }
}

/// A webhook that can be asked.
pub struct Webhook {
    name: Arc<str>,
    pool: Pool<Full<Bytes>>,
    target: PathAndQuery,
    version: ReviewVersion,
    timeout: Duration,
    authorized_ttl: Duration,
    unauthorized_ttl: Duration,
    retry_after: Duration,
    fails_open: bool,
    counts: Arc<Counts>,
    turns: Semaphore,
    /// By the text of the review.
    kept: Cache<Arc<str>, Known>,
}

#[derive(Clone)]
struct Known {
    status: AccessStatus,
    as_of: Timestamp,
}

/// How much room an answer takes. Every one takes so much that there is no room for more than
/// [`MAX_KEPT`].
fn weight(review: &Arc<str>, known: &Known) -> u32 {
    let AccessStatus { reason, evaluation_error, .. } = &known.status;
    let bytes = review.len() + reason.len() + evaluation_error.len() + size_of::<Known>();
    u32::try_from(bytes).unwrap_or(u32::MAX).max(MAX_KEPT_BYTES / MAX_KEPT)
}

/// Why a try came to nothing.
struct Failed {
    failure: AccessFailure,
    /// Whether trying again may help.
    transient: bool,
    /// How it counts.
    result: TryResult,
}

impl Failed {
    fn new(class: FailureClass, message: impl Into<Arc<str>>) -> Self {
        let result = match class {
            FailureClass::Timeout => TryResult::Timeout,
            FailureClass::Connection | FailureClass::Response => TryResult::Error,
        };
        Self { failure: AccessFailure { class, message: message.into() }, transient: false, result }
    }

    fn refused(Refusal { message, transient, late }: Refusal) -> Self {
        let failed = Self::new(FailureClass::Response, message);
        Self { transient, result: if late { TryResult::Timeout } else { failed.result }, ..failed }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("name", &self.name).field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Checks certificates, keys, the token and the path; connects to nobody yet.
    pub fn new(settings: &WebhookSettings<'_>) -> Result<Self, UpstreamError> {
        let upstream = Upstream::new(settings.access, Limits::default())?;
        let nanos = i64::try_from(settings.timeout.as_nanos()).unwrap_or(i64::MAX);
        // UPSTREAM: the webhook is told for how long it will be waited for (client-go 1.36)
        let target = format!("{}?timeout={}", settings.path, duration::format(nanos));
        let target = PathAndQuery::try_from(target).map_err(|_| UpstreamError::Path {
            origin: settings.access.origin.clone(),
            path: settings.path.to_owned(),
        })?;
        Ok(Self {
            name: settings.name.into(),
            pool: Pool::new(Arc::new(upstream), IdentityHeaders::default()),
            target,
            version: settings.version,
            timeout: settings.timeout,
            authorized_ttl: settings.authorized_ttl,
            unauthorized_ttl: settings.unauthorized_ttl,
            retry_after: settings.retry_after,
            fails_open: settings.fails_open,
            counts: Arc::default(),
            turns: Semaphore::new(MAX_ASKING),
            // Whether an answer may still be used is decided by its own time. The library's clock
            // only frees memory.
            kept: Cache::builder()
                .max_capacity(MAX_KEPT_BYTES.into())
                .weigher(weight)
                .time_to_live(2 * settings.authorized_ttl.max(settings.unauthorized_ttl))
                .build(),
        })
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Goes on counting where one of the same name was before it was configured anew, if there was one:
    /// `counts` may be its or this one's own.
    pub(crate) fn count_in(&mut self, counts: impl FnOnce(Arc<Counts>) -> Arc<Counts>) {
        self.counts = counts(Arc::clone(&self.counts));
    }

    pub(crate) fn forget(&self) {
        self.kept.invalidate_all();
    }

    /// What it said to the same review, if that still counts.
    pub(crate) fn remembered(&self, review: &Arc<str>, now: Timestamp) -> Option<AccessStatus> {
        let Known { status, as_of } = self.kept.get(review)?;
        is_young(as_of, now, self.ttl(&status)).then_some(status)
    }

    pub(crate) fn remember(&self, review: &Arc<str>, status: &AccessStatus, as_of: Timestamp) {
        if !self.ttl(status).is_zero() {
            self.kept.insert(Arc::clone(review), Known { status: status.clone(), as_of });
        }
    }

    // UPSTREAM: what is allowed and denied at once is remembered as allowed (kube-apiserver 1.36)
    fn ttl(&self, status: &AccessStatus) -> Duration {
        if status.allowed { self.authorized_ttl } else { self.unauthorized_ttl }
    }

    /// Asks, up to five times.
    pub(crate) async fn ask(&self, review: &str) -> Result<AccessStatus, AccessFailure> {
        let review = Bytes::copy_from_slice(review.as_bytes());
        let answer = timeout(LONGEST, self.try_often(review)).await.unwrap_or_else(|_| {
            let message = format!("no answer within {LONGEST:?}, all tries together");
            Err(Failed::new(FailureClass::Timeout, message))
        });
        answer.map_err(|Failed { failure, result, .. }| {
            if self.fails_open {
                self.counts.failed_open(result);
            }
            failure
        })
    }

    async fn try_often(&self, review: Bytes) -> Result<AccessStatus, Failed> {
        let mut pause = self.retry_after;
        let mut left = TRIES;
        loop {
            left -= 1;
            let mut counted =
                Try { counts: &self.counts, began: Instant::now(), result: TryResult::Canceled };
            let tried = self.try_once(review.clone()).await;
            counted.result = tried.as_ref().map_or_else(|failed| failed.result, |_| TryResult::Success);
            drop(counted);
            match tried {
                Err(failed) if failed.transient && left > 0 => {
                    sleep(pause.mul_f64(1.0 + 0.2 * random_fraction())).await;
                    pause = pause.mul_f64(1.5);
                }
                ended => return ended,
            }
        }
    }

    // UPSTREAM: what takes too long is not tried again (kube-apiserver 1.36)
    async fn try_once(&self, review: Bytes) -> Result<AccessStatus, Failed> {
        let in_turn = async {
            match self.turns.acquire().await {
                Ok(_permit) => self.send(review).await,
                Err(_) => Err(Failed::new(FailureClass::Connection, "no more questions are asked")),
            }
        };
        let late = |_| {
            let address = self.pool.address();
            Failed::new(FailureClass::Timeout, format!("{address} did not answer within {:?}", self.timeout))
        };
        timeout(self.timeout, in_turn).await.map_err(late)?
    }

    /// Sends the review, again if the answer asks for that, and reads the answer.
    async fn send(&self, review: Bytes) -> Result<AccessStatus, Failed> {
        let mut obeyed = 0;
        loop {
            let res =
                self.pool.send(self.request(review.clone())).await.map_err(|error| no_response(&error))?;
            let (code, retry_after) = (res.status(), retry_after(&res));
            let unreadable = content_type(res.headers());
            let body = self.read(res).await?;
            if unreadable.is_none() && (200..=206).contains(&code.as_u16()) {
                return read_answer(self.version, &body)
                    .map_err(|error| Failed::new(FailureClass::Response, error));
            }
            let may_wait = code == StatusCode::TOO_MANY_REQUESTS || code.as_u16() >= 500;
            match retry_after {
                Some(wait) if may_wait && obeyed < OBEYS => {
                    obeyed += 1;
                    sleep(Duration::from_secs(u64::try_from(wait).unwrap_or_default())).await;
                }
                _ => {
                    // A redirect is a refusal too: the review goes to the address that was configured.
                    let refusal =
                        unreadable.unwrap_or_else(|| read_refusal(code.as_u16(), retry_after, &body));
                    return Err(Failed::refused(refusal));
                }
            }
        }
    }

    fn request(&self, review: Bytes) -> Request<Full<Bytes>> {
        let mut req = Request::new(Full::new(review));
        *req.method_mut() = Method::POST;
        *req.uri_mut() = self.target.clone().into();
        let headers = req.headers_mut();
        headers.insert(header::CONTENT_TYPE, JSON);
        headers.insert(header::ACCEPT, JSON);
        headers.insert(header::USER_AGENT, USER_AGENT);
        req
    }

    async fn read(&self, res: Response<PooledBody<Full<Bytes>>>) -> Result<Bytes, Failed> {
        match Limited::new(res.into_body(), MAX_BODY_BYTES).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(Failed::new(
                FailureClass::Response,
                format!("the answer is longer than {MAX_BODY_BYTES} bytes"),
            )),
            // UPSTREAM: a connection that is reset within the answer is tried again (kube-apiserver 1.36)
            Err(error) => Err(Failed {
                transient: was_reset(&*error),
                ..Failed::new(FailureClass::Connection, format!("the answer broke off: {error}"))
            }),
        }
    }
}

/// Why an answer with this `Content-Type` is not read, if it is not. Of several the first counts.
fn content_type(headers: &HeaderMap) -> Option<Refusal> {
    read_content_type(headers.get(header::CONTENT_TYPE)?.as_bytes())
}

/// `Retry-After` in seconds; a date does not count.
// UPSTREAM: only a number counts (client-go 1.36)
fn retry_after<B>(res: &Response<B>) -> Option<i64> {
    res.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

// UPSTREAM: a connection that is reset is tried again, one that is refused, or closed without an
// answer, is not (kube-apiserver 1.36)
fn no_response(error: &SendError) -> Failed {
    let transient = match error {
        SendError::Connect { source, .. } => was_reset(source),
        SendError::Handshake { source, .. } => matches!(source, HandshakeError::Reset),
        SendError::HungUp { source, .. } | SendError::Broken(source) => was_reset(source),
        SendError::ConnectTimeout { .. } | SendError::NoAnswer { .. } => false,
    };
    Failed { transient, ..Failed::new(FailureClass::Connection, error.to_string()) }
}

/// A try that is being made. One that nobody waits for any more counts, too.
struct Try<'a> {
    counts: &'a Counts,
    began: Instant,
    result: TryResult,
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        self.counts.tried(self.result, self.began.elapsed());
    }
}

fn was_reset(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::ConnectionReset) {
            return true;
        }
        next = error.source();
    }
    false
}

/// From 0 to 1, so that many who failed together do not try again together.
fn random_fraction() -> f64 {
    let number = RandomState::new().build_hasher().finish();
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
