//! Logs and metrics: where they go. What is logged never holds source code, output or tokens.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};

/// Bounds of histograms of durations, in seconds.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter can't be read.
    #[error("the log level is not valid")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Another part has set it up in this process.
    #[error("logging is set up already")]
    Logs(#[from] tracing_subscriber::util::TryInitError),
    /// Metrics can't be set up.
    #[error("metrics cannot be set up")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// Starts logging to standard error.
pub fn start_logs(settings: &Log) -> Result<(), Error> {
    let filter = EnvFilter::builder().parse(&settings.level)?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Text => registry.with(lines.with_ansi(false)).try_init()?,
        LogFormat::Json => registry.with(lines.json()).try_init()?,
    }
    Ok(())
}

/// Starts counting; the handle renders all figures in Prometheus' text format.
pub fn start_metrics() -> Result<PrometheusHandle, Error> {
    let builder =
        PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?;
    Ok(builder.install_recorder()?)
}
