//! A client of Guichet's REST API: requests, typed answers, and the events of a submission over however many connections.
//!
//! ```no_run
//! use guichet_client::types::{FileRequest, SubmissionRequest, StreamEvent};
//! use guichet_client::{Client, Error};
//!
//! # async fn example() -> Result<(), Error> {
//! let client = Client::new("http://127.0.0.1:8080".parse().expect("a URL"), "a token")?;
//! let file = FileRequest { path: "main.py".to_owned(), content: Some("print(3)".to_owned()), ..FileRequest::default() };
//! let submission = client
//!     .submit(&SubmissionRequest {
//!         exercise_id: Some("sum".to_owned()),
//!         runtime: "python".to_owned(),
//!         files: vec![file],
//!         ..SubmissionRequest::default()
//!     })
//!     .await?;
//! let mut story = client.follow(&submission.id);
//! while let Some(told) = story.next().await? {
//!     if let StreamEvent::QueuePosition(place) = told.event()? {
//!         println!("place {}", place.position);
//!     }
//! }
//! let ended = client.submission(&submission.id).await?;
//! println!("{:?}", ended.result.map(|result| result.verdict));
//! # Ok(())
//! # }
//! ```

mod client;
mod error;
mod resources;
mod story;

/// The API's types, made from its document: each as that describes it. Values and fields that a later version of the service adds
/// do no harm: an enumeration has `Other`, and a field that is not known is passed over.
pub mod types {
    include!(concat!(env!("OUT_DIR"), "/types.rs"));
}

pub use client::{Client, Token};
pub use error::{Error, plain};
pub use reqwest::Url;
pub use story::{Story, Told};
