//! OTLP log records over HTTP, by the opentelemetry crates: one request a batch, which the collector's answer acknowledges.
//! Knows nothing of files and cursors. The crates' own queue is not used: it drops what does not fit.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity as Number};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{LogExporter, RetryPolicy, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{LogBatch, LogExporter as _, SdkLogRecord, SdkLogger, SdkLoggerProvider};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::message::{Message, Severity};
use super::{SendError, Sent, Sink};

/// How long a collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const MAX_ANSWER: usize = 64 * 1024;
/// What a collector will never take, however often it is sent: RFC 9110 sections 15.5.1 and 15.5.14.
const NEVER: [u16; 2] = [400, 413];

/// A collector.
pub struct Otlp {
    runtime: Runtime,
    exporter: LogExporter,
    logger: SdkLogger,
    scope: InstrumentationScope,
    status: Arc<AtomicU16>,
}

impl Otlp {
    /// A collector at `host:port`.
    ///
    /// # Errors
    /// Where the exporter cannot be made.
    pub fn new(authority: &str, path: &str) -> io::Result<Self> {
        let status = Arc::new(AtomicU16::new(0));
        let client = Client { authority: authority.to_owned(), idle: Mutex::new(None), status: Arc::clone(&status) };
        let mut exporter = LogExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_retry_policy(RetryPolicy::disabled())
            .with_endpoint(format!("http://{authority}{path}"))
            .with_timeout(PATIENCE)
            .build()
            .map_err(io::Error::other)?;
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
        let attributes = [KeyValue::new("host.name", host), KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))];
        exporter.set_resource(&Resource::builder_empty().with_service_name("dockgate").with_attributes(attributes).build());
        let scope = InstrumentationScope::builder("dockgate.audit").build();
        let logger = SdkLoggerProvider::builder().build().logger_with_scope(scope.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, exporter, logger, scope, status })
    }

    fn export(&self, batch: &[Message]) -> io::Result<()> {
        let records: Vec<SdkLogRecord> = batch.iter().map(|message| self.record(message)).collect();
        let pairs: Vec<(&SdkLogRecord, &InstrumentationScope)> = records.iter().map(|record| (record, &self.scope)).collect();
        self.status.store(0, Ordering::Relaxed);
        self.runtime.block_on(self.exporter.export(LogBatch::new(&pairs))).map_err(io::Error::other)
    }

    fn record(&self, message: &Message) -> SdkLogRecord {
        let fields = &message.fields;
        let mut record = self.logger.create_log_record();
        let time = fields.time.as_deref().and_then(|time| time.parse::<jiff::Timestamp>().ok()).map(SystemTime::from);
        record.set_timestamp(time.unwrap_or_else(SystemTime::now));
        record.set_observed_timestamp(SystemTime::now());
        record.set_severity_number(number(message.severity()));
        record.set_body(AnyValue::from(message.text.clone()));
        for (name, value) in [
            ("dockgate.id", &fields.id),
            ("dockgate.stage", &fields.stage),
            ("dockgate.event", &fields.event),
            ("dockgate.verdict", &fields.verdict),
            ("dockgate.reason", &fields.reason),
            ("dockgate.operation", &fields.operation),
            ("dockgate.door", &fields.door),
        ] {
            if let Some(value) = value {
                record.add_attribute(name, value.clone());
            }
        }
        if let Some(sequence) = fields.sequence {
            record.add_attribute("dockgate.sequence", i64::try_from(sequence).unwrap_or(i64::MAX));
        }
        if let Some(status) = fields.status {
            record.add_attribute("http.response.status_code", i64::from(status));
        }
        record
    }

    fn rejected(&self) -> bool {
        NEVER.contains(&self.status.load(Ordering::Relaxed))
    }
}

/// The data model's numbers, opentelemetry.io "Logs Data Model", SeverityNumber.
fn number(severity: Severity) -> Number {
    match severity {
        Severity::Error => Number::Error,
        Severity::Warning => Number::Warn,
        Severity::Notice => Number::Info2,
        Severity::Info => Number::Info,
    }
}

impl Sink for Otlp {
    /// A batch that the collector will never take is sent one by one, so that only the record that it means is left out.
    fn send(&mut self, batch: &[Message]) -> Sent {
        match self.export(batch) {
            Ok(()) => Sent { taken: batch.len(), failed: None },
            Err(_) if self.rejected() && batch.len() > 1 => {
                super::one_by_one(batch, |message| self.export(std::slice::from_ref(message)).map_err(|error| self.failure(error)))
            }
            Err(error) => Sent { taken: 0, failed: Some(self.failure(error)) },
        }
    }
}

impl Otlp {
    fn failure(&self, error: io::Error) -> SendError {
        if self.rejected() { SendError::Rejected(1, error.to_string()) } else { SendError::Down(error) }
    }
}

/// Posts what the exporter wrote, over one connection that is kept while it lasts.
#[derive(Debug)]
struct Client {
    authority: String,
    idle: Mutex<Option<SendRequest<Full<Bytes>>>>,
    status: Arc<AtomicU16>,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Client {
    fn send_bytes<'life0, 'async_trait>(&'life0 self, request: Request<Bytes>) -> Answer<'async_trait>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move { tokio::time::timeout(PATIENCE, self.post(request)).await? })
    }
}

impl Client {
    async fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (mut parts, body) = request.into_parts();
        parts.uri = parts.uri.path().parse()?;
        parts.headers.insert(HOST, HeaderValue::from_str(&self.authority)?);
        let kept = self.kept().take().filter(|kept| !kept.is_closed());
        let mut sender = match kept {
            Some(kept) => kept,
            None => self.connect().await?,
        };
        sender.ready().await?;
        let (head, answer) = sender.send_request(Request::from_parts(parts, Full::new(body))).await?.into_parts();
        let answer = Limited::new(answer, MAX_ANSWER).collect().await?.to_bytes();
        self.status.store(head.status.as_u16(), Ordering::Relaxed);
        *self.kept() = Some(sender);
        Ok(Response::from_parts(head, answer))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<SendRequest<Full<Bytes>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, HttpError> {
        let stream = TcpStream::connect(&self.authority).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a collector ended");
            }
        });
        Ok(sender)
    }
}
