//! What every handler works with.

use std::num::NonZeroU32;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;

use crate::app::{App, OpenStreams};
use crate::auth::Verifier;
use crate::http::origin::PublicUrl;
use crate::http::rate::Limiter;
use crate::http::stream::{Pulse, Sessions};
use crate::shutdown::Tasks;

/// What the settings say about the API.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Origins of pages that may call it from a browser, as `https://school.example`.
    pub cors_origins: Vec<String>,
    /// What browsers write before its paths; `None`: what their requests say.
    pub public_url: Option<PublicUrl>,
    /// Requests of one student or teacher, sustained, per second.
    pub requests_per_second: NonZeroU32,
    /// Requests of one student or teacher at once.
    pub burst: NonZeroU32,
}

/// What every handler works with; cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpState {
    /// The use cases.
    pub app: App,
    /// Who proves callers.
    pub verifier: Arc<Verifier>,
    /// Requests of each subject.
    pub limiter: Arc<Limiter>,
    /// The process's figures.
    pub metrics: PrometheusHandle,
    /// Origins of pages that may call it from a browser.
    pub cors_origins: Arc<[String]>,
    /// What browsers write before its paths; `None`: what their requests say.
    pub public_url: Option<PublicUrl>,
    /// Long bodies are read in tasks of it.
    pub tasks: Tasks,
    /// Held while a long body is read: by one at a time.
    pub long_bodies: Arc<Semaphore>,
    /// Open event streams.
    pub streams: Arc<OpenStreams>,
    /// Wakes them when they are due.
    pub pulse: Arc<Pulse>,
    /// Sessions that they are read by.
    pub sessions: Arc<Sessions>,
}

impl HttpState {
    /// The state over these parts; what wakes streams, and what looks at hosts for those who follow them, run as `tasks`.
    pub fn new(
        app: App,
        verifier: Arc<Verifier>,
        metrics: PrometheusHandle,
        tasks: &Tasks,
        settings: HttpSettings,
    ) -> Self {
        let limiter = Arc::new(Limiter::new(settings.requests_per_second, settings.burst));
        let streams = Arc::new(OpenStreams::new(app.budget().clone()));
        let cors_origins = settings.cors_origins.into();
        let pulse = Arc::new(Pulse::default());
        tasks.start(Arc::clone(&pulse).run(app.streams_end().clone()));
        tasks.start(app.clone().keep_rejudging(tasks.soft().clone()));
        tasks.start(app.clone().watch_hosts(app.streams_end().clone()));
        Self {
            app,
            verifier,
            limiter,
            metrics,
            cors_origins,
            public_url: settings.public_url,
            long_bodies: Arc::new(Semaphore::new(1)),
            tasks: tasks.clone(),
            streams,
            pulse,
            sessions: Arc::default(),
        }
    }
}
